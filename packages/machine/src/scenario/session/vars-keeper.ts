/** Keeps the variable store of a running guest: when it is written, and that nothing is lost. */

/**
 * Milliseconds that a change may wait for more of its kind: with the length of a piece of work this stays well under a
 * second.
 */
const SETTLE_MS = 400;

/** Where the variable store goes. */
export interface VarsTarget {
  /** The store as it is now. */
  readonly image: () => Uint8Array;
  /** Writes it; what it throws comes out of {@link VarsKeeper.tick} and {@link VarsKeeper.save}. */
  readonly write: (image: Uint8Array) => void;
  /** Milliseconds from some moment. */
  readonly now: () => number;
}

/** Something kept that follows the variable store. */
export class VarsKeeper {
  readonly #target: VarsTarget;
  #changedAt: number | undefined;
  #failed = false;
  #written = false;

  constructor(target: VarsTarget) {
    this.#target = target;
  }

  /** It has been written. */
  get written(): boolean {
    return this.#written;
  }

  /** The guest changed the store. Cheap: nothing is written yet. */
  changed(): void {
    this.#changedAt ??= this.#target.now();
  }

  /** Writes if a change has waited long enough. */
  tick(): void {
    if (this.#changedAt !== undefined && this.#target.now() - this.#changedAt >= SETTLE_MS) this.save();
  }

  /** Writes if there is anything unwritten; does not try again after a failure. */
  save(): void {
    if (this.#changedAt === undefined || this.#failed) return;
    this.#changedAt = undefined;
    try {
      this.#target.write(this.#target.image());
    } catch (error) {
      this.#failed = true;
      throw error;
    }
    this.#written = true;
  }
}
