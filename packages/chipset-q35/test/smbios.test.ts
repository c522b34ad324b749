/** SMBIOS structures against QEMU's, and what is refused. */
import { describe, expect, it, vi } from 'vitest';
import { q35RamLayout } from '../src/index.ts';
import type { SmbiosTexts } from '../src/smbios/options.ts';
import { type SmbiosProcessors, smbiosFiles } from '../src/smbios/tables.ts';
import { fileOfQemu } from './support/fw-cfg-of-qemu.ts';
import { oracleMissing } from './support/qemu-oracle.ts';

vi.setConfig({ testTimeout: 60_000 }); // QEMU on a loaded host

const missing = oracleMissing();
const MIB = 0x10_0000;
const hex = (bytes: Iterable<number>): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
/** qemu64. */
const CPU = { signature: 0x6_0fb1, features: 0x078b_fbfd };

/** Options of QEMU, and the same here. */
const MACHINES: readonly (readonly [string, number, SmbiosProcessors, SmbiosTexts])[] = [
  ['-smp 1', 64, { sockets: 1, cores: 1, threads: 1, ...CPU }, {}],
  ['-smp 2', 512, { sockets: 1, cores: 2, threads: 2, ...CPU }, {}],
  [
    '-cpu qemu64,vendor=GenuineIntel -smp 8,sockets=2,cores=2,threads=2',
    3072,
    { sockets: 2, cores: 2, threads: 4, ...CPU },
    {},
  ],
  [
    '-cpu qemu64,vendor=GenuineIntel -smp 8,maxcpus=16,dies=2,cores=2,threads=2',
    64,
    { sockets: 2, cores: 4, threads: 8, ...CPU },
    {},
  ],
  [
    '-smbios type=0,vendor=V,version=W,date=01/02/2026,release=3.4,uefi=on',
    64,
    { sockets: 1, cores: 1, threads: 1, ...CPU },
    { bios: { vendor: 'V', version: 'W', date: '01/02/2026', release: [3, 4], uefi: true } },
  ],
  [
    '-smbios type=1,manufacturer=M,product=P,version=2,serial=S,uuid=01020304-0506-0708-090a-0b0c0d0e0f10,sku=K,family=F',
    64,
    { sockets: 1, cores: 1, threads: 1, ...CPU },
    {
      system: {
        ...{ manufacturer: 'M', product: 'P', version: '2', serial: 'S', sku: 'K', family: 'F' },
        uuid: '01020304-0506-0708-090a-0b0c0d0e0f10',
      },
    },
  ],
  [
    '-smbios type=2,product=B,asset=A,location=L -smbios type=3,manufacturer=C,serial=S,asset=A,sku=K -smbios type=11,value=one,value=two',
    64,
    { sockets: 1, cores: 1, threads: 1, ...CPU },
    {
      board: { product: 'B', asset: 'A', location: 'L' },
      chassis: { manufacturer: 'C', serial: 'S', asset: 'A', sku: 'K' },
      oemStrings: ['one', 'two'],
    },
  ],
  [
    '-smp 17,sockets=17 -smbios type=4,sock_pfx=S,manufacturer=M,version=V,serial=N,asset=A,part=P,max-speed=3000,current-speed=1000 -smbios type=17,loc_pfx=D,bank=B,manufacturer=M,serial=N,asset=A,part=P,speed=800',
    64,
    { sockets: 17, cores: 1, threads: 1, ...CPU },
    {
      processor: {
        ...{ sock_pfx: 'S', manufacturer: 'M', version: 'V', serial: 'N', asset: 'A', part: 'P' },
        ...{ maxSpeed: 3000, currentSpeed: 1000 },
      },
      memory: { loc_pfx: 'D', bank: 'B', manufacturer: 'M', serial: 'N', asset: 'A', part: 'P', speed: 800 },
    },
  ],
];

describe.skipIf(missing !== undefined)(`SMBIOS equals QEMU's ${missing ?? ''}`, () => {
  it.each(MACHINES)('%s, %i MiB', (words, mib, processors, texts) => {
    const args = ['-m', String(mib), ...words.split(' ')];
    for (const { name, data } of smbiosFiles(processors, q35RamLayout(mib * MIB), texts))
      expect(hex(data), name).toBe(hex(fileOfQemu(name, args)!));
  });
});

it.each([
  [{ system: { uuid: '1234' } }, /uuid.*a UUID/],
  [{ bios: { release: [1] } }, /release.*two numbers/],
  [{ processor: { maxSpeed: 70_000 } }, /maxSpeed/],
  [{ chassis: { sku: 5 } }, /sku/],
])('%j is refused', (texts, message) => {
  const processors = { sockets: 1, cores: 1, threads: 1, ...CPU };
  expect(() => smbiosFiles(processors, q35RamLayout(64 * MIB), texts as SmbiosTexts)).toThrow(message);
});
