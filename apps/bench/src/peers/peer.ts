/** What an emulator must offer to be measured. */
import type { Need } from '../kernels/kernel.ts';

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
  /** What it has beyond a processor and memory. */
  readonly offers: readonly Need[];
  /** Its version; undefined if it is not installed. */
  readonly version: () => Promise<string | undefined>;
  /** Runs a ROM on a machine with that many processors until its report. */
  readonly run: (rom: Uint8Array, processors: number) => Promise<PeerRun>;
  /** Ends what it keeps running between runs. */
  readonly close?: () => Promise<void>;
}
