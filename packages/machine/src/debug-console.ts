/** Collects what the guest writes to the debug port into lines. */

/** State of a `DebugConsole`, for snapshots. */
export interface DebugConsoleState {
  /** Complete lines without their ends. */
  readonly lines: readonly string[];
  /** The incomplete line. */
  readonly line: string;
}

/** The debug port's reader. */
export class DebugConsole {
  readonly #onLine: (text: string) => void;
  #lines: string[] = [];
  #line = '';

  /** @param onLine - told of every complete line */
  constructor(onLine: (text: string) => void) {
    this.#onLine = onLine;
  }

  /** Complete lines so far. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Takes a byte. A line ends with LF; a CR before it is dropped. */
  write(byte: number): void {
    if (byte !== 10) {
      this.#line += String.fromCharCode(byte);
      return;
    }
    const text = this.#line.replace(/\r$/, '');
    this.#line = '';
    this.#lines.push(text);
    this.#onLine(text);
  }

  /** Forgets everything. */
  reset(): void {
    this.#lines = [];
    this.#line = '';
  }

  /** Copies the state out. */
  save(): DebugConsoleState {
    return { lines: [...this.#lines], line: this.#line };
  }

  /** Puts a saved state back. */
  restore(state: DebugConsoleState): void {
    this.#lines = [...state.lines];
    this.#line = state.line;
  }
}
