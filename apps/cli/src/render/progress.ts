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
  // A dumb terminal erases nothing: spaces do.
  const dumb = io.env['TERM'] === 'dumb';
  let shown = 0;
  const width = Math.max(20, (io.columns ?? 80) - 1);
  return {
    show: (text) => {
      const cut = text.slice(0, width);
      io.err(dumb ? `\r${cut.padEnd(shown)}` : `${CLEAR_LINE}${cut}`);
      shown = Math.max(1, cut.length);
    },
    clear: () => {
      if (shown > 0) io.err(dumb ? `\r${' '.repeat(shown)}\r` : CLEAR_LINE);
      shown = 0;
    },
  };
}
