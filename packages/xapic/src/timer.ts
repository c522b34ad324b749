/**
 * The local APIC timer: one-shot, periodic and TSC-deadline, without ticking: the count is worked out when read.
 * Source: Intel SDM Vol. 3, "APIC Timer", "TSC-Deadline Mode".
 * Not modelled: KVM 2015 leaves the running count alone when the divisor changes; here it goes on at the new rate.
 */
import type { Alarm, Clock } from '@smm/bus';

/** LVT Timer bits 18:17. `reserved` (11b) never counts. */
export type TimerMode = 'one-shot' | 'periodic' | 'tsc-deadline' | 'reserved';

/** Decodes LVT Timer bits 18:17. */
export function timerModeOf(lvt: number): TimerMode {
  return (['one-shot', 'periodic', 'tsc-deadline', 'reserved'] as const)[(lvt >>> 17) & 3]!;
}

/** Decodes the divide configuration register: bits 3, 1, 0; 000b is 2, 111b is 1. */
export function timerDivisor(divideConfiguration: number): number {
  const code = (divideConfiguration & 3) | ((divideConfiguration >> 1) & 4);
  return code === 7 ? 1 : 2 << code;
}

/** What a timer needs from outside. */
export interface ApicTimerPorts {
  /** Virtual time. */
  readonly clock: Clock;
  /** Name of the alarm. */
  readonly name: string;
  /** Frequency of the timer's clock before the divisor, in hertz. */
  readonly busHz: number;
  /** Shortest period in nanoseconds. */
  readonly minPeriodNs: number;
  /** Virtual nanoseconds at which this processor's TSC reaches a value. */
  readonly nsOfTsc: (tsc: bigint) => number;
  /** Called at each expiry. */
  readonly onExpire: () => void;
}

/** Saved timer. Times are virtual nanoseconds. */
export interface ApicTimerState {
  /** LVT mode. */
  readonly mode: TimerMode;
  /** Divisor, 1 to 128. */
  readonly divisor: number;
  /** Length of one countdown in nanoseconds. */
  readonly periodNs: number;
  /** End of the running countdown; -1 when stopped. */
  readonly endNs: number;
  /** Armed TSC deadline as `0x` hexadecimal; `0x0` when disarmed. */
  readonly deadline: string;
}

/** The countdown behind Initial Count, Current Count, Divide and IA32_TSC_DEADLINE. */
export class ApicTimer {
  readonly #ports: ApicTimerPorts;
  readonly #alarm: Alarm;
  #mode: TimerMode = 'one-shot';
  #divisor = 2;
  #periodNs = 0;
  #endNs = -1;
  #deadline = 0n;

  constructor(ports: ApicTimerPorts) {
    this.#ports = ports;
    this.#alarm = ports.clock.createAlarm(ports.name, () => this.#expire());
  }

  /** Current LVT mode. */
  get mode(): TimerMode {
    return this.#mode;
  }

  /** Stops and forgets everything, as after reset. */
  reset(): void {
    this.#stop();
    this.#mode = 'one-shot';
    this.#divisor = 2;
    this.#periodNs = 0;
  }

  /** Changes the mode. Going to or from TSC-deadline disarms; one-shot and periodic share the running count. */
  setMode(mode: TimerMode): void {
    if (mode === this.#mode) return;
    const counts = (m: TimerMode) => m === 'one-shot' || m === 'periodic';
    if (!counts(mode) || !counts(this.#mode)) this.#stop();
    this.#mode = mode;
  }

  /** Changes the divisor; a running count goes on from where it is at the new rate. */
  setDivisor(divisor: number): void {
    if (divisor === this.#divisor) return;
    const count = this.currentCount();
    const period = this.#periodNs / this.#tickNs;
    this.#divisor = divisor;
    this.#periodNs = period * this.#tickNs;
    if (this.#endNs >= 0 && this.#deadline === 0n) this.#run(this.#ports.clock.now() + count * this.#tickNs);
  }

  /** Starts a countdown; 0 stops. Ignored in TSC-deadline mode. */
  start(initialCount: number): void {
    if (this.#mode === 'tsc-deadline' || this.#mode === 'reserved') return;
    this.#stop();
    if (initialCount === 0) return;
    this.#periodNs = initialCount * this.#tickNs;
    if (this.#mode === 'periodic') this.#periodNs = Math.max(this.#periodNs, this.#ports.minPeriodNs);
    this.#run(this.#ports.clock.now() + this.#periodNs);
  }

  /** Ticks left, 0 when stopped, expired or in TSC-deadline mode. */
  currentCount(): number {
    if (this.#endNs < 0 || this.#mode === 'tsc-deadline') return 0;
    let left = this.#endNs - this.#ports.clock.now();
    if (left < 0) {
      if (this.#mode !== 'periodic') return 0;
      left += this.#periodNs * Math.ceil(-left / this.#periodNs);
    }
    return Math.ceil(left / this.#tickNs);
  }

  /** IA32_TSC_DEADLINE: the armed deadline, 0 after it expired and in the other modes. */
  get deadline(): bigint {
    return this.#deadline;
  }

  /** Writes IA32_TSC_DEADLINE: arms for a TSC value, 0 disarms. Ignored outside TSC-deadline mode. */
  setDeadline(tsc: bigint): void {
    if (this.#mode !== 'tsc-deadline') return;
    this.#stop();
    if (tsc === 0n) return;
    this.#deadline = tsc;
    this.#run(Math.max(this.#ports.nsOfTsc(tsc), this.#ports.clock.now()));
  }

  /** Copies the state out. */
  save(): ApicTimerState {
    return {
      mode: this.#mode,
      divisor: this.#divisor,
      periodNs: this.#periodNs,
      endNs: this.#endNs,
      deadline: `0x${this.#deadline.toString(16)}`,
    };
  }

  /** Puts a saved state back and arms the alarm again. */
  restore(state: ApicTimerState): void {
    this.#stop();
    this.#mode = state.mode;
    this.#divisor = state.divisor;
    this.#periodNs = state.periodNs;
    this.#deadline = BigInt(state.deadline);
    if (state.endNs >= 0) this.#run(state.endNs);
  }

  get #tickNs(): number {
    return (this.#divisor * 1e9) / this.#ports.busHz;
  }

  #run(endNs: number): void {
    this.#endNs = endNs;
    this.#alarm.set(Math.ceil(endNs));
  }

  #stop(): void {
    this.#endNs = -1;
    this.#deadline = 0n;
    this.#alarm.cancel();
  }

  #expire(): void {
    if (this.#endNs < 0) return;
    if (this.#mode === 'periodic') {
      // Periods missed while the clock jumped are one interrupt: IRR holds one bit per vector anyway.
      const late = Math.max(0, this.#ports.clock.now() - this.#endNs);
      this.#run(this.#endNs + this.#periodNs * (1 + Math.floor(late / this.#periodNs)));
    } else {
      this.#stop();
    }
    this.#ports.onExpire();
  }
}
