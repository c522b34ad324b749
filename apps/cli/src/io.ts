/** What the program touches of the outside world, so that tests can stand in for it. */
import type { ClaimOptions, Output, RandomFile, StoreFile } from '@smm/files';

/** The outside world of one invocation. */
export interface Io {
  /** Writes to standard output. */
  readonly out: (text: string | Uint8Array) => void;
  /** Writes to standard error. */
  readonly err: (text: string) => void;
  /** Standard output is a terminal. */
  readonly outIsTerminal: boolean;
  /** Standard error is a terminal. */
  readonly errIsTerminal: boolean;
  /** Columns of the terminal; undefined if there is none. */
  readonly columns: number | undefined;
  /** Characters in a row of a table, if not as many as the terminal has. */
  readonly tableColumns?: number;
  /** Environment variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Reads a whole file of at most `limit` bytes, `what` for messages; 0 is standard input. Throws `FileError`. */
  readonly readFile: (what: string, path: string | 0, limit: number) => Uint8Array;
  /** Reads a file of any size piece by piece, `what` for messages; 0 is standard input. Throws `FileError`. */
  readonly readPieces: (what: string, path: string | 0) => Iterable<Uint8Array>;
  /** Opens a regular file to read it at any place; undefined if it is none. Throws `FileError`. */
  readonly openRandom: (what: string, path: string) => RandomFile | undefined;
  /** Takes a file to write for this run, before it, `what` for messages. Throws `FileError`. */
  readonly claim: (what: string, path: string, options?: ClaimOptions) => Output;
  /** Opens a file to be read or written in place, `what` for messages. Throws `FileError`. */
  readonly openStore: (what: string, path: string, options: { readonly readonly: boolean }) => StoreFile;
  /** Lets signals and output through between two pieces of work. */
  readonly breathe: () => Promise<void>;
}

/** Exit codes. */
export const EXIT = { OK: 0, GUEST_FAILED: 1, USAGE: 2, INTERRUPTED: 130 } as const;
