/** Keys from the terminal on their way to the guest: QEMU's escape character is Ctrl-A. */

/** Ctrl-A. */
const ESCAPE = 0x01;

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
  /** Press the power button. */
  readonly power: () => void;
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
    const { send, leave, help, save, power } = this.#actions;
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
    else if (byte === 0x70 || byte === 0x50) power();
  }
}
