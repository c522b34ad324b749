/** Lines of text on their way to a guest's shell, as a pipe gives them. */

/** A shell's prompt at the end of what a line shows: `Shell> `, `FS0:\EFI\> `. */
const PROMPT = /(?:Shell|[A-Za-z]+\d+:[^\r\n>]*)> $/;
/** Bytes of output that are kept. */
const TAIL = 400;
/** Terminal control sequences, ECMA-48: what a person does not see. */
const CONTROL_SEQUENCE = /\p{Cc}\[[0-9;?]*[A-Za-z]/gu;
/** A line that asks for a key: `Press ENTER to continue or 'Q' break:`, `Press any key to continue`. */
const ASKS_FOR_KEY = /\b(?:press|hit|strike|enter)\b.*\b(?:key|enter|return|'?q'?)\b|\bcontinue\b.*[?:]$/i;
/** Lines of the input that are an answer to a pager, not a command. */
const ANSWER = /^[qQ]?$/;

/** Lines of the input that are keys for a menu. */
const IS_KEY = /^(?:.?|\p{Cc}.*)$/u;

/** Characters of one line at most: a shell takes fewer. */
export const LONGEST_LINE = 4096;
/** Characters that wait to be sent, above which no more should be read. */
const MOST_WAITING = 65_536;

/** Feeds lines to a shell, each when it prompts, and presses keys where the guest asks for one. */
export class LineFeeder {
  /** The shell prompts and nothing has been sent since. */
  atPrompt = false;
  /** No more lines will come. */
  ended = false;
  /** Lines that were cut at {@link LONGEST_LINE}. */
  cut = 0;
  readonly #send: (byte: number) => void;
  readonly #decoder = new TextDecoder('latin1');
  readonly #lines: string[] = [];
  #rest = '';
  #waitingChars = 0;
  #tail = '';

  constructor(send: (byte: number) => void) {
    this.#send = send;
  }

  /** So much waits that reading should pause. */
  get full(): boolean {
    return this.#waitingChars >= MOST_WAITING;
  }

  /** Lines are there that have not been sent. */
  get waiting(): boolean {
    return this.#lines.length > 0;
  }

  /** Lines that have not been sent. */
  get left(): number {
    return this.#lines.length;
  }

  /** The last line that the guest has printed something on, as a person sees it. */
  get lastLine(): string {
    const lines = this.#tail.replace(CONTROL_SEQUENCE, '').split(/[\r\n]+/);
    return (
      lines
        .map((line) => line.trim())
        .filter((line) => line !== '')
        .at(-1) ?? ''
    );
  }

  /**
   * The guest has been silent for a while away from its prompt: if it asks for a key, presses one. Lines that are empty
   * or `q` answer in their turn; commands wait for a prompt, and ENTER is pressed for them, as there is once the input
   * has ended.
   * @returns false if it does not ask, or the input may still bring the answer
   */
  answer(): boolean {
    if (!ASKS_FOR_KEY.test(this.lastLine)) return false;
    const [next] = this.#lines;
    if (next === undefined && !this.ended) return false;
    const answer = next !== undefined && ANSWER.test(next) ? this.#shift() : undefined;
    this.#tail = '';
    this.#send((answer || '\r').charCodeAt(0));
    return true;
  }

  /**
   * The guest shows a menu: types the next line, if it is one of keys: empty (ENTER), one character, or beginning with
   * ESC, as arrows do. Commands wait for a prompt.
   * @returns false if there is none
   */
  typeKey(): boolean {
    const [next] = this.#lines;
    if (next === undefined || !IS_KEY.test(next)) return false;
    this.#shift();
    this.#tail = '';
    for (const char of next === '' ? '\r' : next) this.#send(char.charCodeAt(0) & 0xff);
    return true;
  }

  /** Takes input. */
  take(bytes: Uint8Array): void {
    const parts = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/\r\n|\r|\n/);
    const rest = parts.pop() ?? '';
    for (const line of parts) this.#add(line);
    this.#rest = rest.slice(0, LONGEST_LINE + 1);
    this.#feed();
  }

  /** The input is at its end; a last line may lack its newline. */
  end(): void {
    if (this.#rest !== '') this.#add(this.#rest);
    this.#rest = '';
    this.ended = true;
    this.#feed();
  }

  /** Sees what the guest prints. */
  see(byte: number): void {
    this.#tail = (this.#tail + String.fromCharCode(byte)).slice(-TAIL);
    if (byte !== 0x20 || !PROMPT.test(this.#tail)) return;
    this.atPrompt = true;
    this.#feed();
  }

  #add(line: string): void {
    if (line.length > LONGEST_LINE) this.cut++;
    this.#lines.push(line.slice(0, LONGEST_LINE));
    this.#waitingChars += Math.min(line.length, LONGEST_LINE) + 1;
  }

  #shift(): string | undefined {
    const line = this.#lines.shift();
    if (line !== undefined) this.#waitingChars -= line.length + 1;
    return line;
  }

  #feed(): void {
    if (!this.atPrompt) return;
    const line = this.#shift();
    if (line === undefined) return;
    this.atPrompt = false;
    this.#tail = '';
    for (const char of `${line}\r`) this.#send(char.charCodeAt(0) & 0xff);
  }
}
