/** Keeps the variable store of a running guest in a file. */
import { fileError } from '../usage-error.ts';
import type { BootHost } from './host.ts';

/** Milliseconds that a change may wait for more of its kind: with the length of a piece of work this stays well under a second. */
const SETTLE_MS = 400;

/** A file that follows the variable store. */
export class VarsFile {
  readonly #path: string;
  readonly #image: () => Uint8Array;
  readonly #host: BootHost;
  #changedAt: number | undefined;
  #failed = false;

  /**
   * @param path - where
   * @param image - the store as it is now
   */
  constructor(path: string, image: () => Uint8Array, host: BootHost) {
    this.#path = path;
    this.#image = image;
    this.#host = host;
  }

  /** The guest changed the store. Cheap: nothing is written yet. */
  changed(): void {
    this.#changedAt ??= this.#host.now();
  }

  /** Writes if a change has waited long enough. Throws `UsageError` if the file cannot be written. */
  tick(): void {
    if (this.#changedAt !== undefined && this.#host.now() - this.#changedAt >= SETTLE_MS) this.save();
  }

  /** Writes if there is anything unwritten; does not try again after a failure. */
  save(): void {
    if (this.#changedAt === undefined || this.#failed) return;
    this.#changedAt = undefined;
    try {
      this.#host.replaceFile(this.#path, this.#image());
    } catch (error) {
      this.#failed = true;
      throw fileError('write the variables to', this.#path, error);
    }
  }
}
