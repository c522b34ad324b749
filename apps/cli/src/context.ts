/** What a subcommand gets. */
import type { Io } from './io.ts';

/** What a subcommand gets. */
export interface Context {
  /** The outside world. */
  readonly io: Io;
  /** Sets the exit code; 0 unless called. */
  readonly exitWith: (code: number) => void;
}
