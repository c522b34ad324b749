/** S3 as a state of the machine: who wakes it, what it keeps, and what it looks like from outside. */
import { TIER_NAMES } from '@smm/cpu-core';
import { expectedLog } from '@smm/edk2-relocation';
import type { TraceEvent } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { decodeSnapshot, encodeSnapshot, type Machine } from '../src/index.ts';
import { type FlatOptions, flat } from './flat-rom.ts';
import { parts, run } from './runs.ts';
import { LEFT, type SleepRom, sleepRom } from './sleep-rom.ts';

const ENOUGH = { instructions: 1_000_000 };

function word(machine: Machine, gpa: number): number {
  const [low, high] = machine.peek(gpa, 2);
  return low! + 256 * high!;
}

function sleeper(how: SleepRom = {}, options: FlatOptions = {}): Machine {
  return flat(sleepRom(how), { cpus: 2, ...options });
}

/** Runs into S3. */
function asleep(how: SleepRom = {}, options: FlatOptions = {}): Machine {
  const machine = sleeper(how, options);
  expect(machine.run({ ...ENOUGH, until: () => machine.suspended })).toBe('asked');
  return machine;
}

describe.each([{ kvm: false }, { kvm: true }])('a machine in S3 (kvm $kvm)', (options) => {
  it('is woken by the RTC at its alarm, and finds its memory', () => {
    const machine = sleeper({ alarmSecond: 5 }, options);
    expect(machine.run(ENOUGH)).toBe('idle');
    expect(machine.log).toEqual(['asleep', 'awake 8400 1234 ']);
    expect([word(machine, LEFT.mark), word(machine, LEFT.started)]).toEqual([LEFT.after, 2]);
    expect(machine.clock.now()).toBeGreaterThan(5e9);
    expect(machine.clock.now()).toBeLessThan(5.1e9);
  });

  it('says so when nothing will wake it, and time stands', () => {
    for (const how of [{}, { alarmSecond: 5, enable: 0 }, { alarmSecond: 5, enable: 0x100 }]) {
      const machine = sleeper(how, options);
      expect(machine.run(ENOUGH)).toBe('suspended');
      expect([machine.suspended, machine.clock.now() < 1e9, machine.log]).toEqual([true, true, ['asleep']]);
      expect(machine.run(ENOUGH)).toBe('suspended');
      expect(machine.runTurn()).toBe('suspended');
    }
  });

  it('is woken by the power button, enabled or not', () => {
    const machine = asleep({ enable: 0 }, options);
    machine.pressPowerButton();
    expect(machine.suspended).toBe(false);
    expect(machine.run(ENOUGH)).toBe('idle');
    expect(machine.log).toEqual(['asleep', 'awake 8100 1234 ']);
  });

  it('has processors that do nothing, whatever reaches them', () => {
    const machine = asleep({}, options);
    const { retired } = machine;
    machine.apics[1]!.setLint(0, true);
    machine.step(0);
    machine.step(1);
    expect([machine.runnable(), machine.retired, machine.run(ENOUGH)]).toEqual([[], retired, 'suspended']);
  });

  it('continues from a snapshot in S3 as if never left, here and in another machine, through bytes', () => {
    const whole = sleeper({ alarmSecond: 5 }, options);
    whole.run(ENOUGH);
    const machine = asleep({ alarmSecond: 5 }, options);
    const bytes = encodeSnapshot(machine.save());
    machine.run(ENOUGH);
    machine.restore(decodeSnapshot(bytes));
    expect(machine.suspended).toBe(true);
    expect(encodeSnapshot(machine.save())).toEqual(bytes);
    const other = sleeper({ alarmSecond: 5 }, options);
    other.restore(decodeSnapshot(bytes));
    for (const continued of [machine, other]) {
      expect(continued.run(ENOUGH)).toBe('idle');
      expect(encodeSnapshot(continued.save())).toEqual(encodeSnapshot(whole.save()));
    }
  });

  it('takes a snapshot of a machine that is awake, and is not woken by it', () => {
    const machine = sleeper({ alarmSecond: 5 }, options);
    machine.run(ENOUGH);
    const awake = encodeSnapshot(machine.save());
    const sleeping = asleep({ alarmSecond: 5 }, options);
    sleeping.restore(decodeSnapshot(awake));
    expect(encodeSnapshot(sleeping.save())).toEqual(awake);
  });

  it('is left by a system reset and by power-on', () => {
    const machine = asleep({}, options);
    machine.systemReset();
    expect([machine.suspended, machine.runnable()]).toEqual([false, [0]]);
    const again = asleep({}, options);
    again.reset();
    expect([again.suspended, again.runnable(), again.run(ENOUGH), again.log]).toEqual([
      ...[false, [0]],
      ...['suspended', ['asleep']],
    ]);
  });
});

it.each([
  { bitness: 32 as const },
  { bitness: 64 as const },
  { bitness: 32 as const, accelerator: 'kvm' as const, kvm: { ept: false } },
  { bitness: 64 as const, accelerator: 'kvm' as const },
])('resumes in our firmware, which sets SMBASE of every processor again: %j', (options) => {
  const { report, events } = run({ cpus: 3, s3: true, ...options });
  const { handlerSize } = parts.firmware({ bitness: options.bitness, shape: '2015', s3: true });
  const expected = expectedLog({ tolud: 0x8000_0000, cpus: 3, shape: '2015', handlerSize, s3: true });
  expect([report.outcome, `${report.log.join('\n')}\n`]).toEqual(['relocated', expected]);
  const names = events.map(({ name }) => name);
  const resumed = names.indexOf('smm_resume');
  const relocations = events.map((event) => event.name === 'smm_rsm' && event.oldSmbase !== event.newSmbase);
  expect([relocations.indexOf(true) < resumed, relocations.slice(resumed).filter(Boolean).length]).toEqual([
    true,
    3,
  ]);
});

it('wakes to the same state in every tier', () => {
  const ends = TIER_NAMES.map((tier) => {
    const machine = sleeper({ alarmSecond: 5 }, { tier });
    machine.run(ENOUGH);
    return encodeSnapshot(machine.save());
  });
  for (const end of ends) expect(end).toEqual(ends[0]);
});

it('does not sleep while a wake event is there already', () => {
  const machine = sleeper();
  machine.pressPowerButton();
  expect(machine.run(ENOUGH)).toBe('idle');
  expect(machine.log).toEqual(['asleep', 'awake 8100 1234 ']);
});

it('wakes by a general-purpose event of a part, where that is enabled', () => {
  for (const [events, log] of [
    [8, ['asleep', 'awake 8000 1234 ']],
    [4, ['asleep']],
  ] as const) {
    const machine = sleeper(
      { events },
      {
        parts: ({ clock, raiseEvent }) => {
          const alarm = clock.createAlarm('bell', () => raiseEvent(3));
          const none = { save: () => ({ version: 1 }), restore: () => {} };
          // It goes off once: a reset, and S3 is one, does not silence it.
          return [{ name: 'bell', reset: (kind) => kind === 'power-on' && alarm.set(3e9), ...none }];
        },
      },
    );
    machine.run(ENOUGH);
    expect(machine.log).toEqual(log);
  }
});

it('asks whoever runs it for every other sleep type', () => {
  const types: number[] = [];
  for (const type of [0, 2, 5]) {
    const machine = sleeper({ type }, { onSleep: (t) => types.push(t) });
    const before = types.length;
    machine.run({ ...ENOUGH, until: () => types.length > before });
  }
  expect(types).toEqual([0, 2, 5]);
  expect(() => sleeper({ type: 0 }).run(ENOUGH)).toThrow(/sleep type 0/);
});

it('cannot be woken where it does not sleep', () => {
  const machine = sleeper();
  expect(() => machine.wakeUp()).toThrow(/not in S3/);
});

it('tells of its sleep: to the trace, to whoever runs it', () => {
  const events: TraceEvent[] = [];
  const told: string[] = [];
  const machine = sleeper(
    { alarmSecond: 2 },
    {
      trace: (event) => events.push(event),
      onSuspend: () => told.push('suspend'),
      onResume: (cause) => told.push(cause),
    },
  );
  machine.run(ENOUGH);
  const slept = events.filter(({ name }) => name === 'smm_suspend' || name === 'smm_resume');
  expect(slept.map(({ name, ts }) => [name, Math.floor(ts / 1e8)])).toEqual([
    ['smm_suspend', 0],
    ['smm_resume', 20],
  ]);
  expect(told).toEqual(['suspend', 'RTC']);
});
