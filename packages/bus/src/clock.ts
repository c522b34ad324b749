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
