/**
 * What a guest has set in the terminal, so that it can be put back when the guest is gone: a shell behind a guest's
 * colours, on its second screen or with its mouse reports is hard to use. Sources: ECMA-48; xterm, "Control Sequences".
 */

const ESC = 0x1b;
/** Ends an unfinished sequence. */
const CANCEL = '\x18';
const STRING_END = '\x1b\\';
/** Private modes that are on in a terminal that nobody touched: autowrap, cursor. All others are off. */
const ON_BY_ITSELF: ReadonlySet<number> = new Set([7, 25]);
/** Longest sequence that is looked at. */
const LONGEST = 64;

type State = 'text' | 'escape' | 'control' | 'character set' | 'string' | 'string escape';

/** Reads what goes to the terminal. */
export class TerminalModes {
  #state: State = 'text';
  #sequence = '';
  /** Private modes that are not as they are by themselves. */
  readonly #private = new Set<number>();
  /** Modes of ECMA-48 that are set: insert, new line. */
  readonly #modes = new Set<number>();
  /** Sequences that undo what is no mode, by what they undo. */
  readonly #undo = new Map<string, string>();

  /** Takes what the guest prints. */
  take(bytes: Uint8Array): void {
    for (const byte of bytes) this.#take(byte);
  }

  /** What puts the terminal back; empty if nothing has to be. */
  get restoring(): string {
    let text = '';
    if (this.#state === 'string' || this.#state === 'string escape') text += STRING_END;
    else if (this.#state !== 'text') text += CANCEL;
    // The first screen before anything that belongs to a screen.
    const modes = [...this.#private].sort((a, b) => b - a);
    for (const mode of modes) text += `\x1b[?${mode}${ON_BY_ITSELF.has(mode) ? 'h' : 'l'}`;
    for (const mode of this.#modes) text += `\x1b[${mode}l`;
    return text + [...this.#undo.values()].join('');
  }

  #take(byte: number): void {
    const char = String.fromCharCode(byte);
    switch (this.#state) {
      case 'text':
        if (byte === ESC) this.#state = 'escape';
        else if (byte === 0x0e) this.#undo.set('shift', '\x0f');
        else if (byte === 0x0f) this.#undo.delete('shift');
        return;
      case 'escape':
        this.#escape(char);
        return;
      case 'control':
        this.#control(byte, char);
        return;
      case 'character set':
        this.#state = byte === ESC ? 'escape' : 'text';
        if (byte === ESC || byte === 0x18) return;
        if (char === 'B') this.#undo.delete('character set');
        else this.#undo.set('character set', '\x1b(B');
        return;
      case 'string':
        if (byte === ESC) this.#state = 'string escape';
        else if (byte === 0x07 || byte === 0x18) this.#state = 'text';
        return;
      case 'string escape':
        if (byte !== ESC) this.#state = char === '\\' ? 'text' : 'string';
    }
  }

  #escape(char: string): void {
    this.#state = 'text';
    this.#sequence = '';
    if (char === '[') this.#state = 'control';
    else if (char === '(') this.#state = 'character set';
    else if (']P_^X'.includes(char)) this.#state = 'string';
    else if (char === '\x1b') this.#state = 'escape';
    else if (char === '=') this.#undo.set('keypad', '\x1b>');
    else if (char === '>') this.#undo.delete('keypad');
    else if (char === 'c') this.#forget();
  }

  #control(byte: number, char: string): void {
    if (byte < 0x40 || byte > 0x7e) {
      if (byte === ESC) this.#state = 'escape';
      else if (byte === 0x18 || this.#sequence.length > LONGEST) this.#state = 'text';
      else this.#sequence += char;
      return;
    }
    this.#state = 'text';
    const parameters = this.#sequence;
    if (char === 'h' || char === 'l') this.#mode(parameters, char === 'h');
    else if (char === 'm' && /^[\d;:]*$/.test(parameters))
      this.#note('colours', !/(^|;)0*$/.test(parameters), '\x1b[0m');
    else if (char === 'r' && /^[\d;]*$/.test(parameters))
      this.#note('scrolling region', parameters !== '', '\x1b7\x1b[r\x1b8'); // it moves the cursor
    else if (char === 'q' && parameters.endsWith(' '))
      this.#note('cursor', !/^0? $/.test(parameters), '\x1b[0 q');
    else if (char === 'p' && parameters === '!') this.#forget();
  }

  #mode(parameters: string, on: boolean): void {
    const isPrivate = parameters.startsWith('?');
    for (const text of parameters.replace('?', '').split(';')) {
      const mode = Number.parseInt(text, 10);
      if (Number.isNaN(mode)) continue;
      const set = isPrivate ? this.#private : this.#modes;
      if (on === (isPrivate && ON_BY_ITSELF.has(mode))) set.delete(mode);
      else set.add(mode);
    }
  }

  #note(what: string, set: boolean, undo: string): void {
    if (set) this.#undo.set(what, undo);
    else this.#undo.delete(what);
  }

  #forget(): void {
    this.#private.clear();
    this.#modes.clear();
    this.#undo.clear();
  }
}
