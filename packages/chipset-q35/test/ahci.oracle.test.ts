/** The SATA controller against QEMU's: the same accesses, commands and data on both. */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { inScratch } from '../../../tests/support/qemu.ts';
import { buildModel, configRead, runOnModel } from './support/model.ts';
import { read, write } from './support/pci-board.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';
import {
  ABAR,
  AHCI_BDF,
  BUFFER,
  type Command,
  diskBytes,
  drives,
  issue,
  LISTS,
  MemoryDisk,
  observe,
  portAt,
  setUp,
} from './support/sata.ts';

const missing = oracleMissing();
const SIZE = 0x10_0000;
/** Virtual time of a wait: longer than any command here. */
const WAIT_NS = 10_000_000;

/** What both read, in order; the disc on port 1 has what the disk has. */
function both(accesses: readonly Access[]): { qemu: number[]; here: number[] } {
  const qemu = inScratch((path) => {
    writeFileSync(path('disk'), diskBytes(SIZE));
    writeFileSync(path('disc'), diskBytes(SIZE));
    const args = [
      ...['-m', '64', '-drive', `if=none,id=d,format=raw,file=${path('disk')}`],
      ...['-device', 'ide-hd,drive=d,bus=ide.0', '-device', 'ide-cd,drive=c,bus=ide.1'],
      ...['-drive', `if=none,id=c,format=raw,readonly=on,file=${path('disc')}`],
    ];
    return runOnQemu(accesses, args);
  });
  const sata = { drives: drives(new MemoryDisk(diskBytes(SIZE)), new MemoryDisk(diskBytes(SIZE), true)) };
  const model = buildModel(0x400_0000, undefined, { peripherals: { sata } });
  const here = accesses.flatMap((access) => {
    const results = runOnModel([access], model);
    if (access.kind === 'until-clear') model.clock.advanceTo(model.clock.now() + WAIT_NS);
    return results;
  });
  return { qemu, here };
}

function compare(accesses: readonly Access[]): void {
  const { qemu, here } = both(accesses);
  const hex = (value: number): string => (value >>> 0).toString(16);
  expect(here.map(hex)).toEqual(qemu.map(hex));
}

/** A command, what the port shows afterwards, how much it says it moved, and the first dwords of the buffer. */
function tried(command: Command, dwords = 0): Access[] {
  const { port = 0, slot = 0 } = command;
  return [
    ...issue(command),
    ...observe(port),
    ...(command.queued === true ? [] : [read(LISTS + 0x1000 * port + 32 * slot + 4)]),
    ...Array.from({ length: dwords }, (_, i) => read(BUFFER + 4 * i)),
    write(portAt(port) + 0x10, 0xffff_ffff),
  ];
}

const packet = (...bytes: number[]): Command => ({ port: 1, command: 0xa0, features: 1, packet: bytes });
const clearBuffer = Array.from({ length: 64 }, (_, i) => write(BUFFER + 4 * i, 0));

describe.skipIf(missing !== undefined)(`AHCI equals QEMU's ${missing ?? ''}`, () => {
  it('configuration space, sizes of ranges, registers of controller and ports, what is writable', () => {
    const ports = [0, 1, 2, 5];
    const registers = Array.from({ length: 16 }, (_, i) => 4 * i);
    const writable = [0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x2c];
    compare([
      ...Array.from({ length: 16 }, (_, i) => configRead(AHCI_BDF, 4 * i, 4)).flat(),
      ...[0x80, 0x84, 0x88, 0xa8, 0xac].flatMap((at) => configRead(AHCI_BDF, at, 4)),
      ...configRead(AHCI_BDF, 0x90, 1),
      ...setUp([]),
      ...Array.from({ length: 12 }, (_, i) => read(ABAR + 4 * i)),
      ...ports.flatMap((port) => registers.map((at) => read(portAt(port) + at))),
      ...ports.flatMap((port) => writable.map((at) => write(portAt(port) + at, 0xffff_ffff))),
      ...ports.flatMap((port) => writable.map((at) => read(portAt(port) + at))),
      ...[write(ABAR + 4, 2), read(ABAR + 4), write(ABAR + 4, 1), read(ABAR + 4)],
      ...ports.flatMap((port) => [0x14, 0x18, 0x20, 0x24, 0x2c, 0x30].map((at) => read(portAt(port) + at))),
    ]);
  });

  it('disk: who it is, transfers of all kinds, settings', () => {
    compare([
      ...setUp([0]),
      write(portAt(0) + 0x10, 0xffff_ffff),
      ...tried({ command: 0xec }, 128),
      ...tried({ command: 0xc8, lba: 5, count: 2 }, 4),
      ...tried({ command: 0x20, lba: 7, count: 3 }, 4),
      ...tried({ command: 0x25, lba: 9, count: 1 }, 4),
      ...tried({ command: 0x60, lba: 11, features: 1, queued: true }, 4),
      ...tried({ command: 0x60, slot: 5, lba: 12, features: 2, count: 5 << 3, queued: true }, 4),
      ...tried({ command: 0xc4, lba: 20, count: 16 }, 4),
      ...tried({ command: 0x20, lba: 0x0102, device: 0x01, count: 1 }, 4), // cylinder 1, head 1, sector 2
      ...tried({ command: 0xb0, features: 0xda, lba: 0xc24f00 }),
      ...tried({ command: 0xef, features: 3, count: 0x42 }),
      ...tried({ command: 0xef, features: 0x82 }),
      ...tried({ command: 0xec }, 128),
      ...tried({ command: 0xe7 }),
      ...tried({ command: 0xea }),
      ...[0xe0, 0xe1].flatMap((command) => tried({ command })),
      ...tried({ command: 0xca, lba: 3, count: 1, writes: true }),
      ...tried({ command: 0x35, lba: 4, count: 2, writes: true }),
      ...tried({ command: 0x61, lba: 9, features: 1, queued: true, writes: true }),
      ...tried({ command: 0x30, lba: 12, count: 1, writes: true }),
      ...clearBuffer,
      ...tried({ command: 0xc8, lba: 2, count: 16 }, 60),
    ]);
  });

  it('CD drive: who it is, capacity, sectors, table of contents, sense', () => {
    compare([
      ...setUp([1]),
      write(portAt(1) + 0x10, 0xffff_ffff),
      ...tried({ port: 1, command: 0xa1 }, 128),
      ...tried(packet(0)),
      ...tried(packet(0x12, 0, 0, 0, 36), 9),
      ...tried({ ...packet(0x12, 0, 0, 0, 36), features: 0, lba: 0x2000_00 }, 9),
      ...tried(packet(0x25), 2),
      ...tried(packet(0x28, 0, 0, 0, 0, 3, 0, 0, 2), 4),
      ...tried(packet(0xa8, 0, 0, 0, 0, 7, 0, 0, 0, 1), 4),
      ...tried(packet(0xbe, 0, 0, 0, 0, 9, 0, 0, 1, 0x10), 4),
      ...tried(packet(0x43, 2, 0, 0, 0, 0, 0, 3, 0), 5),
      ...tried(packet(0x43, 0, 0, 0, 0, 0, 1, 3, 0), 5),
      ...tried(packet(0x43, 0, 0, 0, 0, 0, 0xaa, 3, 0), 3),
      ...tried(packet(0x5a, 0, 0x2a, 0, 0, 0, 0, 3, 0), 7),
      ...tried(packet(0x4a, 1, 0, 0, 0x10, 0, 0, 3, 0), 2),
      ...tried(packet(0x51, 0, 0, 0, 0, 0, 0, 3, 0), 8),
      ...tried(packet(0x2b, 0, 0, 0, 0, 3)),
      ...tried(packet(0x1e, 0, 0, 0, 1)),
    ]);
  });

  it('random transfers between random places in memory', () => {
    const transfer = fc.record({
      command: fc.constantFrom(0xc8, 0xca, 0x20, 0x30, 0x25, 0x35, 0x29, 0x39, 0x60, 0x61),
      slot: fc.nat({ max: 31 }),
      lba: fc.nat({ max: 100 }),
      sectors: fc.integer({ min: 1, max: 4 }),
      first: fc.nat({ max: 0x100 }).map((n) => 4 * n),
      split: fc.integer({ min: 1, max: 200 }).map((n) => 2 * n),
    });
    const writes = [0xca, 0x30, 0x35, 0x39, 0x61];
    fc.assert(
      fc.property(fc.array(transfer, { minLength: 2, maxLength: 8 }), (transfers) => {
        compare([
          ...setUp([0]),
          write(portAt(0) + 0x10, 0xffff_ffff),
          ...tried({ command: 0xec }), // a queued command leaves the error register of the reset on QEMU
          ...clearBuffer,
          ...transfers.flatMap(({ command, slot, lba, sectors, first, split }) => {
            const queued = command >= 0x60 && command < 0x62;
            const prd = [
              [BUFFER + first, split],
              [BUFFER + 0x2000 - first, sectors * 512 - split],
            ] as const;
            const place = queued ? { features: sectors, count: slot << 3 } : { count: sectors };
            return [
              ...tried({ command, slot, lba, prd, queued, writes: writes.includes(command), ...place }),
              ...[0, 4, 508, 512].map((at) => read(BUFFER + first + at)),
              ...[0, 8, 512].map((at) => read(BUFFER + 0x2000 - first + at)),
            ];
          }),
        ]);
      }),
      { numRuns: sized(4, 60), endOnFailure: true },
    );
  });
});
