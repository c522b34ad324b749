/** Devices of one port each: the debug console (402h), system control port A (92h), POST codes (80h). */
import type { IoPortSpace, PioDevice, Snapshottable } from '@smm/bus';
import { type Part, statelessPart } from './part.ts';
import { requireVersion1 } from './snapshot.ts';

/** QEMU's isa-debugcon as OVMF uses it. */
export const DEBUG_PORT = 0x402;
/** What reading the debug port gives: how firmware finds out that it exists. QEMU, "debugcon". */
export const DEBUG_PORT_PRESENT = 0xe9;
/** System control port A. */
export const SYSTEM_CONTROL_PORT_A = 0x92;
/** POST code port. */
export const POST_CODE_PORT = 0x80;

/** A write sends one character to `sink`; a read gives E9h. */
export function debugPort(sink: (byte: number) => void): Part {
  return onePort('debug-port', DEBUG_PORT, DEBUG_PORT_PRESENT, sink);
}

/** A write shows a POST code; a read gives all-ones, for nothing answers. */
export function postCodePort(sink: (code: number) => void): Part {
  return onePort('post-code', POST_CODE_PORT, 0xff, sink);
}

/** A port without state: reads give `answer`, bytes written go to `sink`. */
function onePort(name: string, first: number, answer: number, sink: (byte: number) => void): Part {
  const device: PioDevice = {
    name,
    in: () => answer,
    out: (_port, _size, value) => sink(value & 0xff),
  };
  return statelessPart(name, (io) => io.add({ name, first, count: 1, device }));
}

/** Architectural state of {@link SystemControlPortA}. */
export interface SystemControlPortAState {
  /** Layout version of this object. */
  version: 1;
  /** The byte. */
  value: number;
}

/**
 * Port 92h: bit 0 going from 0 to 1 resets the processors, bit 1 is A20. A20 is stored but not acted on: the address
 * line is always enabled. Source: IBM PS/2 Hardware Interface Technical Reference, "System Control Port A".
 */
export class SystemControlPortA implements PioDevice, Snapshottable<SystemControlPortAState> {
  /** Name in traces. */
  readonly name = 'port-92';
  readonly #reset: () => void;
  #value = 0;

  constructor(ports: {
    /** Fast reset of the processors. */
    readonly reset: () => void;
  }) {
    this.#reset = ports.reset;
  }

  /** Registers the port. */
  map(io: IoPortSpace): void {
    io.add({ name: this.name, first: SYSTEM_CONTROL_PORT_A, count: 1, device: this });
  }

  /** IN. */
  in(): number {
    return this.#value;
  }

  /** OUT. */
  out(_port: number, _size: number, value: number): void {
    const rising = (value & ~this.#value & 1) !== 0;
    this.#value = value & 0xff;
    if (rising) this.#reset();
  }

  /** State after RESET. */
  reset(): void {
    this.#value = 0;
  }

  /** Copies the state out. */
  save(): SystemControlPortAState {
    return { version: 1, value: this.#value };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: SystemControlPortAState): void {
    requireVersion1(this.name, state);
    this.#value = state.value;
  }
}
