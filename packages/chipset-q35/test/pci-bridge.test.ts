/** Bridges where QEMU does less than the specification, and what they are as parts. */
import { describe, expect, it } from 'vitest';
import { PciBridge, type PciFunction } from '../src/index.ts';
import { configRead, configWrite, runOnModel } from './support/model.ts';
import { model, read, write } from './support/pci-board.ts';
import { Edu } from './support/pci-models.ts';

const ID = { vendorId: 0x1b36, deviceId: 1, revision: 0, multifunction: false };
const OUTER = 4 << 3;
const INNER = (1 << 8) | (2 << 3);
const EDU = (2 << 8) | (3 << 3);
const HOME = 0xe000_0000;
const bridge = (name: string, device: number, ...behind: PciFunction[]) =>
  new PciBridge({ ...ID, name, place: { device, function: 0 }, behind });

/** An edu behind two bridges, all of it placed and on. */
function board() {
  const edu = new Edu({ device: 3, function: 0 });
  const built = model(() => [bridge('outer', 4, bridge('inner', 2, edu))]);
  const run = (...accesses: Parameters<typeof runOnModel>[0]) => runOnModel(accesses, built);
  const id = () => run(read(HOME))[0];
  const setUp = [
    ...[...configWrite(OUTER, 0x18, 4, 0x0002_0100), ...configWrite(INNER, 0x18, 4, 0x0002_0201)],
    ...[OUTER, INNER].flatMap((bdf) => configWrite(bdf, 0x20, 4, 0xe000_e000)),
    ...[
      ...configWrite(EDU, 0x10, 4, HOME),
      ...[OUTER, INNER, EDU].flatMap((bdf) => configWrite(bdf, 4, 2, 6)),
    ],
  ];
  run(...setUp);
  return { ...built, edu, run, id, setUp };
}

describe('a bridge behind a bridge', () => {
  it('is reached while both pass the access on', () => {
    const { run, id } = board();
    expect(id()).toBe(0x0100_00ed);
    expect(run(...configRead(EDU, 0, 4))).toEqual([0x11e8_1234]);
    for (const bdf of [OUTER, INNER]) {
      run(...configWrite(bdf, 4, 2, 4));
      expect(id()).toBe(0xffff_ffff);
      run(...configWrite(bdf, 4, 2, 6));
      expect(id()).toBe(0x0100_00ed);
    }
    run(...configWrite(OUTER, 0x1a, 1, 1));
    expect(run(...configRead(EDU, 0, 4))).toEqual([0xffff_ffff]);
  });

  it('does not answer configuration accesses while it is held in reset, and has lost its registers then', () => {
    const { run, id } = board();
    run(...configWrite(OUTER, 0x3e, 2, 0x40));
    expect([...run(...configRead(INNER, 0, 4)), id()]).toEqual([0xffff_ffff, 0xffff_ffff]);
    run(...configWrite(OUTER, 0x3e, 2, 0));
    expect(run(...configRead(INNER, 0, 4), ...configRead(INNER, 0x18, 4))).toEqual([0x0001_1b36, 0]);
    expect(run(...configRead(OUTER, 0x18, 4))).toEqual([0x0002_0100]);
  });

  it('turns pins once for each bus, and passes messages with the requester on while it may master', () => {
    const { run, edu, apic, chipset } = board();
    run(write(HOME + 0x60, 1));
    // Device 4's INTA is PIRQE; the 8254 holds a pin below these.
    expect((chipset.devices.ioapic?.save().lines ?? 0) >>> 16).toBe(1 << (4 + ((4 + 2 + 3) % 4)));
    run(write(HOME + 0x64, 1), ...configWrite(EDU, 0x44, 4, 0xfee0_0000), ...configWrite(EDU, 0x4c, 2, 0x55));
    run(...configWrite(EDU, 0x42, 2, 1), write(HOME + 0x60, 1));
    expect(apic.messages).toEqual([{ address: 0xfee0_0000, data: 0x55, requester: EDU }]);
    for (const bdf of [OUTER, INNER]) {
      run(...configWrite(bdf, 4, 2, 2), write(HOME + 0x60, 1), ...configWrite(bdf, 4, 2, 6));
      expect(apic.messages.length).toBe(1);
    }
    expect(edu.status).toBe(1);
  });

  it('is in snapshots with what is behind it, and empty after power-on', () => {
    const first = board();
    first.run(write(HOME + 4, 0x1234_5678));
    const saved = structuredClone(first.chipset.save());
    const second = board();
    const fresh = model(() => [bridge('outer', 4, bridge('inner', 2, new Edu({ device: 3, function: 0 })))]);
    second.chipset.reset('power-on');
    expect(second.chipset.save()).toEqual(fresh.chipset.save());
    expect(second.id()).toBe(0xffff_ffff);
    second.chipset.restore(saved);
    expect([second.id(), second.chipset.save()]).toEqual([0x0100_00ed, saved]);
    const other = model(() => [bridge('outer', 4)]);
    expect(() => other.chipset.restore(saved)).toThrowError(
      expect.objectContaining({ code: 'SNAPSHOT_DEVICES' }),
    );
  });
});

it('one place behind a bridge is for one function', () => {
  const edu = () => new Edu({ device: 3, function: 0 });
  expect(() => bridge('outer', 4, edu(), edu())).toThrowError(/PCI outer:3.0 is taken by edu/);
});
