/** Virtual time. Nothing under packages/ may look at the host's clock. */

/** A pending alarm. */
export interface Alarm {
  /** Arms (or re-arms) the alarm for an absolute virtual time in nanoseconds. */
  set(atNs: number): void;
  /** Disarms the alarm; harmless when it is not armed. */
  cancel(): void;
}

/** The machine's virtual clock. */
export interface Clock {
  /** Virtual nanoseconds since power-on (exact in a double up to 104 days). */
  now(): number;
  /** Creates an alarm that calls back once each time it expires. `name` appears in traces and snapshots. */
  createAlarm(name: string, onExpire: () => void): Alarm;
}

const NS_PER_SECOND = 1_000_000_000;

/**
 * Ticks that a counter has made after `ns` virtual nanoseconds: exact, though nanoseconds times frequency would not fit
 * a double. Generated code of `@smm/cpu-core` computes the same by the same operations.
 */
export function ticksAt(ns: number, frequencyHz: number): number {
  const seconds = Math.floor(ns / NS_PER_SECOND);
  const rest = ns - seconds * NS_PER_SECOND;
  return seconds * frequencyHz + Math.floor((rest * frequencyHz) / NS_PER_SECOND);
}
