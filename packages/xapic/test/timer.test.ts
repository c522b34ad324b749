/** The timer under a clock that only the test moves. */
import { describe, expect, it } from 'vitest';
import { enable, makeRig, vectorsIn } from './rig.ts';

const VECTOR = 0x40;

function timerRig(lvt = VECTOR, divide = 0xb, options = {}) {
  const rig = makeRig(1, options);
  const { apic } = rig.cpus[0]!;
  enable(apic);
  apic.writeRegister('DIVIDE', divide);
  apic.writeRegister('LVT_TIMER', lvt);
  let now = 0;
  const fired = () => vectorsIn(apic, 'IRR').includes(VECTOR);
  const at = (ns: number) => {
    now = ns;
    rig.clock.advanceTo(now);
    return { fired: fired(), count: apic.readRegister('CURRENT_COUNT') };
  };
  const take = () => {
    if (apic.intr) {
      apic.acknowledge();
      apic.writeRegister('EOI', 0);
    }
  };
  return { ...rig, apic, at, take, fired };
}

describe('one-shot', () => {
  it.each([
    [0b0000, 2],
    [0b0001, 4],
    [0b0010, 8],
    [0b0011, 16],
    [0b1000, 32],
    [0b1001, 64],
    [0b1010, 128],
    [0b1011, 1],
  ])('divide configuration %s counts every %s bus clocks', (code, divisor) => {
    const { apic, at } = timerRig(VECTOR, code);
    apic.writeRegister('INITIAL_COUNT', 100);
    expect(at(0)).toEqual({ fired: false, count: 100 });
    expect(at(divisor)).toEqual({ fired: false, count: 99 });
    expect(at(50 * divisor)).toEqual({ fired: false, count: 50 });
    expect(at(100 * divisor - 1)).toEqual({ fired: false, count: 1 });
    expect(at(100 * divisor)).toEqual({ fired: true, count: 0 });
  });

  it('fires_once', () => {
    const { apic, at, take } = timerRig();
    apic.writeRegister('INITIAL_COUNT', 10);
    at(10);
    take();
    expect(at(1000)).toEqual({ fired: false, count: 0 });
  });

  it('initial_count_zero_stops', () => {
    const { apic, at } = timerRig();
    apic.writeRegister('INITIAL_COUNT', 10);
    at(5);
    apic.writeRegister('INITIAL_COUNT', 0);
    expect(at(100)).toEqual({ fired: false, count: 0 });
  });

  it('a_masked_timer_counts_silently', () => {
    const { apic, at } = timerRig(VECTOR | 0x1_0000);
    apic.writeRegister('INITIAL_COUNT', 10);
    expect(at(5).count).toBe(5);
    expect(at(20)).toEqual({ fired: false, count: 0 });
  });

  it('a_new_divisor_goes_on_from_the_same_count', () => {
    const { apic, at } = timerRig();
    apic.writeRegister('INITIAL_COUNT', 100);
    at(60);
    apic.writeRegister('DIVIDE', 0b0001); // by 4
    expect(at(60).count).toBe(40);
    expect(at(60 + 40 * 4 - 1).fired).toBe(false);
    expect(at(60 + 40 * 4).fired).toBe(true);
  });

  it('a_bus_of_another_frequency_scales', () => {
    const { cpus, clock } = makeRig(1, {}, { busHz: 100e6 });
    const { apic } = cpus[0]!;
    enable(apic);
    apic.writeRegister('LVT_TIMER', VECTOR);
    apic.writeRegister('INITIAL_COUNT', 1000); // divisor 2: 20 ns each
    clock.advanceTo(19_999);
    expect([apic.intr, apic.readRegister('CURRENT_COUNT')]).toEqual([false, 1]);
    clock.advanceTo(20_000);
    expect(apic.intr).toBe(true);
  });
});

describe('periodic', () => {
  it('fires_every_period_and_never_drifts', () => {
    const { apic, at, take } = timerRig(VECTOR | 0x2_0000);
    apic.writeRegister('INITIAL_COUNT', 10);
    for (let period = 1; period <= 50; period++) {
      expect(at(period * 10 - 1)).toEqual({ fired: false, count: 1 });
      expect(at(period * 10).fired).toBe(true);
      take();
    }
  });

  it('switching_to_one_shot_lets_the_running_period_be_the_last', () => {
    const { apic, at, take } = timerRig(VECTOR | 0x2_0000);
    apic.writeRegister('INITIAL_COUNT', 10);
    at(15);
    take();
    apic.writeRegister('LVT_TIMER', VECTOR);
    expect(at(20).fired).toBe(true);
    take();
    expect(at(100).fired).toBe(false);
  });

  it('kvm_holds_periods_at_200_microseconds', () => {
    const { apic, at } = timerRig(VECTOR | 0x2_0000, 0xb, { flavour: 'kvm-2015' });
    apic.writeRegister('INITIAL_COUNT', 1000);
    expect(at(199_999).fired).toBe(false);
    expect(at(200_000).fired).toBe(true);
  });
});

describe('TSC-deadline', () => {
  const LVT = VECTOR | 0x4_0000;
  it('fires_when_the_tsc_gets_there_and_reads_zero_then', () => {
    const { apic, at } = timerRig(LVT);
    expect(apic.writeMsr(0x6e0, 500n)).toBe(true);
    expect(apic.readMsr(0x6e0)).toBe(500n);
    expect(at(499)).toEqual({ fired: false, count: 0 });
    expect(at(500).fired).toBe(true);
    expect(apic.readMsr(0x6e0)).toBe(0n);
  });

  it('a_deadline_in_the_past_fires_at_once', () => {
    const { apic, at } = timerRig(LVT);
    at(1000);
    apic.writeMsr(0x6e0, 1n);
    expect(at(1000).fired).toBe(true);
  });

  it('zero_disarms', () => {
    const { apic, at } = timerRig(LVT);
    apic.writeMsr(0x6e0, 500n);
    apic.writeMsr(0x6e0, 0n);
    expect(at(1000).fired).toBe(false);
  });

  it('the_msr_is_dead_in_the_other_modes_and_initial_count_is_dead_in_this_one', () => {
    const { apic, at } = timerRig(VECTOR);
    apic.writeMsr(0x6e0, 500n);
    expect(apic.readMsr(0x6e0)).toBe(0n);
    apic.writeRegister('LVT_TIMER', LVT);
    apic.writeRegister('INITIAL_COUNT', 10);
    expect(at(1000)).toEqual({ fired: false, count: 0 });
  });

  it('leaving_the_mode_disarms', () => {
    const { apic, at } = timerRig(LVT);
    apic.writeMsr(0x6e0, 500n);
    apic.writeRegister('LVT_TIMER', VECTOR);
    apic.writeRegister('LVT_TIMER', LVT);
    expect(apic.readMsr(0x6e0)).toBe(0n);
    expect(at(1000).fired).toBe(false);
  });

  it('asks_the_given_port_when_a_tsc_value_is_reached', () => {
    const { cpus, clock } = makeRig(1, {}, { nsOfTsc: (tsc) => Number(tsc) / 2 });
    const { apic } = cpus[0]!;
    enable(apic);
    apic.writeRegister('LVT_TIMER', LVT);
    apic.writeMsr(0x6e0, 2000n);
    clock.advanceTo(999);
    expect(apic.intr).toBe(false);
    clock.advanceTo(1000);
    expect(apic.intr).toBe(true);
  });

  it('a_processor_without_the_mode_has_neither_the_msr_nor_the_lvt_bit', () => {
    const { cpus } = makeRig(1, {}, { tscDeadline: false });
    const { apic } = cpus[0]!;
    enable(apic);
    expect([apic.readMsr(0x6e0), apic.writeMsr(0x6e0, 1n)]).toEqual([undefined, false]);
    apic.writeRegister('LVT_TIMER', 0xffff_ffff);
    expect(apic.readRegister('LVT_TIMER')).toBe(0x3_00ff);
  });
});

it('init_stops_the_timer', () => {
  const { apic, at } = timerRig(VECTOR | 0x2_0000);
  apic.writeRegister('INITIAL_COUNT', 10);
  apic.reset('init');
  enable(apic);
  apic.writeRegister('LVT_TIMER', VECTOR);
  expect(at(1000)).toEqual({ fired: false, count: 0 });
});
