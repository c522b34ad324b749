/** OVMF finds the disks, by its own drivers for AHCI, ATAPI and virtio, and its shell reads sectors of each. */
import { DirectDisk, MemoryStore } from '@smm/block';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { Boot, runBoot } from '../src/index.ts';
import { type Architecture, ovmfMissing, readOvmf } from './ovmf.ts';

const missing = ovmfMissing();
const SIZE = 0x10_0000;

/** A disk whose sectors begin with their name. */
function disk(name: string, sector: number): DirectDisk {
  const bytes = new Uint8Array(SIZE);
  for (let at = 0; at < SIZE; at += sector) bytes.set(new TextEncoder().encode(`${name} ${at / sector}`), at);
  return new DirectDisk(new MemoryStore(bytes));
}

describe.skipIf(missing !== undefined)(`disks under OVMF ${missing ?? ''}`, () => {
  it.each(sized<Architecture[]>(['x64'], ['x64', 'ia32']))('%s', (architecture) => {
    let serial = '';
    const boot = new Boot({
      ...readOvmf(architecture),
      cpus: 1,
      nsPerInstruction: 64, // waits are as long in fewer instructions
      disks: [
        { bus: 'sata', disk: disk('first', 512), port: 1 },
        { bus: 'sata', kind: 'cd', disk: disk('disc', 2048), port: 3 },
        { bus: 'virtio', disk: disk('other', 512), slot: 5 },
      ],
      serial: (byte) => {
        serial += String.fromCharCode(byte);
      },
    });
    const report = runBoot(boot, { until: 'shell', budget: 6_000_000_000 });
    expect(report.outcome, report.summary).toBe('shell');
    const places = {
      first: 'Pci(0x1F,0x2)/Sata(0x1,',
      disc: 'Pci(0x1F,0x2)/Sata(0x3,',
      other: 'Pci(0x5,0x0)',
    };
    for (const [name, path] of Object.entries(places)) {
      const block = new RegExp(`(BLK\\d):[^/]*/${path.replaceAll(/[()]/g, '\\$&')}`, 'i').exec(
        serial.replaceAll(/\s+/g, ''),
      )?.[1];
      expect(block, `${path} in ${serial}`).toBeDefined();
      const asked = serial.length;
      const done = boot.watchSerial('Shell> ');
      for (const byte of new TextEncoder().encode(`dblk ${block} 7 1\r`)) boot.serial.receive(byte); // 14: they fit
      boot.run(500_000_000, done);
      const hex = [...`${name} 7`].map((c) => c.charCodeAt(0).toString(16).toUpperCase()).join(' ');
      expect(serial.slice(asked).replaceAll('-', ' ')).toContain(hex);
    }
  });
});
