/** One line on standard error that overwrites itself; nothing at all where that is no terminal. */
import type { Io } from '../io.ts';

const CLEAR_LINE = '\r\x1b[K';

/** A progress line. */
export interface Progress {
  /** Shows a text in place of the one before. */
  readonly show: (text: string) => void;
  /** Removes the line. */
  readonly clear: () => void;
}

/** The progress line of one invocation. */
export function progressLine(io: Io): Progress {
  if (!io.errIsTerminal) return { show: () => undefined, clear: () => undefined };
  let shown = false;
  const width = Math.max(20, (io.columns ?? 80) - 1);
  return {
    show: (text) => {
      io.err(`${CLEAR_LINE}${text.slice(0, width)}`);
      shown = true;
    },
    clear: () => {
      if (shown) io.err(CLEAR_LINE);
      shown = false;
    },
  };
}
