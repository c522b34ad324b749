/** Devices of one port each: the debug console (402h), system control port A (92h), POST codes (80h). */
import type { PioDevice, Snapshottable } from '@smm/bus';

/** QEMU's isa-debugcon as OVMF uses it. */
export const DEBUG_PORT = 0x402;
/** What reading the debug port gives: how firmware finds out that it exists. QEMU, "debugcon". */
export const DEBUG_PORT_PRESENT = 0xe9;
/** System control port A. */
export const SYSTEM_CONTROL_PORT_A = 0x92;
/** POST code port. */
export const POST_CODE_PORT = 0x80;

/** A write sends one character to `sink`; a read gives E9h. */
export function debugPort(sink: (byte: number) => void): PioDevice {
  return {
    name: 'debug-port',
    in: () => DEBUG_PORT_PRESENT,
    out: (_port, _size, value) => sink(value & 0xff),
  };
}

/** A write shows a POST code; a read gives all-ones, for nothing answers. */
export function postCodePort(sink: (code: number) => void): PioDevice {
  return {
    name: 'post-code',
    in: () => 0xff,
    out: (_port, _size, value) => sink(value & 0xff),
  };
}

/** Architectural state of {@link SystemControlPortA}. */
export interface SystemControlPortAState {
  /** Layout version of this object. */
  version: 1;
  /** The byte. */
  value: number;
}

/**
 * Port 92h: bit 0 going from 0 to 1 resets the processors, bit 1 is A20. A20 is stored but not acted on: the address line is always enabled. Source: IBM PS/2 Hardware Interface
 * Technical Reference, "System Control Port A".
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

  /** Puts a saved state back. */
  restore(state: SystemControlPortAState): void {
    this.#value = state.value;
  }
}
