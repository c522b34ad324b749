/**
 * An interrupt line of the 8254 or the RTC that the HPET can take over. IA-PC HPET Specification 1.0a,
 * "LegacyReplacement Route".
 */
import type { InterruptLine } from '@smm/bus';

/** Two inputs, one output. Levels are wires', so their drivers restore them. */
export class LegacyLine {
  /** The input of the device whose line it is. */
  readonly device: InterruptLine;
  /** The HPET's input. */
  readonly hpet: InterruptLine;
  readonly #out: InterruptLine;
  #deviceLevel = false;
  #hpetLevel = false;
  #replaced = false;

  constructor(out: InterruptLine) {
    this.#out = out;
    this.device = {
      set: (level) => {
        this.#deviceLevel = level;
        this.#drive();
      },
    };
    this.hpet = {
      set: (level) => {
        this.#hpetLevel = level;
        this.#drive();
      },
    };
  }

  /** Switches between the inputs: true for the HPET's. */
  replace(replaced: boolean): void {
    this.#replaced = replaced;
    this.#drive();
  }

  #drive(): void {
    this.#out.set(this.#replaced ? this.#hpetLevel : this.#deviceLevel);
  }
}
