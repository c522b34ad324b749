/** What an emulator must offer to be measured. */

/** One run of a ROM. */
export interface PeerRun {
  /** What the guest printed. */
  readonly output: string;
  /** User and system time of all threads, seconds. */
  readonly seconds: number;
  /** How it ended, for error messages. */
  readonly note: string;
}

/** An emulator. */
export interface Peer {
  /** Name in tables and JSON. */
  readonly name: string;
  /** Modes it can run. */
  readonly bits: readonly (32 | 64)[];
  /** Rounds it gets, as a multiple of the kernel's: so that a run takes a few seconds at most, and long enough to measure. */
  readonly effort: number;
  /** Its version; undefined if it is not installed. */
  readonly version: () => Promise<string | undefined>;
  /** Runs a ROM until its report. */
  readonly run: (rom: Uint8Array) => Promise<PeerRun>;
}
