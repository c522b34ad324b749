/** Registers against QEMU's HPET; comparators as the specification has them. */
import { PhysicalAddressSpace, VirtualClock } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HPET_BASE, HPET_SIZE, Hpet } from '../src/hpet.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

const missing = oracleMissing();

function build() {
  const clock = new VirtualClock();
  const levels = new Map<string, boolean>();
  const edges: [string, number, boolean][] = [];
  const legacy: boolean[] = [];
  const line = (name: string) => ({
    set: (level: boolean) => {
      if ((levels.get(name) ?? false) !== level) edges.push([name, clock.now(), level]);
      levels.set(name, level);
    },
  });
  const device = new Hpet({
    clock,
    pin: (n) => line(`pin ${n}`),
    legacy: [line('line 0'), line('line 8')],
    legacyChanged: (on) => legacy.push(on),
  });
  const space = new PhysicalAddressSpace({ ram: new Uint8Array(4) });
  space.add({ kind: 'mmio', name: 'hpet', start: HPET_BASE, sizeBytes: HPET_SIZE, device });
  const write = (offset: number, value: number) => space.write(HPET_BASE + offset, 4, value, 0);
  const read = (offset: number) => space.read(HPET_BASE + offset, 4, 0);
  const rises = (name: string) => edges.filter(([n, , level]) => n === name && level).map(([, ns]) => ns);
  return { clock, device, space, write, read, edges, rises, legacy };
}

describe.skipIf(missing !== undefined)(`registers equal QEMU's ${missing ?? ''}`, () => {
  it('at random, with the counter stopped', () => {
    const registers = [0x000, 0x004, 0x010, 0x014, 0x020, 0x0f0, 0x0f4, 0x180, 0x3fc];
    for (let n = 0; n < 3; n++) for (let r = 0; r < 0x18; r += 4) registers.push(0x100 + 0x20 * n + r);
    // Not 32-bit mode, in which QEMU keeps an upper half of the comparator.
    const isConfig = (r: number) => r >= 0x100 && (r & 0x1f) === 0;
    const value = fc.oneof(
      fc.nat({ max: 0xffff_ffff }),
      fc.constantFrom(0, 0x48, 0x148, 0x8, 0x6, 0x4, 0xffff_ffff),
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...registers), value), { minLength: 20, maxLength: 250 }),
        (writes) => {
          const read = (r: number): Access => ({ kind: 'read', gpa: HPET_BASE + r, size: 4 });
          const accesses = [
            ...registers.map(read),
            ...writes.flatMap(([r, v]): Access[] => [
              {
                kind: 'write',
                gpa: HPET_BASE + r,
                size: 4,
                value: r === 0x010 ? v & ~1 : isConfig(r) ? v & ~0x100 : v,
              },
              read(r),
              read(r & ~0xc),
              read((r & ~0x1c) | 8),
            ]),
          ];
          const { space } = build();
          const ours: number[] = [];
          for (const a of accesses) {
            if (a.kind === 'read') ours.push(space.read(a.gpa, 4, 0));
            else if (a.kind === 'write') space.write(a.gpa, 4, a.value, 0);
          }
          const hex = (values: number[]) => values.map((v) => v.toString(16)).join(' ');
          expect(hex(ours)).toBe(hex(runOnQemu(accesses)));
        },
      ),
      { numRuns: 6, endOnFailure: true },
    );
  });
});

describe('main counter', () => {
  it('runs_at_100_MHz_while_enabled', () => {
    const { clock, write, read, device } = build();
    clock.advanceTo(1e6);
    expect(read(0xf0)).toBe(0);
    write(0xf4, 2);
    write(0x10, 1);
    clock.advanceTo(2e6);
    expect([read(0xf0), read(0xf4)]).toEqual([100_000, 2]);
    write(0x10, 0);
    clock.advanceTo(9e6);
    expect(device.counter()).toBe((2n << 32n) + 100_000n);
    write(0xf0, 5);
    expect(device.counter()).toBe((2n << 32n) + 5n);
  });
});

describe('comparators', () => {
  it('once_by_edge_and_again_when_32_bits_wrap', () => {
    const { clock, write, rises } = build();
    write(0x100, (20 << 9) | 0x104);
    write(0x108, 1000);
    write(0x10, 1);
    clock.advanceTo(50e9);
    expect(rises('pin 20')).toEqual([10_000, 10_000 + 2 ** 32 * 10]);
  });

  it('periodically, first at the value set', () => {
    const { clock, write, rises, read } = build();
    write(0x10, 1);
    write(0x120, (8 << 9) | 0x14c); // 32 bit, periodic, set value
    write(0x128, 500);
    write(0x128, 200);
    clock.advanceTo(10_000);
    expect(rises('pin 8')).toEqual([5000, 7000, 9000]);
    expect(read(0x128)).toBe(1100);
  });

  it('have_no_upper_half_in_32_bit_mode', () => {
    const { write, read } = build();
    write(0x100, 0x100);
    write(0x10c, 5);
    expect([read(0x108), read(0x10c)]).toEqual([0xffff_ffff, 0]);
  });

  it('by_level_until_acknowledged', () => {
    const { clock, write, read, edges } = build();
    write(0x140, (16 << 9) | 0x006);
    write(0x148, 100);
    write(0x14c, 0);
    write(0x10, 1);
    clock.advanceTo(5000);
    expect(read(0x20)).toBe(4);
    write(0x20, 4);
    expect([read(0x20), edges]).toEqual([
      0,
      [
        ['pin 16', 1000, true],
        ['pin 16', 5000, false],
      ],
    ]);
  });

  it('on_lines_0_and_8_under_legacy_replacement', () => {
    const { clock, write, rises, legacy } = build();
    for (const n of [0, 1, 2]) {
      write(0x100 + 0x20 * n, (17 << 9) | 0x104);
      write(0x108 + 0x20 * n, 100 * (n + 1));
    }
    write(0x10, 3);
    clock.advanceTo(5000);
    expect([rises('line 0'), rises('line 8'), rises('pin 17'), legacy.at(-1)]).toEqual([
      [1000],
      [2000],
      [3000],
      true,
    ]);
  });

  it('come_back_from_a_snapshot', () => {
    const a = build();
    a.write(0x100, (20 << 9) | 0x104);
    a.write(0x108, 1000);
    a.write(0x10, 1);
    const b = build();
    b.device.restore(a.device.save());
    b.clock.advanceTo(20_000);
    expect(b.rises('pin 20')).toEqual([10_000]);
    b.device.reset();
    b.clock.advanceTo(30_000);
    expect([b.read(0xf0), b.read(0x108)]).toEqual([0, 0xffff_ffff]);
  });
});
