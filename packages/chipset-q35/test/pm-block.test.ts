import { VirtualClock } from '@smm/bus';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PmBlock, type WakeCause } from '../src/index.ts';
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
  const smis: number[] = [];
  const wakes: WakeCause[] = [];
  const pm = new PmBlock({
    clock,
    frozenSmiEnables,
    sleep: (type) => sleeps.push(type),
    wake: (cause) => wakes.push(cause),
    smi: () => smis.push(clock.now()),
    sci: line,
  });
  const level = (): boolean => sci.at(-1)?.[1] ?? false;
  return { clock, pm, sleeps, sci, level, smis, wakes };
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
    pm.reset('system');
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

  it.each([
    { what: 'power button', status: 0x600, bit: 0x100, raise: (pm: PmBlock) => pm.pressPowerButton() },
    { what: 'RTC', status: 0x600, bit: 0x400, raise: (pm: PmBlock) => pm.rtcInterrupted() },
    { what: 'global lock', status: 0x600, bit: 0x20, raise: (pm: PmBlock) => pm.out(0x630, 4, 2, 0) },
    { what: 'event 5', status: 0x620, bit: 0x20, raise: (pm: PmBlock) => pm.raiseEvent(5) },
    { what: 'event 63', status: 0x624, bit: 0x8000_0000, raise: (pm: PmBlock) => pm.raiseEvent(63) },
  ])('rises with the $what that is enabled, and falls with its status', ({ status, bit, raise }) => {
    const { pm, level, wakes } = block();
    const enable = status === 0x600 ? 0x602 : status + 8;
    const size = status === 0x600 ? 2 : 4;
    pm.out(0x604, 2, 1, 0);
    raise(pm);
    expect([pm.in(status, size, 0), level()]).toEqual([bit, false]);
    pm.out(enable, size, bit, 0);
    expect(level()).toBe(true);
    pm.out(status, size, ~bit >>> 0, 0);
    expect(level()).toBe(true);
    pm.out(status, size, bit, 0);
    expect([pm.in(status, size, 0), level()]).toEqual([0, false]);
    raise(pm);
    expect(level()).toBe(true);
    pm.setSciEnable(false);
    expect([level(), wakes]).toEqual([false, []]);
  });

  it('has no event for bits of PM1 that are none', () => {
    const { pm, level } = block();
    pm.out(0x604, 2, 1, 0);
    pm.out(0x602, 2, 0xffff, 0);
    pm.resume(); // WAK_STS
    expect([pm.in(0x600, 2, 0), level()]).toEqual([0x8000, false]);
  });

  it('comes_back_from_a_snapshot', () => {
    const a = block();
    a.pm.out(0x602, 2, 1, 0);
    a.pm.out(0x604, 2, 1, 0);
    const b = block();
    b.pm.restore(a.pm.save());
    b.clock.advanceTo(3e9);
    expect(b.sci).toEqual([[half, true]]);
    b.pm.reset('system');
    expect(b.sci.at(-1)).toEqual([3e9, false]);
  });
});

describe('the global lock', () => {
  it('raises an SMI when the OS releases it and BIOS_EN is set, and is acknowledged in SMI_STS', () => {
    const { pm, smis } = block();
    pm.out(0x604, 2, 4, 0);
    expect([pm.in(0x634, 4, 0), smis.length]).toEqual([4, 0]);
    pm.out(0x630, 4, 4, 0);
    pm.out(0x604, 2, 4, 0);
    expect(smis.length).toBe(1);
    pm.out(0x634, 4, 4, 0);
    expect(pm.in(0x634, 4, 0)).toBe(0);
  });
});

describe('sleep', () => {
  const causes = [
    { raise: (pm: PmBlock) => pm.rtcInterrupted(), enable: [0x602, 0x400], cause: 'RTC', status: 0x8400 },
    {
      raise: (pm: PmBlock) => pm.pressPowerButton(),
      enable: [0x602, 0],
      cause: 'power button',
      status: 0x8100,
    },
    {
      raise: (pm: PmBlock) => pm.raiseEvent(1),
      enable: [0x628, 2],
      cause: 'general-purpose event',
      status: 0x8000,
    },
  ] as const;

  it.each(causes)('ends by the $cause', ({ raise, enable: [port, value], cause, status }) => {
    const { pm, wakes } = block();
    raise(pm);
    expect(wakes).toEqual([]); // awake
    pm.reset('power-on');
    pm.out(port, 2, value, 0);
    pm.reset('system'); // enables are in the resume well
    pm.suspend();
    const saved = structuredClone(pm.save());
    raise(pm);
    expect([wakes, pm.wakeCause()]).toEqual([[cause], cause]);
    pm.reset('system');
    pm.resume();
    expect([pm.suspended, pm.in(0x600, 2, 0)]).toEqual([false, status]);
    const other = block();
    other.pm.restore(saved);
    raise(other.pm);
    expect([other.pm.suspended, other.wakes]).toEqual([true, [cause]]);
  });

  it('does not end by what is not enabled', () => {
    const { pm, wakes } = block();
    pm.out(0x602, 2, 0x100, 0);
    pm.out(0x628, 4, 4, 0);
    pm.suspend();
    pm.rtcInterrupted();
    pm.raiseEvent(1);
    expect(wakes).toEqual([]);
  });

  it('leaves the resume well alone, and a reset too; power-on does not', () => {
    const { pm } = block();
    pm.pressPowerButton();
    pm.raiseEvent(40);
    pm.out(0x602, 2, 0x0421, 0);
    pm.out(0x604, 2, 0x0403, 0);
    pm.out(0x628, 4, 0x11, 0);
    pm.out(0x630, 4, 0x21, 0);
    const all = () => [0x600, 0x602, 0x604].map((port) => pm.in(port, 2, 0));
    const wide = () => [0x620, 0x624, 0x628, 0x630].map((port) => pm.in(port, 4, 0));
    pm.reset('system');
    expect([all(), wide()]).toEqual([
      [0x100, 0x400, 0x400],
      [0, 0x100, 0x11, 0],
    ]);
    pm.reset('power-on');
    expect([all(), wide()]).toEqual([
      [0, 0, 0],
      [0, 0, 0, 0],
    ]);
  });
});
