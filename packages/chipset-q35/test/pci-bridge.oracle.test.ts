/** PCI bridges and root ports against QEMU's: the same accesses on them, and on functions behind them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { PciBridge, type PciBridgeOptions, type PciFunction } from '../src/index.ts';
import { configRead, configWrite, runOnModel } from './support/model.ts';
import { CONTROLLERS, entry, inp, ioapic, model, read, write } from './support/pci-board.ts';
import { Edu, NvmeShape, TestDev } from './support/pci-models.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

const SLOT = 4;
const BRIDGE = SLOT << 3;
const BUS = 5;
/** QEMU's device, with the same thing here. */
interface Kind {
  qemu: string;
  options: Omit<PciBridgeOptions, 'name' | 'place' | 'behind'>;
}
const CONVENTIONAL: Kind = {
  qemu: 'pci-bridge,chassis_nr=1,shpc=off,msi=off',
  options: { vendorId: 0x1b36, deviceId: 1, revision: 0, multifunction: false },
};
const ROOT_PORT: Kind = {
  qemu: 'pcie-root-port,chassis=1',
  options: {
    ...{ vendorId: 0x1b36, deviceId: 0x0c, revision: 0, multifunction: false },
    ...{ express: true, interruptPin: 1 },
  },
};
const KINDS = [
  { name: 'pci-bridge', kind: CONVENTIONAL, slot: 3 },
  { name: 'pcie-root-port', kind: ROOT_PORT, slot: 0 }, // a link has one device
];
const bridge = (kind: Kind, ...behind: PciFunction[]) =>
  new PciBridge({ ...kind.options, name: 'bridge', place: { device: SLOT, function: 0 }, behind });
const missing = oracleMissing();
const runs = sized(6, 60);

/** What both read. In the PCI hole QEMU reads 0 where nothing is; this model reads all-ones. */
function compare(accesses: readonly Access[], kind: Kind, behind: string, parts: PciFunction[]): void {
  const hex = (v: number) => (v === 0xffff_ffff ? 0 : v).toString(16);
  const args = ['-m', '64', '-device', `${kind.qemu},id=br,addr=${SLOT}`, '-device', `${behind},bus=br`];
  const real = runOnQemu(accesses, args).map(hex);
  expect(
    runOnModel(
      accesses,
      model(() => [bridge(kind, ...parts)]),
    ).map(hex),
  ).toEqual(real);
}

const control = (value: number): Access[] => configWrite(BRIDGE, 0x3e, 2, value);
const command = (bdf: number, value: number): Access[] => configWrite(bdf, 4, 2, value);
const buses = (secondary: number, subordinate: number): Access[] =>
  configWrite(BRIDGE, 0x18, 4, (subordinate << 16) | (secondary << 8));
/** Bounds as bits 31:16 of addresses. */
const memory = (base: number, limit: number): Access[] =>
  configWrite(BRIDGE, 0x20, 4, limit * 0x1_0000 + base);
const prefetchable = (base: number, limit: number, upper = 0): Access[] => [
  ...configWrite(BRIDGE, 0x24, 4, limit * 0x1_0000 + base),
  ...[...configWrite(BRIDGE, 0x28, 4, upper), ...configWrite(BRIDGE, 0x2c, 4, upper)],
];

describe.skipIf(missing !== undefined)(`bridges equal QEMU's ${missing ?? ''}`, () => {
  /**
   * The header, without what QEMU's root port has more: capabilities, the range of its MSI-X table, a latency timer
   * that can be written, which PCI Express forbids.
   */
  const header: Access[] = [
    ...Array.from({ length: 16 }, (_, i) => 4 * i)
      .filter((at) => ![4, 0x10, 0x18, 0x34].includes(at))
      .flatMap((at) => configRead(BRIDGE, at, 4)),
    ...[...configRead(BRIDGE, 0x18, 2), ...configRead(BRIDGE, 0x1a, 1)],
  ];
  const fill = (value: number): Access[] =>
    Array.from({ length: 16 }, (_, i) => configWrite(BRIDGE, 4 * i, 4, value)).flat();

  it.each(KINDS)('$name: header and writable bits', ({ kind }) => {
    const commandAndControl = [...configRead(BRIDGE, 4, 2), ...configRead(BRIDGE, 0x3e, 2)];
    const patterns = [0xffff_ffff, 0, 0x5a5a_5a5a, 0xa5a5_a5a5, 0];
    compare(
      [...header, ...patterns.flatMap((value) => [...fill(value), ...header, ...commandAndControl])],
      kind,
      'edu,addr=0',
      [new Edu({ device: 0, function: 0 })],
    );
  });

  it.each(KINDS)('$name: routes, windows, COMMAND, hot reset, interrupts, at random', ({ kind, slot }) => {
    const edu = (BUS << 8) | (slot << 3);
    const [home, away] = [0xe000_0000, 0xe800_0000];
    const setUp: Access[] = [
      ...[...CONTROLLERS, ...buses(BUS, BUS), ...memory(0xe000, 0xe000), ...prefetchable(0xe800, 0xe800)],
      ...[...command(BRIDGE, 7), ...configWrite(edu, 0x10, 4, home), ...command(edu, 6)],
    ];
    const pins = Array.from({ length: 8 }, (_, n) => 16 + n);
    const open = pins.flatMap((p) => [...ioapic(0x11 + 2 * p, 0), ...ioapic(0x10 + 2 * p, 0x8070 + p)]);
    const observe: Access[] = [
      ...[edu, (6 << 8) | (slot << 3), (7 << 8) | (slot << 3), (BUS << 8) | (9 << 3)].flatMap((bdf) =>
        [0, 4, 0x10].flatMap((at) => configRead(bdf, at, 4)),
      ),
      ...[home, away].flatMap((at) => [read(at), read(at + 0x24)]),
      ...[...pins.flatMap(entry), ...configRead(BRIDGE, 0x18, 4)],
    ];
    const step = fc.oneof(
      fc.constantFrom([BUS, BUS], [6, 7], [BUS, 9], [BUS, BUS]).map(([a, b]) => buses(a!, b!)),
      fc.constantFrom([0xe000, 0xe000], [0xe800, 0xe7f0], [0xdff0, 0xe010]).map(([a, b]) => memory(a!, b!)),
      fc.constantFrom([0xe800, 0xe800], [0xe000, 0xe900], [0xfff0, 0]).map(([a, b]) => prefetchable(a!, b!)),
      fc.constant(prefetchable(0xe800, 0xe800, 1)),
      fc.constantFrom(0, 2, 6, 7, 7, 0x407).map((v) => command(BRIDGE, v)),
      fc.constantFrom(2, 6, 6, 0x406, 0).map((v) => command(edu, v)),
      fc.constantFrom(home, away).map((at) => configWrite(edu, 0x10, 4, at)),
      fc.constantFrom(home, away).map((at) => [write(at + 0x60, 1)]),
      fc.constantFrom(home, away).map((at) => [write(at + 0x64, 1)]),
      fc.constant([...control(0x40), ...control(0)]),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 4, maxLength: 14 }), (steps) => {
        const accesses = [...setUp, ...open, ...observe, ...steps.flatMap((s) => [...s, ...observe])];
        compare(accesses, kind, `edu,addr=${slot}`, [new Edu({ device: slot, function: 0 })]);
      }),
      { numRuns: runs, endOnFailure: true },
    );
  });

  it.each([0, 1, 2, 3, 6, 31])('device %i behind has the pin that its number turns to', (slot) => {
    const edu = (BUS << 8) | (slot << 3);
    const pins = Array.from({ length: 8 }, (_, n) => 16 + n);
    compare(
      [
        ...[...CONTROLLERS, ...buses(BUS, BUS), ...memory(0xe000, 0xe000), ...command(BRIDGE, 6)],
        ...pins.flatMap((p) => [...ioapic(0x11 + 2 * p, 0), ...ioapic(0x10 + 2 * p, 0x8070 + p)]),
        ...[...configWrite(edu, 0x10, 4, 0xe000_0000), ...command(edu, 6)],
        ...[write(0xe000_0060, 1), ...pins.flatMap(entry), write(0xe000_0064, 1), ...pins.flatMap(entry)],
      ],
      CONVENTIONAL,
      `edu,addr=0x${slot.toString(16)}`,
      [new Edu({ device: slot, function: 0 })],
    );
  });

  it('ports behind answer inside the I/O window alone', () => {
    const dev = BUS << 8;
    const probe = [0xc000, 0xcf00, 0xd000].flatMap((at) => [
      ...configWrite(dev, 0x14, 4, at),
      ...[inp(at, 1), inp(at + 4, 4)],
    ]);
    const windows = [0x00c0, 0xd0c0, 0xc0d0, 0xd0d0, 0xf000].flatMap((v) => [
      ...[...configWrite(BRIDGE, 0x1c, 2, v), ...probe],
    ]);
    const all = [...buses(BUS, BUS), ...command(dev, 3)];
    // pci-testdev reads 0 at its ports, nothing reads all-ones.
    compare(
      [...all, ...command(BRIDGE, 7), ...windows, ...command(BRIDGE, 6), ...windows],
      CONVENTIONAL,
      'pci-testdev,membar=64K,addr=0',
      [new TestDev({ device: 0, function: 0 })],
    );
  });

  it('nvme: a hot reset clears what a function had, and ECAM sees what CF8h sees', () => {
    const nvme = BUS << 8;
    const ecam = 0xb000_0000 + (BUS << 20);
    const state = [0, 4, 0x0c, 0x10, 0x14, 0x3c].flatMap((at) => [
      ...configRead(nvme, at, 4),
      read(ecam + at),
    ]);
    compare(
      [
        ...[...configWrite(0, 0x60, 4, 0xb000_0001), ...buses(BUS, BUS), ...command(BRIDGE, 7), ...state],
        ...[...configWrite(nvme, 0x10, 4, 0xe000_0000), write(ecam + 4, 0x406), ...state],
        ...[...configWrite(nvme, 0x3c, 1, 0x0b), ...state, ...control(0x40), ...control(0), ...state],
        ...[...control(0x40), ...buses(0, 0), ...control(0), ...buses(BUS, BUS), ...state],
      ],
      ROOT_PORT,
      'nvme,serial=1,addr=0',
      [new NvmeShape({ device: 0, function: 0 })],
    );
  });
});
