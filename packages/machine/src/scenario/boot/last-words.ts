/**
 * What firmware says when it goes no further by itself, on the serial port or the debug port. Sources: edk2's BdsDxe
 * and the help line of its forms (DisplayEngineDxe), SeaBIOS's boot.c.
 */

/** A state that a firmware stays in until somebody presses a key, or for ever. */
export type LastWord = 'prompt' | 'menu' | 'unbootable';

/** What each shows. */
const TEXTS: readonly (readonly [word: LastWord, text: string])[] = [
  ['prompt', 'Press any key to enter the Boot Manager Menu'],
  ['menu', '=Move Highlight'],
  ['unbootable', 'No bootable device.'],
];
const LINE_FEED = 10;
const LONGEST = Math.max(...TEXTS.map(([, text]) => text.length));

/** Reads along on one port. */
export class LastWords {
  #tail = '';
  #word: LastWord | undefined;
  /** The line that told it is at its end. */
  #lineEnded = false;

  /** The state that was told last, or undefined. */
  get word(): LastWord | undefined {
    return this.#word;
  }

  /** Takes a byte of the output. */
  see(byte: number): void {
    const printable = byte > 0x20 && byte < 0x7f;
    if (byte === LINE_FEED) this.#lineEnded = true;
    else if (printable && this.#lineEnded && this.#word !== 'menu') this.#word = undefined; // it went on after all
    this.#tail = (this.#tail + String.fromCharCode(byte)).slice(-LONGEST);
    for (const [word, text] of TEXTS) {
      if (!this.#tail.endsWith(text)) continue;
      this.#word = word;
      this.#lineEnded = false;
    }
  }

  /** Something else runs now. */
  forget(): void {
    this.#tail = '';
    this.#word = undefined;
  }
}
