/** The interrupt wires between devices and controllers: each is wired-OR, whoever drives it. */
import { type InterruptLine, WiredOr } from '@smm/bus';
import type { I8259Pair } from './i8259.ts';
import { IOAPIC_PINS, type IoApic } from './ioapic.ts';

/**
 * ISA interrupt line of the 8254's channel 0, and the I/O APIC pin that it is wired to; other lines go to the pin of
 * their number.
 */
export const PIT_IRQ = 0;
const PIT_PIN = 2;
const ISA_LINES = 16;

/** A line that nobody listens to. */
const NOWHERE: InterruptLine = { set: () => {} };

/** The wires of one board. */
export class InterruptLines {
  readonly #isa: readonly WiredOr[];
  readonly #pins: readonly WiredOr[];
  /** Each wire with the input of the controller at its end. */
  readonly #ends: (readonly [wire: WiredOr, end: InterruptLine])[] = [];
  #quiet = false;

  /** Without controllers the wires end nowhere. */
  constructor(pic: I8259Pair | undefined, ioapic: IoApic | undefined) {
    const audible = (end: InterruptLine, pin?: InterruptLine): WiredOr => {
      const wire = new WiredOr({
        set: (level) => {
          if (!this.#quiet) end.set(level);
          pin?.set(level);
        },
      });
      this.#ends.push([wire, end]);
      return wire;
    };
    this.#pins = Array.from({ length: IOAPIC_PINS }, (_, n) => audible(ioapic?.pin(n) ?? NOWHERE));
    this.#isa = Array.from({ length: ISA_LINES }, (_, n) => {
      const pin = this.pin(n === PIT_IRQ ? PIT_PIN : n);
      return audible(pic?.line(n) ?? NOWHERE, pin);
    });
  }

  /** A new input to ISA line 0 to 15. */
  isa(line: number): InterruptLine {
    return this.#isa[line]?.input() ?? NOWHERE;
  }

  /** A new input to I/O APIC pin 0 to 23; there are no others. */
  pin(pin: number): InterruptLine {
    return this.#pins[pin]?.input() ?? NOWHERE;
  }

  /**
   * Runs a reset at power-on: the controllers see every wire low before it, and those that drivers hold rise after it.
   */
  poweringOn(work: () => void): void {
    for (const [, end] of this.#ends) end.set(false);
    this.quietly(work);
    for (const [wire, end] of this.#ends) if (wire.level) end.set(true);
  }

  /**
   * Runs a restore: drivers put their levels back on the wires, and the controllers, whose own state says what they
   * have seen, take no edge for one that happens now.
   */
  quietly(work: () => void): void {
    this.#quiet = true;
    try {
      work();
    } finally {
      this.#quiet = false;
    }
  }
}
