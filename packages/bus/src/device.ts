/** Device contracts: small, capability-shaped. A device is given ports, never the machine. */
import type { AccessSize, TxAttrs } from './transaction.ts';

/** A device reached by memory accesses. Values are unsigned, `size` bytes wide. */
export interface MmioDevice {
  /** Short name for traces and errors, such as `lapic`. */
  readonly name: string;
  /** Reads at `offset` bytes from the start of the region. */
  read(offset: number, size: AccessSize, attrs: TxAttrs): number;
  /** Writes at `offset` bytes from the start of the region. */
  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void;
}

/** A register that shows nothing but virtual time: `ticksAt(now, frequencyHz) & mask`. Reading it changes nothing. */
export interface TickCounter {
  /** First port, from the start of the device's range. */
  readonly offset: number;
  /** Width of an access that reads it whole, bytes. */
  readonly size: AccessSize;
  /** Ticks per second. */
  readonly frequencyHz: number;
  /** Bits that it has, from bit 0 on. */
  readonly mask: number;
}

/** A device reached by IN and OUT. `port` is the absolute port number. */
export interface PioDevice {
  /** Short name for traces and errors, such as `ich9-lpc`. */
  readonly name: string;
  /** Reads the port. */
  in(port: number, size: AccessSize, attrs: TxAttrs): number;
  /** Writes the port. */
  out(port: number, size: AccessSize, value: number, attrs: TxAttrs): void;
  /** The register of the device that anybody may compute instead of reading it, if there is one. */
  readonly tickCounter?: TickCounter;
}

/** One wire. Level true is asserted. */
export interface InterruptLine {
  /** Drives the wire. */
  set(level: boolean): void;
}

/** A part with state that a snapshot must hold. The snapshot is a plain, structured-cloneable, versioned object. */
export interface Snapshottable<S> {
  /** Copies the architectural state out. */
  save(): S;
  /** Puts a state saved by the same version back. Throws `SmmError` `SNAPSHOT_VERSION` for another one. */
  restore(state: S): void;
}
