/** Keys from the terminal on their way to the guest: QEMU's escape character is Ctrl-A. */

/** Ctrl-A. */
const ESCAPE = 0x01;

/** What Ctrl-A H prints. */
export const KEYS_HELP =
  'Ctrl-A X  leave\r\nCtrl-A H  this help\r\nCtrl-A S  write the variables now\r\nCtrl-A Ctrl-A  send Ctrl-A\r\n';

/** What an escape asks for. */
export interface KeyActions {
  /** A byte for the guest. */
  readonly send: (byte: number) => void;
  /** Leave. */
  readonly leave: () => void;
  /** Show the help. */
  readonly help: () => void;
  /** Write the variables. */
  readonly save: () => void;
}

/**
 * Takes bytes apart into those for the guest and escapes. An escape with an unknown letter is dropped, as QEMU does.
 */
export class KeyFilter {
  readonly #actions: KeyActions;
  #escaped = false;

  constructor(actions: KeyActions) {
    this.#actions = actions;
  }

  /** Takes what the terminal sent. */
  take(bytes: Uint8Array): void {
    for (const byte of bytes) this.#take(byte);
  }

  #take(byte: number): void {
    const { send, leave, help, save } = this.#actions;
    if (!this.#escaped) {
      if (byte === ESCAPE) this.#escaped = true;
      else send(byte);
      return;
    }
    this.#escaped = false;
    if (byte === ESCAPE) send(byte);
    else if (byte === 0x78 || byte === 0x58) leave();
    else if (byte === 0x68 || byte === 0x48 || byte === 0x3f) help();
    else if (byte === 0x73 || byte === 0x53) save();
  }
}

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

/** Feeds lines to a shell, each when it prompts, and presses keys where the guest asks for one. */
export class LineFeeder {
  /** The shell prompts and nothing has been sent since. */
  atPrompt = false;
  /** No more lines will come. */
  ended = false;
  readonly #send: (byte: number) => void;
  readonly #decoder = new TextDecoder('latin1');
  readonly #lines: string[] = [];
  #rest = '';
  #tail = '';

  constructor(send: (byte: number) => void) {
    this.#send = send;
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
    const answer = next !== undefined && ANSWER.test(next) ? this.#lines.shift() : undefined;
    this.#tail = '';
    this.#send((answer || '\r').charCodeAt(0));
    return true;
  }

  /** Takes input. */
  take(bytes: Uint8Array): void {
    const parts = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split(/\r\n|\r|\n/);
    this.#rest = parts.pop() ?? '';
    this.#lines.push(...parts);
    this.#feed();
  }

  /** The input is at its end; a last line may lack its newline. */
  end(): void {
    if (this.#rest !== '') this.#lines.push(this.#rest);
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

  #feed(): void {
    if (!this.atPrompt) return;
    const line = this.#lines.shift();
    if (line === undefined) return;
    this.atPrompt = false;
    this.#tail = '';
    for (const char of `${line}\r`) this.#send(char.charCodeAt(0) & 0xff);
  }
}
