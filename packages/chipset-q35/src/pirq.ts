/**
 * The way of PCI interrupt pins to the controllers: pin of a device → PIRQA to PIRQH → I/O APIC pins 16 to 23, and the
 * ISA line that the LPC bridge routes the PIRQ to, if it does. All of it is level-triggered and wired-OR. Sources:
 * Intel 316972, "PIRQ[n]_ROUT", "D31IR"; QEMU 7.2 measured.
 */
import { type InterruptLine, WiredOr } from '@smm/bus';

/** Number of PIRQ wires. */
export const PIRQ_COUNT = 8;
/** I/O APIC pin of PIRQA. */
export const PIRQ_FIRST_PIN = 16;
/** PIRQ[n]_ROUT: the 8259 does not get the PIRQ. */
const NOT_ROUTED = 0x80;
const PIRQ_LINE = 0x0f;
const PINS = 4;
const NOWHERE = -1;

/** Where PIRQs lead, and who decides. */
export interface PirqPorts {
  /** A new input to an ISA line. */
  readonly isa: (line: number) => InterruptLine;
  /** A new input to an I/O APIC pin. */
  readonly pin: (pin: number) => InterruptLine;
  /** PIRQ number 0 (A) to 7 (H) of interrupt pin 1 to 4 of a device number. */
  readonly pirqOf: (device: number, pin: number) => number;
}

/** The router. Its levels are the functions', who assert them again on restore. */
export class PirqRouter {
  readonly #ports: PirqPorts;
  readonly #wires = new Map<number, WiredOr>();
  /** Device pins that are up: device << 2 | pin - 1. */
  readonly #up = new Set<number>();
  readonly #apic: readonly InterruptLine[];
  /** By PIRQ and ISA line. */
  readonly #isa: readonly (readonly InterruptLine[])[];
  /** ISA line that each PIRQ drives now. */
  readonly #driven = new Array<number>(PIRQ_COUNT).fill(NOWHERE);
  #routes: readonly number[] = new Array<number>(PIRQ_COUNT).fill(NOT_ROUTED);

  constructor(ports: PirqPorts) {
    this.#ports = ports;
    const pirqs = Array.from({ length: PIRQ_COUNT }, (_, n) => n);
    this.#apic = pirqs.map((n) => ports.pin(PIRQ_FIRST_PIN + n));
    this.#isa = pirqs.map(() => Array.from({ length: PIRQ_LINE + 1 }, (_, line) => ports.isa(line)));
  }

  /** A new input to interrupt pin 1 to 4 of a device number: the functions of a device share them. */
  intx(device: number, pin: number): InterruptLine {
    const key = device * PINS + pin - 1;
    let wire = this.#wires.get(key);
    if (wire === undefined) {
      wire = new WiredOr({
        set: (level) => {
          if (level === this.#up.has(key)) return;
          if (level) this.#up.add(key);
          else this.#up.delete(key);
          this.drive();
        },
      });
      this.#wires.set(key, wire);
    }
    return wire.input();
  }

  /** The LPC bridge's eight PIRQ[n]_ROUT registers changed. */
  route(routes: readonly number[]): void {
    if (routes.every((route, n) => route === this.#routes[n])) return;
    this.#routes = routes;
    this.drive();
  }

  /** Puts every level on its wires; call it when `pirqOf` has changed. */
  drive(): void {
    const asserted = new Set<number>();
    for (const key of this.#up) asserted.add(this.#ports.pirqOf(Math.floor(key / PINS), (key % PINS) + 1));
    for (let n = 0; n < PIRQ_COUNT; n++) {
      const level = asserted.has(n);
      this.#apic[n]!.set(level);
      const route = this.#routes[n]!;
      const line = level && (route & NOT_ROUTED) === 0 ? route & PIRQ_LINE : NOWHERE;
      const before = this.#driven[n]!;
      if (line === before) continue;
      this.#isa[n]![before]?.set(false);
      this.#isa[n]![line]?.set(true);
      this.#driven[n] = line;
    }
  }
}
