/**
 * The three interrupts of an MC146818: periodic, alarm, update-ended. Flags are worked out when somebody looks, from
 * the time that has passed; only enabled interrupts arm an alarm of the virtual clock. Seconds begin at whole virtual
 * seconds. Source: Motorola MC146818 data sheet, "Interrupts", "Register C".
 */
import type { Alarm, Clock, InterruptLine } from '@smm/bus';

/** Interrupt line of the RTC. */
export const RTC_IRQ = 8;
/** Periodic: flag in register C, enable in register B. */
const RTC_PERIODIC = 0x40;
/** Alarm interrupt: AIE in register B, AF in register C. */
const RTC_ALARM = 0x20;
/** Update-ended. */
export const RTC_UPDATE = 0x10;

const REQUEST = 0x80;
const NS_PER_SECOND = 1_000_000_000;
const CRYSTAL = 32_768;
const SECONDS_PER_DAY = 86_400;

/** What the interrupts depend on, as it is now. */
export interface RtcSource {
  /** Register B, bits 6:4. */
  readonly enabled: () => number;
  /** Clocks of the 32768 Hz crystal in a period, 0 for none. */
  readonly periodClocks: () => number;
  /** The time of day advances. */
  readonly running: () => boolean;
  /** The alarm goes off at this whole virtual second. */
  readonly alarmAt: (second: number) => boolean;
  /** The machine is in S3. */
  readonly suspended: () => boolean;
  /**
   * Told when the interrupt is asserted, and in S3 at every alarm that is enabled, as on QEMU: software may not have
   * read register C since the last one. Not told when a snapshot that has it asserted is put back.
   */
  readonly asserted: () => void;
}

/**
 * Flags and the interrupt line. Call {@link RtcInterrupts.collect} before, and {@link RtcInterrupts.update} after
 * anything in the source changes.
 */
export class RtcInterrupts {
  // wiring
  readonly #clock: Clock;
  readonly #irq: InterruptLine;
  readonly #source: RtcSource;
  readonly #alarm: Alarm;
  // book-keeping
  #level = false;
  // architectural state
  #flags = 0;
  #collectedNs: number;

  constructor(clock: Clock, irq: InterruptLine, source: RtcSource) {
    this.#clock = clock;
    this.#irq = irq;
    this.#source = source;
    this.#collectedNs = clock.now();
    this.#alarm = clock.createAlarm('rtc', () => {
      this.collect();
      this.update();
    });
  }

  /** Register C as a read gives it; the flags stay. */
  peek(): number {
    this.collect();
    return this.#flags | ((this.#flags & this.#source.enabled()) !== 0 ? REQUEST : 0);
  }

  /** A read of register C: clears the flags and the line. */
  take(): number {
    const value = this.peek();
    this.#flags = 0;
    this.update();
    return value;
  }

  /** Takes up what happened since the last time. */
  collect(): void {
    const from = this.#collectedNs;
    const to = this.#clock.now();
    this.#collectedNs = to;
    const period = this.#source.periodClocks();
    if (period > 0 && Math.floor(clocksAt(to) / period) > Math.floor(clocksAt(from) / period)) {
      this.#flags |= RTC_PERIODIC;
    }
    const second = Math.floor(to / NS_PER_SECOND);
    const first = Math.max(Math.floor(from / NS_PER_SECOND), second - SECONDS_PER_DAY) + 1;
    if (second < first || !this.#source.running()) return;
    this.#flags |= RTC_UPDATE;
    for (let s = first; s <= second; s++) {
      if (!this.#source.alarmAt(s)) continue;
      const again = this.#source.suspended() && (this.#flags & this.#source.enabled() & RTC_ALARM) !== 0;
      this.#flags |= RTC_ALARM;
      if (again) this.#source.asserted();
      return;
    }
  }

  /** Drives the line, and sleeps until the next enabled event. */
  update(): void {
    const before = this.#level;
    this.#drive();
    if (this.#level && !before) this.#source.asserted();
  }

  /** {@link RtcSource.asserted} will be told some time. */
  get armed(): boolean {
    return this.#nextAsserted() !== Number.POSITIVE_INFINITY;
  }

  /** Power-on: no flags. */
  reset(): void {
    this.#collectedNs = this.#clock.now();
    this.#flags = 0;
    this.update();
  }

  /** Flags and the time up to which they are worked out, for snapshots. */
  save(): { flags: number; collectedNs: number } {
    return { flags: this.#flags, collectedNs: this.#collectedNs };
  }

  /** Puts them back; the source must be restored before. */
  restore(state: { readonly flags: number; readonly collectedNs: number }): void {
    this.#flags = state.flags;
    this.#collectedNs = state.collectedNs;
    this.#drive();
  }

  #drive(): void {
    const enabled = this.#source.enabled();
    this.#level = (this.#flags & enabled) !== 0;
    this.#irq.set(this.#level);
    const next = this.#nextAsserted();
    if (next === Number.POSITIVE_INFINITY) this.#alarm.cancel();
    else this.#alarm.set(next);
  }

  #nextAsserted(): number {
    const enabled = this.#source.enabled();
    if (!this.#level) return this.#nextEvent(enabled);
    return this.#source.suspended() ? this.#nextEvent(enabled & RTC_ALARM) : Number.POSITIVE_INFINITY;
  }

  #nextEvent(wanted: number): number {
    const now = this.#collectedNs;
    let next = Number.POSITIVE_INFINITY;
    const period = this.#source.periodClocks();
    if ((wanted & RTC_PERIODIC) !== 0 && period > 0) {
      next = nsAt((Math.floor(clocksAt(now) / period) + 1) * period);
    }
    if (!this.#source.running()) return next;
    const second = Math.floor(now / NS_PER_SECOND);
    if ((wanted & RTC_UPDATE) !== 0) next = Math.min(next, (second + 1) * NS_PER_SECOND);
    if ((wanted & RTC_ALARM) !== 0) {
      for (let s = second + 1; s <= second + SECONDS_PER_DAY; s++) {
        if (this.#source.alarmAt(s)) return Math.min(next, s * NS_PER_SECOND);
      }
    }
    return next;
  }
}

/** Crystal clocks since virtual time 0. */
function clocksAt(ns: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  return seconds * CRYSTAL + Math.floor(((ns - seconds * NS_PER_SECOND) * CRYSTAL) / NS_PER_SECOND);
}

/** The first nanosecond at which so many clocks have passed. */
function nsAt(clocks: number): number {
  const seconds = Math.floor(clocks / CRYSTAL);
  return seconds * NS_PER_SECOND + Math.ceil(((clocks - seconds * CRYSTAL) * NS_PER_SECOND) / CRYSTAL);
}
