/** Collects what the guest writes to the debug port into lines. */

/** State of a `DebugConsole`, for snapshots. */
export interface DebugConsoleState {
  /** Complete lines without their ends. */
  readonly lines: readonly string[];
  /** The incomplete line. */
  readonly line: string;
  /** Lines that are no longer kept. */
  readonly dropped: number;
}

/** Characters after which a line ends whether the guest says so or not. */
export const LONGEST_LINE = 0x1_0000;
/** Characters that are kept, each line counting for {@link LINE_COST} more; then the older half goes. */
export const MOST_CHARACTERS = 0x100_0000;
const LINE_COST = 16;

/** The debug port's reader. It keeps what was said last, and says what it no longer has. */
export class DebugConsole {
  readonly #onLine: (text: string) => void;
  #lines: string[] = [];
  #line = '';
  #size = 0;
  #dropped = 0;

  /** @param onLine - told of every line */
  constructor(onLine: (text: string) => void) {
    this.#onLine = onLine;
  }

  /** Lines so far; where the oldest are no longer kept, a line in their place says how many those were. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /**
   * Takes a byte. A line ends with LF; a CR before it is dropped. One of {@link LONGEST_LINE} characters ends by
   * itself.
   */
  write(byte: number): void {
    if (byte !== 10) {
      this.#line += String.fromCharCode(byte);
      if (this.#line.length >= LONGEST_LINE) this.#end(`${this.#line}[the line goes on]`);
    } else this.#end(this.#line.replace(/\r$/, ''));
  }

  /** Forgets everything. */
  reset(): void {
    this.restore({ lines: [], line: '', dropped: 0 });
  }

  /** Copies the state out. */
  save(): DebugConsoleState {
    return { lines: [...this.#lines], line: this.#line, dropped: this.#dropped };
  }

  /** Puts a saved state back. */
  restore(state: DebugConsoleState): void {
    this.#lines = [...state.lines];
    this.#line = state.line;
    this.#dropped = state.dropped;
    this.#size = sizeOf(this.#lines);
  }

  #end(text: string): void {
    this.#line = '';
    this.#lines.push(text);
    this.#size += text.length + LINE_COST;
    if (this.#size > MOST_CHARACTERS) this.#forget();
    this.#onLine(text);
  }

  /** Drops the older half. */
  #forget(): void {
    let from = 0;
    for (let left = this.#size; left > MOST_CHARACTERS / 2; from++)
      left -= this.#lines[from]!.length + LINE_COST;
    this.#dropped += from - (this.#dropped > 0 ? 1 : 0);
    this.#lines = [`[${this.#dropped} earlier lines are not kept]`, ...this.#lines.slice(from)];
    this.#size = sizeOf(this.#lines);
  }
}

function sizeOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length + LINE_COST, 0);
}
