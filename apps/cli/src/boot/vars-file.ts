/** Keeps the variable store of a running guest in a file. */
import type { Output } from '@smm/files';
import type { BootHost } from './host.ts';

/**
 * Milliseconds that a change may wait for more of its kind: with the length of a piece of work this stays well under a
 * second.
 */
const SETTLE_MS = 400;

/** A file that follows the variable store. */
export class VarsFile {
  readonly #output: Output;
  readonly #image: () => Uint8Array;
  readonly #host: BootHost;
  #changedAt: number | undefined;
  #failed = false;
  #written = false;

  /**
   * @param output - where
   * @param image - the store as it is now
   */
  constructor(output: Output, image: () => Uint8Array, host: BootHost) {
    this.#output = output;
    this.#image = image;
    this.#host = host;
  }

  /** The file has been written. */
  get written(): boolean {
    return this.#written;
  }

  /** The guest changed the store. Cheap: nothing is written yet. */
  changed(): void {
    this.#changedAt ??= this.#host.now();
  }

  /** Writes if a change has waited long enough. Throws `FileError` if the file cannot be written. */
  tick(): void {
    if (this.#changedAt !== undefined && this.#host.now() - this.#changedAt >= SETTLE_MS) this.save();
  }

  /** Writes if there is anything unwritten; does not try again after a failure. */
  save(): void {
    if (this.#changedAt === undefined || this.#failed) return;
    this.#changedAt = undefined;
    try {
      this.#output.replace(this.#image());
    } catch (error) {
      this.#failed = true;
      throw error;
    }
    this.#written = true;
  }
}
