/**
 * The PCI core against QEMU's test devices: the same accesses on them, and on functions with the same ranges and
 * interrupts.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import type { Part } from '../src/index.ts';
import { configRead, configWrite, runOnModel } from './support/model.ts';
import { CONTROLLERS, entry, inp, ioapic, model, read, write } from './support/pci-board.ts';
import { E1000eShape, Edu, NvmeShape, TestDev } from './support/pci-models.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

const LPC = 0xf8;
const SLOT = 3;
const BDF = SLOT << 3;
const E1000E = 'e1000e,romfile=,netdev=net';
const missing = oracleMissing();
const runs = sized(8, 60);

const command = (value: number): Access[] => configWrite(BDF, 4, 2, value);

/** What both read. In the PCI hole QEMU reads 0 where nothing is; this model reads all-ones. */
function compare(accesses: readonly Access[], device: string, parts: () => readonly Part[]): void {
  const hex = (v: number) => (v === 0xffff_ffff ? 0 : v).toString(16);
  const network = device === E1000E ? ['-netdev', 'user,id=net,restrict=on'] : []; // a card without one is warned about
  const real = runOnQemu(accesses, ['-m', '64', ...network, '-device', `${device},addr=${SLOT}`]).map(hex);
  expect(runOnModel(accesses, model(parts)).map(hex)).toEqual(real);
}

describe.skipIf(missing !== undefined)(`PCI functions equal QEMU's ${missing ?? ''}`, () => {
  const everyDword = Array.from({ length: 16 }, (_, i) => configRead(BDF, 4 * i, 4)).flat();
  const sizing = (indices: readonly number[]) =>
    [0xffff_ffff, 0].flatMap((v) => [
      ...indices.flatMap((i) => configWrite(BDF, 0x10 + 4 * i, 4, v)),
      ...indices.flatMap((i) => configRead(BDF, 0x10 + 4 * i, 4)),
    ]);

  it.each([
    { device: 'edu', make: () => new Edu({ device: SLOT, function: 0 }), capability: 0x40, dwords: 4 },
    {
      device: 'pci-testdev,membar=64K',
      make: () => new TestDev({ device: SLOT, function: 0 }),
      capability: 0,
      dwords: 0,
    },
  ])('$device: header, sizes of ranges, writable bits', ({ device, make, capability, dwords }) => {
    const own = Array.from({ length: dwords }, (_, i) => configRead(BDF, capability + 4 * i, 4)).flat();
    if (dwords > 0) own[own.length - 1] = inp(0xcfc, 2); // the rest of the datum's dword is storage on QEMU
    const flip = Array.from({ length: dwords }, (_, i) =>
      configWrite(BDF, capability + 4 * i, 4, 0xfff8_fffe),
    ).flat();
    compare(
      [
        ...everyDword,
        ...own,
        ...sizing([0, 1, 2, 3, 4, 5]),
        ...[...command(0xffff), ...everyDword, ...command(0), ...everyDword],
        ...[...flip, ...own],
        ...[...configWrite(BDF, 0, 4, 0xffff_ffff), ...configWrite(BDF, 0x3c, 4, 0x5a5a_5a5a), ...everyDword],
      ],
      device,
      () => [make()],
    );
  });

  it('e1000e: sizes of its five ranges, the MSI-X table and its masks', () => {
    const table = 0xe004_0000;
    const place: Access[] = [
      ...configWrite(BDF, 0x10, 4, 0xe000_0000),
      ...configWrite(BDF, 0x1c, 4, table),
      ...command(6),
    ];
    const entries = Array.from({ length: 20 }, (_, i) => table + 4 * i);
    compare(
      [
        ...[
          ...sizing([0, 1, 2, 3, 4, 5]),
          ...configRead(BDF, 0xa0, 4),
          ...configRead(BDF, 0xa4, 4),
          ...configRead(BDF, 0xa8, 4),
        ],
        ...[
          ...place,
          ...entries.map(read),
          ...entries.map((at) => write(at, 0xffff_ffff)),
          ...entries.map(read),
        ],
        ...[
          ...entries.map((at) => write(at, 0)),
          ...entries.map(read),
          read(table + 0x2000),
          read(table + 0x50),
        ],
        ...[...configWrite(BDF, 0xa2, 2, 0xffff), ...configRead(BDF, 0xa0, 4)],
      ],
      E1000E,
      () => [new E1000eShape({ device: SLOT, function: 0 })],
    );
  });

  it('e1000e: MSI-X messages under masks and without bus mastering', () => {
    const registers = 0xe000_0000;
    const table = 0xe004_0000;
    const observe = [...[0x210, 0x220, 0x230].map((at) => read(0xfee0_0000 + at)), read(table + 0x2000)];
    // Causes are cleared by ICR's read; EIAC off. Other causes (bit 24) with the vector in IVAR 18:16, valid in bit 19.
    const raise = (vector: number): Access[] => [
      ...[write(registers + 0xe4, (8 + vector) << 16), write(registers + 0xd0, 0x0100_0000)],
      ...[write(registers + 0xc8, 0x0100_0000), write(registers + 0xc0, 0xffff_ffff)],
      { kind: 'wait', loops: 1_000_000 }, // a vector fires once in 128 microseconds
    ];
    const step = fc.oneof(
      fc.constantFrom(0, 1, 2, 3, 4).map(raise),
      fc.constantFrom(0x8000, 0xc000, 0x8000).map((v) => configWrite(BDF, 0xa2, 2, v)),
      fc.tuple(fc.nat({ max: 4 }), fc.constantFrom(0, 1, 0)).map(([n, v]) => [write(table + 16 * n + 12, v)]),
      fc.constantFrom(6, 2, 6).map(command),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => {
        const setUp: Access[] = [
          ...[
            ...CONTROLLERS,
            ...configWrite(BDF, 0x10, 4, registers),
            ...configWrite(BDF, 0x1c, 4, table),
            ...command(6),
          ],
          ...[0, 1, 2, 3, 4].flatMap((n) => [
            ...[write(table + 16 * n, 0xfee0_0000), write(table + 16 * n + 8, 0x41 + 9 * n)],
            write(table + 16 * n + 12, 0),
          ]),
          ...configWrite(BDF, 0xa2, 2, 0x8000),
        ];
        compare([...setUp, ...steps.flatMap((s) => [...s, ...observe])], E1000E, () => [
          new E1000eShape({ device: SLOT, function: 0 }),
        ]);
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });

  it('nvme: function-level reset', () => {
    const state = [0x04, 0x0c, 0x10, 0x14, 0x3c].flatMap((offset) => configRead(BDF, offset, 4));
    const setUp: Access[] = [
      ...[...configWrite(BDF, 0x10, 4, 0xe000_0000), ...configWrite(BDF, 0x14, 4, 1), ...command(0x406)],
      ...[...configWrite(BDF, 0x0c, 1, 0x10), ...configWrite(BDF, 0x3c, 1, 0x0b)],
    ];
    const ask = configWrite(BDF, 0x88, 2, 0x8000);
    const can: Access[] = [
      ...configRead(BDF, 0x82, 2),
      ...configRead(BDF, 0x87, 1),
      ...configRead(BDF, 0x88, 2),
    ];
    compare([...state, ...setUp, ...state, ...ask, ...state, ...can], 'nvme,serial=1', () => [
      new NvmeShape({ device: SLOT, function: 0 }),
    ]);
  });

  it('edu: moves, COMMAND, INTx by PIRQ to both controllers, MSI, under random accesses', () => {
    const places = [0xe000_0000, 0xe080_0000, 0xc000_0000, 0x0200_0000, 0, 0xfff0_0000, 0xfed0_0000];
    const home: Access[] = [...configWrite(BDF, 0x10, 4, 0xe000_0000), ...command(6)];
    const observe: Access[] = [
      ...[0xe000_0000, 0xe080_0000, 0xc000_0000].flatMap((at) => [read(at), read(at + 0x24)]),
      ...[...configRead(BDF, 4, 4), ...configRead(BDF, 0x40, 4), inp(0xa0), ...entry(10), ...entry(23)],
      ...[0x220, 0x230, 0x240].map((at) => read(0xfee0_0000 + at)),
    ];
    const acknowledge = write(0xe000_0064, 0xffff_ffff);
    const msi = (control: number): Access[] => [...home, acknowledge, ...configWrite(BDF, 0x42, 2, control)];
    // QEMU moves a level that is up only when it changes next; this model moves it at once.
    const route = (v: number): Access[] => [...home, acknowledge, ...configWrite(LPC, 0x6b, 1, v)];
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...places).map((at) => configWrite(BDF, 0x10, 4, at)) },
      { weight: 3, arbitrary: fc.constantFrom(0, 2, 4, 6, 7, 6, 0x406, 0x402).map(command) },
      { weight: 4, arbitrary: fc.constantFrom(1, 2, 0x100).map((v) => [...home, write(0xe000_0060, v)]) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(1, 3, 0xffff_ffff).map((v) => [...home, write(0xe000_0064, v)]),
      },
      { weight: 2, arbitrary: fc.constantFrom(0xe000_0060, 0xe080_0060).map((at) => [write(at, 1)]) },
      {
        weight: 2,
        arbitrary: fc.constantFrom(0x8a, 0x0a, 0x0b, 0x8b).map(route),
      },
      { weight: 2, arbitrary: fc.constantFrom(0, 1, 0x71).map(msi) },
      {
        weight: 1,
        arbitrary: fc
          .constantFrom([0xfee0_0000, 0x52], [0xfee0_1000, 0x53], [0xfee0_000c, 0x64])
          .map(([at, v]) => [...configWrite(BDF, 0x44, 4, at!), ...configWrite(BDF, 0x4c, 2, v!)]),
      },
      { weight: 1, arbitrary: fc.constantFrom(0x50, 0x61).map((v) => [write(0xfec0_0040, v)]) },
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
        compare([...CONTROLLERS, ...steps.flatMap((s) => [...s, ...observe])], 'edu', () => [
          new Edu({ device: SLOT, function: 0 }),
        ]);
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });

  it('edu: DMA both ways, only as a bus master, and its interrupt', () => {
    const edu = 0xe000_0000;
    const at = 0x8_0000;
    // The transfer takes 100 ms on QEMU: wait for the run bit by time.
    const run = (source: number, destination: number, control: number): Access[] => [
      ...[
        write(edu + 0x80, source),
        write(edu + 0x88, destination),
        write(edu + 0x90, 8),
        write(edu + 0x98, control),
      ],
      { kind: 'wait', loops: 60_000_000 },
    ];
    const seed = [
      write(at, 0x1234_5678),
      write(at + 4, 0x9abc_def0),
      write(at + 8, 0x55aa_55aa),
      write(at + 12, 0),
    ];
    compare(
      [
        ...[...configWrite(BDF, 0x10, 4, edu), ...command(6), ...seed],
        ...[...run(at, 0x4_0000, 1), ...run(0x4_0000, at + 8, 7)],
        ...[read(at + 8), read(at + 12), read(edu + 0x24), write(edu + 0x64, 0x100), read(edu + 0x24)],
        ...[...command(2), write(at + 8, 0), ...run(0x4_0000, at + 8, 3), read(at + 8)],
      ],
      'edu',
      () => [new Edu({ device: SLOT, function: 0 })],
    );
  });

  it('pin routing: every device number and the registers of 25 to 31', () => {
    for (const slot of [1, 2, 5, 25, 27, 29, 30]) {
      const bdf = slot << 3;
      const pins = Array.from({ length: 8 }, (_, n) => 16 + n);
      const accesses: Access[] = [
        ...CONTROLLERS,
        ...configWrite(LPC, 0xf0, 4, 0xfed1_c001),
        ...pins.flatMap((pin) => [...ioapic(0x11 + 2 * pin, 0), ...ioapic(0x10 + 2 * pin, 0x8070 + pin)]),
        ...[...configWrite(bdf, 0x10, 4, 0xe000_0000), ...configWrite(bdf, 4, 2, 6)],
        ...[write(0xe000_0060, 1), ...pins.flatMap(entry), write(0xe000_0064, 1)],
        ...pins.map((pin) => write(0xfec0_0040, 0x70 + pin)),
        ...[0x3150, 0x3148, 0x3144].map(
          (register): Access => ({
            kind: 'write',
            gpa: 0xfed1_c000 + register,
            size: 2,
            value: 0x0146,
          }),
        ),
        ...[write(0xe000_0060, 1), ...pins.flatMap(entry)],
      ];
      const hex = (v: number) => v.toString(16);
      const parts = () => [new Edu({ device: slot, function: 0 })];
      const real = runOnQemu(accesses, ['-m', '64', '-device', `edu,addr=${slot.toString(16)}`]).map(hex);
      expect(runOnModel(accesses, model(parts)).map(hex), `device ${slot}`).toEqual(real);
    }
  });

  it('chipset configuration registers: reset values, storage, where RCBA says', () => {
    const at = (offset: number) => 0xfed1_c000 + offset;
    const registers = [0, 0x3140, 0x3144, 0x3148, 0x314c, 0x3150, 0x3410, 0x3ffc];
    compare(
      [
        ...[...configWrite(LPC, 0xf0, 4, at(1)), ...registers.map((r) => read(at(r)))],
        ...[
          ...registers.flatMap((r) => [write(at(r), 0x1234_5678 + r), read(at(r))]),
          ...configRead(LPC, 0xf0, 4),
        ],
        ...[
          ...configWrite(LPC, 0xf0, 4, 0xe000_3fff),
          read(0xe000_3410),
          read(at(0x3410)),
          { kind: 'reset' } as const,
        ],
        ...[
          ...configRead(LPC, 0xf0, 4),
          ...configWrite(LPC, 0xf0, 4, at(1)),
          ...registers.map((r) => read(at(r))),
        ],
      ],
      'pci-testdev',
      () => [],
    );
  });
});
