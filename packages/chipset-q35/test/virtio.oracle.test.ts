/** Virtio disks against QEMU's: capabilities, negotiation, requests, by the same accesses. */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { inScratch } from '../../../tests/support/qemu.ts';
import { VirtioBlk } from '../src/index.ts';
import { buildModel, configRead, configWrite, runOnModel } from './support/model.ts';
import { read, write } from './support/pci-board.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';
import { diskBytes, MemoryDisk } from './support/sata.ts';
import { BDF, get, placed, ROOM, request, SLOT, started } from './support/virtio.ts';

const missing = oracleMissing();
const SIZE = 0x10_0000;
/** Whole: QEMU leaves what follows a shorter one as it was. */
const SERIAL = 'abcdefghij0123456789';
const FLUSH = 0x200;
const INDIRECT = 0x1000_0000;

function compare(accesses: readonly Access[]): void {
  const qemu = inScratch((path) => {
    writeFileSync(path('disk'), diskBytes(SIZE));
    const device = `virtio-blk-pci,drive=d,disable-legacy=on,addr=${SLOT},serial=${SERIAL}`;
    const drive = `if=none,id=d,format=raw,file=${path('disk')}`;
    return runOnQemu(accesses, ['-m', '64', '-drive', drive, '-device', device]);
  });
  const disk = new MemoryDisk(diskBytes(SIZE));
  const model = buildModel(0x400_0000, undefined, {
    parts: ({ clock }) => [new VirtioBlk({ disk, clock, slot: SLOT, serial: SERIAL })],
  });
  const here = accesses.flatMap((access) => {
    const results = runOnModel([access], model);
    if (access.kind.startsWith('until')) model.clock.advanceTo(model.clock.now() + 10_000_000);
    return results;
  });
  const hex = (value: number): string => (value >>> 0).toString(16);
  expect(here.map(hex)).toEqual(qemu.map(hex));
}

describe.skipIf(missing !== undefined)(`virtio-blk equals QEMU's ${missing ?? ''}`, () => {
  it('header, capabilities, sizes of ranges, the window in configuration space', () => {
    const dwords = [...[0, 4, 8, 0xc, 0x2c, 0x34, 0x3c].map((at) => configRead(BDF, at, 4))];
    const list = [
      0x40, 0x44, 0x48, 0x4c, 0x50, 0x54, 0x58, 0x5c, 0x60, 0x64, 0x68, 0x6c, 0x70, 0x74, 0x78, 0x7c,
    ];
    compare([
      ...dwords.flat(),
      ...[...list, 0x80, 0x84, 0x98, 0x9c, 0xa0].flatMap((at) => configRead(BDF, at, 4)),
      ...[0x14, 0x20, 0x24].flatMap((at) => [
        ...configWrite(BDF, at, 4, 0xffff_ffff),
        ...configRead(BDF, at, 4),
      ]),
      ...placed,
      ...[
        ...configWrite(BDF, 0x88, 1, 4),
        ...configWrite(BDF, 0x8c, 4, 0x12),
        ...configWrite(BDF, 0x90, 4, 2),
      ],
      ...configRead(BDF, 0x94, 2),
    ]);
  });

  it('the common structure before, during and after negotiation', () => {
    const common = [
      get(0x10, 2),
      get(0x12, 2),
      get(0x14, 1),
      get(0x15, 1),
      get(0x18, 2),
      get(0x1a, 2),
      get(0x1c, 2),
    ];
    const set = (offset: number, value: number, size: 1 | 2 | 4): Access => ({
      ...{ kind: 'write', gpa: (get(offset) as { gpa: number }).gpa, size, value },
    });
    compare([
      ...placed,
      ...[...common, get(0x1e, 2), set(0x16, 1, 2), get(0x18, 2), set(0x16, 0, 2)],
      ...[set(0x10, 1, 2), get(0x10, 2), set(0x10, 2, 2), get(0x10, 2), set(0x1a, 1, 2), get(0x1a, 2)],
      ...[set(0x20, 0x1234_5000, 4), get(0x20), set(0x34, 0x12, 4), get(0x34)],
      ...[set(0x14, 0, 1), ...common, get(0x20)],
      ...[...started(FLUSH | INDIRECT, 64), ...common],
      ...[set(0x14, 0, 1), ...common],
    ]);
  });

  it('random requests, in pieces and by indirect tables', () => {
    const step = fc.record({
      type: fc.constantFrom(0, 1, 0, 1, 4, 8),
      sector: fc.nat({ max: 60 }), // one that fails counts its room as written on QEMU
      sectors: fc.integer({ min: 1, max: 3 }),
      split: fc.integer({ min: 1, max: 500 }),
      indirect: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 10 }), (steps) => {
        compare([
          ...[...placed, ...started(FLUSH | INDIRECT)],
          ...Array.from({ length: 16 }, (_, i) => write(ROOM + 4 * i, 0x1111_1111 * i)),
          ...steps.flatMap(({ type, sector, sectors, split, indirect }, n) => {
            const bytes = sectors * 512;
            const pieces =
              type === 4
                ? []
                : type === 8
                  ? [[ROOM, 20] as const]
                  : [[ROOM, split] as const, [ROOM + 0x1000, bytes - split] as const];
            return [
              ...request(n, { type, sector, pieces, indirect }),
              ...[0, 4, 8, 0x1000, 0x1004, 0x1200].map((at) => read(ROOM + at)),
            ];
          }),
        ]);
      }),
      { numRuns: sized(5, 60), endOnFailure: true },
    );
  });
});
