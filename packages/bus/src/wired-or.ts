/** A wire that several devices drive. */
import type { InterruptLine } from './device.ts';

/**
 * A wire that is asserted while any of its drivers asserts it, as the shared, level-triggered lines of PCI are. One
 * driver letting go leaves the others' level in force. Source: PCI Local Bus Specification, "Interrupt Pins
 * (Optional)".
 */
export class WiredOr {
  readonly #out: InterruptLine;
  // state: derived from the drivers, who assert their inputs again on restore
  #asserted = 0;

  /** `out` gets the level of the wire when that changes; it is down at first. */
  constructor(out: InterruptLine) {
    this.#out = out;
  }

  /** Whether any driver asserts it. */
  get level(): boolean {
    return this.#asserted > 0;
  }

  /** A new input, for one driver alone. */
  input(): InterruptLine {
    let level = false;
    return {
      set: (next) => {
        if (next === level) return; // devices set theirs at every access
        level = next;
        this.#asserted += next ? 1 : -1;
        if (this.#asserted === (next ? 1 : 0)) this.#out.set(next);
      },
    };
  }
}
