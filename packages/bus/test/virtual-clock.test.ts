import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../src/index.ts';

describe('VirtualClock', () => {
  it('fires_by_time_then_by_creation_whatever_the_order_of_arming', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 10 }),
        fc.infiniteStream(fc.nat()),
        (times, keys) => {
          const clock = new VirtualClock();
          const fired: [number, number][] = [];
          const alarms = times.map((_, i) => clock.createAlarm(`a${i}`, () => fired.push([clock.now(), i])));
          const order = times.map((t, i) => ({ t, i, key: keys.next().value as number }));
          for (const { t, i } of [...order].sort((a, b) => a.key - b.key)) alarms[i]!.set(t);
          clock.advanceTo(5);
          expect(fired).toEqual([...order].sort((a, b) => a.t - b.t || a.i - b.i).map(({ t, i }) => [t, i]));
          expect([clock.now(), clock.nextExpiry()]).toEqual([5, Number.POSITIVE_INFINITY]);
        },
      ),
    );
  });

  it('a_periodic_alarm_fires_in_one_advance_as_often_as_in_many', () => {
    const run = (steps: number[]) => {
      const clock = new VirtualClock();
      const fired: number[] = [];
      const alarm = clock.createAlarm('tick', () => {
        fired.push(clock.now());
        alarm.set(clock.now() + 10);
      });
      alarm.set(10);
      for (const ns of steps) clock.advanceTo(ns);
      return fired;
    };
    expect(run([35])).toEqual([10, 20, 30]);
    expect(run([5, 10, 10, 29, 30, 35])).toEqual([10, 20, 30]);
  });

  it('an_alarm_in_the_past_fires_now_and_cancelling_forgets', () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    const a = clock.createAlarm('a', () => fired.push(`a@${clock.now()}`));
    const b = clock.createAlarm('b', () => fired.push('b'));
    clock.advanceTo(100);
    a.set(50);
    b.set(40);
    b.cancel();
    expect(clock.nextExpiry()).toBe(50);
    clock.advanceTo(100);
    expect(fired).toEqual(['a@100']);
  });

  it('a_restored_clock_continues_as_the_saved_one', () => {
    const build = () => {
      const clock = new VirtualClock();
      const fired: string[] = [];
      const alarms = ['x', 'y', 'z'].map((n) =>
        clock.createAlarm(n, () => fired.push(`${n}@${clock.now()}`)),
      );
      return { clock, fired, alarms };
    };
    const first = build();
    first.alarms[2]!.set(20);
    first.alarms[0]!.set(20);
    first.clock.advanceTo(7);
    const saved = structuredClone(first.clock.save());
    expect(saved).toEqual({
      version: 1,
      nowNs: 7,
      alarms: [
        { name: 'x', atNs: 20 },
        { name: 'z', atNs: 20 },
      ],
    });
    const second = build();
    second.alarms[1]!.set(9);
    second.clock.restore(saved);
    second.clock.advanceTo(30);
    expect(second.fired).toEqual(['x@20', 'z@20']);
    expect(() => new VirtualClock().restore(saved)).toThrowError(
      expect.objectContaining({ code: 'SNAPSHOT_ALARM' }),
    );
    expect(() => second.clock.restore({ ...saved, version: 2 as 1 })).toThrowError(
      expect.objectContaining({ code: 'SNAPSHOT_VERSION' }),
    );
  });

  it('refuses_host_mistakes', () => {
    const clock = new VirtualClock();
    clock.advanceTo(10);
    expect(() => clock.advanceTo(9)).toThrowError(expect.objectContaining({ code: 'CLOCK_BACKWARDS' }));
    expect(() => clock.advanceTo(Number.NaN)).toThrowError(
      expect.objectContaining({ code: 'CLOCK_BACKWARDS' }),
    );
    const alarm = clock.createAlarm('t', () => alarm.set(clock.now()));
    expect(() => clock.createAlarm('t', () => {})).toThrowError(
      expect.objectContaining({ code: 'CLOCK_ALARM_NAME' }),
    );
    expect(() => alarm.set(Number.NaN)).toThrowError(expect.objectContaining({ code: 'CLOCK_ALARM_TIME' }));
    alarm.set(11);
    expect(() => clock.advanceTo(12)).toThrowError(expect.objectContaining({ code: 'CLOCK_STUCK' }));
  });
});
