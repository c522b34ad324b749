import { VirtualClock } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PmBlock } from '../src/index.ts';
import { configWrite } from './support/model.ts';
import { type Access, oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

const missing = oracleMissing();

function block(smiLocked = () => false) {
  const frozenSmiEnables = () => (smiLocked() ? 1 : 0);
  const clock = new VirtualClock();
  const sleeps: number[] = [];
  const sci: [number, boolean][] = [];
  const line = {
    set: (level: boolean) => {
      if ((sci.at(-1)?.[1] ?? false) !== level) sci.push([clock.now(), level]);
    },
  };
  const pm = new PmBlock({ clock, frozenSmiEnables, sleep: (type) => sleeps.push(type), sci: line });
  return { clock, pm, sleeps, sci };
}

describe('PM timer', () => {
  it('counts_3579545_Hz_in_24_bits_exactly_for_104_days', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9e15 }), (ns) => {
        const { clock, pm } = block();
        clock.advanceTo(ns);
        expect(BigInt(pm.in(0x608, 4, 0))).toBe(((BigInt(ns) * 3_579_545n) / 1_000_000_000n) % 0x100_0000n);
      }),
    );
  });

  it('TMROF_is_set_by_each_change_of_bit_23_and_cleared_by_writing_1', () => {
    const { clock, pm } = block();
    const half = (0x80_0000 / 3_579_545) * 1e9;
    clock.advanceTo(Math.floor(half - 1000));
    expect(pm.in(0x600, 2, 0)).toBe(0);
    clock.advanceTo(Math.ceil(half + 1000));
    expect(pm.in(0x600, 2, 0)).toBe(1);
    pm.out(0x600, 2, 0, 0);
    expect(pm.in(0x600, 2, 0)).toBe(1);
    pm.out(0x600, 2, 1, 0);
    expect(pm.in(0x600, 2, 0)).toBe(0);
    clock.advanceTo(Math.ceil(2 * half + 1000));
    const saved = structuredClone(pm.save());
    expect(pm.in(0x600, 2, 0)).toBe(1);
    pm.reset();
    expect(pm.in(0x600, 2, 0)).toBe(0);
    pm.restore(saved);
    expect(pm.in(0x600, 2, 0)).toBe(1);
  });

  it.skipIf(missing !== undefined)(`QEMU's timer has 24 bits and this frequency too ${missing ?? ''}`, () => {
    const accesses: Access[] = [...configWrite(0xf8, 0x40, 4, 0x601), ...configWrite(0xf8, 0x44, 1, 0x80)];
    for (let i = 0; i < 20; i++) {
      accesses.push({ kind: 'in', port: 0x608, size: 4 }, { kind: 'wait', loops: 100_000 });
    }
    // Virtual time moves 1 ns per instruction: two instructions a loop make 200 us, 716 ticks.
    const values = runOnQemu(accesses, ['-m', '64', '-icount', 'shift=0,sleep=off']);
    for (const [i, value] of values.entries()) {
      expect(value).toBeLessThan(0x100_0000);
      if (i === 0) continue;
      expect(value - values[i - 1]!).toBeGreaterThanOrEqual(714);
      expect(value - values[i - 1]!).toBeLessThanOrEqual(720);
    }
  });
});

describe('PM1 control', () => {
  it('SLP_EN_reports_the_sleep_type_and_does_not_stick', () => {
    const { pm, sleeps } = block();
    pm.out(0x604, 2, 0x2401, 0);
    expect(sleeps).toEqual([1]);
    expect(pm.in(0x604, 2, 0)).toBe(0x0401);
  });

  it('offsets_without_a_register_read_all_ones', () => {
    const { pm } = block();
    expect([pm.in(0x60c, 4, 0), pm.in(0x660, 2, 0), pm.in(0x60a, 4, 0)]).toEqual([
      0xffff_ffff, 0xffff, 0xffff_0000,
    ]);
  });
});

describe('SCI', () => {
  const half = Math.ceil((0x80_0000 * 1e9) / 3_579_545);

  it('rises_with_the_timer_overflow_that_is_enabled_and_falls_with_its_status', () => {
    const { clock, pm, sci } = block();
    pm.out(0x602, 2, 1, 0);
    clock.advanceTo(half);
    expect(sci).toEqual([]); // ACPI is off
    pm.out(0x604, 2, 1, 0);
    expect(sci.at(-1)).toEqual([half, true]);
    pm.out(0x600, 2, 1, 0);
    clock.advanceTo(2 * half - 2);
    expect(sci.at(-1)).toEqual([half, false]);
    clock.advanceTo(2 * half);
    expect(sci.at(-1)![1]).toBe(true);
    expect(Math.abs(sci.at(-1)![0] - 2 * half)).toBeLessThanOrEqual(1);
    pm.setSciEnable(false);
    expect(sci.at(-1)).toEqual([2 * half, false]);
  });

  it('comes_back_from_a_snapshot', () => {
    const a = block();
    a.pm.out(0x602, 2, 1, 0);
    a.pm.out(0x604, 2, 1, 0);
    const b = block();
    b.pm.restore(a.pm.save());
    b.clock.advanceTo(3e9);
    expect(b.sci).toEqual([[half, true]]);
    b.pm.reset();
    expect(b.sci.at(-1)).toEqual([3e9, false]);
  });
});
