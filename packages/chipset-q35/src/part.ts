/** What a chipset is made of: parts, and what the board gives them. */
import type { Clock, InterruptLine, IoPortSpace, PhysicalAddressSpace } from '@smm/bus';
import type { AcpiDescription } from './acpi/description.ts';
import type { SmiTarget } from './apm.ts';
import { requireVersion1 } from './snapshot.ts';

/**
 * State of a part: plain objects and lists of numbers, strings, booleans, bigints and `Uint8Array`s, which snapshot
 * files can hold, with the version of its layout.
 */
export interface PartState {
  /** Layout version of this object. */
  readonly version: number;
}

/**
 * What resets: `power-on` is the state of a board just built; `system` is RST_CNT, the watchdog or a hot reset, over
 * which the resume well and what a battery feeds keep their contents (Intel 316972, "Power Planes and Resets"). S3
 * takes power from the same parts, so that they see a `system` reset when it begins and when it ends.
 */
export type ResetKind = 'power-on' | 'system';

/**
 * A device as the chipset knows it. Being in the list of parts is all: the chipset maps, resets, saves and restores
 * it, and puts it on the PCI bus if it is a `PciFunction`. Everything else that it reaches it was given when it was
 * made.
 */
export interface Part {
  /** Unique name: in snapshots, traces and errors. */
  readonly name: string;
  /** Registers the addresses that it answers, once. Left out: it answers none. */
  map?(io: IoPortSpace, memory: PhysicalAddressSpace): void;
  /** What the ACPI tables say of it. Left out: nothing. Asked when the tables are made, at run time. */
  acpi?(): AcpiDescription;
  /** To its state after a reset. Most parts have the same after both kinds. */
  reset(kind: ResetKind): void;
  /** Copies the architectural state out. */
  save(): PartState;
  /** Puts a saved state back and drives its lines again. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: PartState): void;
}

/** The board: what a part that is not in this package can be given. */
export interface Board {
  /** Virtual time. */
  readonly clock: Clock;
  /**
   * A new input to ISA interrupt line 0 to 15: it reaches the 8259 pair and the I/O APIC. Lines are wired-OR: other
   * devices may drive the same one. Without interrupt controllers it ends nowhere.
   */
  readonly irq: (line: number) => InterruptLine;
  /** A new input to I/O APIC pin 0 to 23, wired-OR; without interrupt controllers it ends nowhere. */
  readonly pin: (pin: number) => InterruptLine;
  /** Raises an SMI for one processor (by index) or for all. */
  readonly smi: (target: SmiTarget) => void;
  /** General-purpose event 0 to 63 happens: an SCI for the OS, and the end of S3, where the guest has enabled it. */
  readonly raiseEvent: (event: number) => void;
  /** Asks for a reset: of the whole system, or of the processors alone. */
  readonly reset: (kind: 'system' | 'cpu') => void;
}

/** A part that answers addresses and has no state. */
export function statelessPart(
  name: string,
  map: (io: IoPortSpace, memory: PhysicalAddressSpace) => unknown,
): Part {
  return {
    name,
    map: (io, memory) => {
      map(io, memory);
    },
    reset: () => {},
    save: () => ({ version: 1 }),
    restore: (state) => requireVersion1(name, state),
  };
}
