/** The virtual clock: alarms fire in a fixed order, so equal inputs give equal runs. */
import { SmmError } from '@smm/x86-defs';
import type { Alarm, Clock } from './clock.ts';
import type { Snapshottable } from './device.ts';

/** An armed alarm in a snapshot. */
export interface ArmedAlarm {
  /** The name it was created with. */
  name: string;
  /** When it expires, virtual nanoseconds. */
  atNs: number;
}

/** Architectural state of a {@link VirtualClock}. */
export interface VirtualClockState {
  /** Layout version of this object. */
  version: 1;
  /** Virtual nanoseconds since power-on. */
  nowNs: number;
  /** Armed alarms, in creation order. */
  alarms: ArmedAlarm[];
}

/** More alarms than this at one instant means that a callback re-arms itself for the present. */
const MAX_ALARMS_AT_ONE_INSTANT = 1_000_000;

interface AlarmRecord {
  readonly name: string;
  readonly onExpire: () => void;
  /** Infinity when not armed. */
  atNs: number;
}

/**
 * Virtual time that moves only when told to. Alarms that expire at the same time fire in creation order, which is
 * wiring order and hence equal in every run. An alarm set in the past fires at the next {@link VirtualClock.advanceTo}.
 */
export class VirtualClock implements Clock, Snapshottable<VirtualClockState> {
  // wiring
  readonly #alarms: AlarmRecord[] = [];
  readonly #byName = new Map<string, AlarmRecord>();
  // book-keeping
  #next = Number.POSITIVE_INFINITY;
  #nextIsExact = true;
  // architectural state
  #nowNs = 0;

  /** Virtual nanoseconds since power-on. */
  now(): number {
    return this.#nowNs;
  }

  /**
   * Earliest armed alarm in virtual nanoseconds, Infinity when none is armed. May lie in the past of
   * {@link VirtualClock.now}.
   */
  nextExpiry(): number {
    if (!this.#nextIsExact) {
      let next = Number.POSITIVE_INFINITY;
      for (const alarm of this.#alarms) if (alarm.atNs < next) next = alarm.atNs;
      this.#next = next;
      this.#nextIsExact = true;
    }
    return this.#next;
  }

  /**
   * Moves time forward and fires every alarm that expires up to and including `ns`; during a callback
   * {@link VirtualClock.now} is the alarm's own time (or the time that was already reached, when the alarm lies in the
   * past). Alarms armed by a callback for a time up to `ns` fire in the same call. What a callback throws ends the call
   * at the alarm's time; the alarm is armed as before, unless the callback has set it. Throws `SmmError`
   * `CLOCK_BACKWARDS` when `ns` lies in the past, `CLOCK_STUCK` when an alarm re-arms itself without end.
   */
  advanceTo(ns: number): void {
    if (this.#nextIsExact && ns >= this.#nowNs && ns < this.#next) {
      this.#nowNs = ns; // before every device access
      return;
    }
    if (!(ns >= this.#nowNs)) {
      throw new SmmError(
        'CLOCK_BACKWARDS',
        `virtual time cannot go from ${this.#nowNs} ns to ${ns} ns`,
        'Advance to a time that is not before now(); restore a snapshot to go back.',
        { nowNs: this.#nowNs, requestedNs: ns },
      );
    }
    let firedHere = 0;
    for (let at = this.nextExpiry(); at <= ns; at = this.nextExpiry()) {
      if (at > this.#nowNs) {
        this.#nowNs = at;
        firedHere = 0;
      }
      const alarm = this.#alarms.find((candidate) => candidate.atNs === at)!;
      if (++firedHere > MAX_ALARMS_AT_ONE_INSTANT) {
        throw new SmmError(
          'CLOCK_STUCK',
          `alarm ${alarm.name} keeps expiring at ${this.#nowNs} ns`,
          'Re-arm the alarm for a later time than now().',
          { alarm: alarm.name, nowNs: this.#nowNs },
        );
      }
      this.#setAlarm(alarm, Number.POSITIVE_INFINITY);
      try {
        alarm.onExpire();
      } catch (error) {
        if (alarm.atNs === Number.POSITIVE_INFINITY) this.#setAlarm(alarm, at);
        throw error;
      }
    }
    this.#nowNs = ns;
  }

  /**
   * Creates an unarmed alarm. Throws `SmmError` `CLOCK_ALARM_NAME` when the name is taken: snapshots find alarms by
   * name.
   */
  createAlarm(name: string, onExpire: () => void): Alarm {
    if (this.#byName.has(name)) {
      throw new SmmError(
        'CLOCK_ALARM_NAME',
        `an alarm named ${name} exists already`,
        'Give each device instance its own alarm name, such as lapic-timer-3.',
        { name },
      );
    }
    const alarm: AlarmRecord = { name, onExpire, atNs: Number.POSITIVE_INFINITY };
    this.#alarms.push(alarm);
    this.#byName.set(name, alarm);
    return {
      set: (atNs) => {
        if (Number.isNaN(atNs)) {
          throw new SmmError(
            'CLOCK_ALARM_TIME',
            `alarm ${name} was set for a time that is not a number`,
            'Compute an absolute time in nanoseconds.',
            { name },
          );
        }
        this.#setAlarm(alarm, atNs);
      },
      cancel: () => this.#setAlarm(alarm, Number.POSITIVE_INFINITY),
    };
  }

  /** Copies time and armed alarms out. */
  save(): VirtualClockState {
    const armed = this.#alarms.filter((alarm) => alarm.atNs !== Number.POSITIVE_INFINITY);
    return { version: 1, nowNs: this.#nowNs, alarms: armed.map(({ name, atNs }) => ({ name, atNs })) };
  }

  /**
   * Puts time and alarms back. Throws `SmmError` `SNAPSHOT_VERSION`, or `SNAPSHOT_ALARM` for an alarm nobody has
   * created.
   */
  restore(state: VirtualClockState): void {
    if (state.version !== 1) {
      throw new SmmError(
        'SNAPSHOT_VERSION',
        `virtual clock snapshot has version ${String(state.version)}, this code reads 1`,
        'Restore with the release that saved it.',
        { version: state.version },
      );
    }
    for (const { name } of state.alarms) {
      if (!this.#byName.has(name)) {
        throw new SmmError(
          'SNAPSHOT_ALARM',
          `the snapshot has an alarm ${name} that this machine does not have`,
          'Build the machine with the same devices before restoring.',
          { name },
        );
      }
    }
    for (const alarm of this.#alarms) alarm.atNs = Number.POSITIVE_INFINITY;
    for (const { name, atNs } of state.alarms) this.#byName.get(name)!.atNs = atNs;
    this.#nowNs = state.nowNs;
    this.#nextIsExact = false;
  }

  #setAlarm(alarm: AlarmRecord, atNs: number): void {
    if (alarm.atNs === this.#next && atNs > alarm.atNs) this.#nextIsExact = false;
    else if (atNs < this.#next) this.#next = atNs;
    alarm.atNs = atNs;
  }
}
