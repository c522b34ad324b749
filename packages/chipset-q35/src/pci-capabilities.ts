/**
 * The capability list of a PCI function, and the two capabilities by which software resets one function alone.
 * Sources: PCI Local Bus Specification, "Capabilities List"; PCI Express Base Specification, "PCI Express Capability
 * Structure", "Function-Level Reset (FLR)"; PCI-SIG ECN "Advanced Capabilities for Conventional PCI".
 */
import type { RegisterSpec, RegisterWrite } from '@smm/bus';
import { SmmError } from '@smm/x86-defs';
import type { PartState } from './part.ts';

/** Capability id: PCI Express. */
export const PCI_CAP_ID_EXP = 0x10;
/** Capability id: Advanced Features. */
export const PCI_CAP_ID_AF = 0x13;

/** PCI Express capabilities register: version 2, root complex integrated endpoint. */
const EXP_FLAGS = 0x0092;
/** Device capabilities: role-based error reporting, FLR. */
const EXP_DEVCAP = 0x1000_8000;
const EXP_DEVCTL_FLR = 0x8000;
/** Error reporting enables; error status bits. */
const EXP_ERRORS = 0x000f;
const AF_LENGTH = 6;
/** Transactions pending and FLR are there. */
const AF_CAP = 0x03;
const AF_CTRL_FLR = 0x01;

/** What a capability reaches of its function. */
export interface CapabilityHost {
  /** Stored value of a register. */
  readonly get: (name: string) => number;
  /** Stores a register. */
  readonly set: (name: string, value: number) => void;
  /**
   * A dword written to memory in the function's name, if COMMAND lets it be a bus master. Guest-physical, halves 32
   * bit.
   */
  readonly send: (addressHigh: number, addressLow: number, data: number) => void;
  /** Resets the function. */
  readonly reset: () => void;
}

/** A capability: registers in the configuration space, and what they do. */
export interface PciCapability {
  /** Capability id, 8 bit. */
  readonly id: number;
  /** Where it starts: a multiple of 4 from 40h on. */
  readonly offset: number;
  /** Its registers, without id and next pointer. Names and offsets are those of the whole configuration space. */
  readonly rows: readonly RegisterSpec[];
  /** The function does not use its interrupt pin now. */
  readonly replacesIntx?: boolean;
  /** Called once, by the function that it becomes part of. */
  attach?(host: CapabilityHost): void;
  /** Decides what a write to one of its registers stores. */
  configWrite?(write: RegisterWrite<string>): number;
  /** Registers were written or restored. */
  applied?(): void;
  /** State outside the registers to its reset value. */
  reset?(): void;
  /** Copies state outside the registers out. */
  save?(): PartState;
  /** Puts it back. */
  restore?(state: PartState): void;
}

/** Registers of capabilities chained in order. Throws `SmmError` `PCI_CAPABILITY` for an offset that cannot be. */
export function capabilityRegisters(capabilities: readonly PciCapability[]): RegisterSpec[] {
  const rows = capabilities.flatMap(({ id, offset, rows: own }, i) => {
    if (offset < 0x40 || offset > 0xfc || offset % 4 !== 0) {
      throw new SmmError(
        'PCI_CAPABILITY',
        `capability ${id} cannot be at 0x${offset.toString(16)}`,
        'Use a multiple of 4 from 40h to FCh.',
        { id, offset },
      );
    }
    const name = `CAP_${offset.toString(16).toUpperCase()}`;
    return [
      { name: `${name}_ID`, offset, width: 1, reset: id } as const,
      {
        name: `${name}_NEXT`,
        offset: offset + 1,
        width: 1,
        reset: capabilities[i + 1]?.offset ?? 0,
      } as const,
      ...own,
    ];
  });
  const pointer = {
    name: 'CAPABILITIES',
    offset: 0x34,
    width: 1,
    reset: capabilities[0]?.offset ?? 0,
  } as const;
  return [pointer, ...rows];
}

/** A register bit that resets the function when 1 is written to it, and reads 0. */
function resetBit(register: string, bit: number): Pick<PciCapability, 'attach' | 'configWrite' | 'applied'> {
  let host: CapabilityHost | undefined;
  let asked = false;
  return {
    attach: (given) => {
      host = given;
    },
    configWrite: ({ name, value, raw }) => {
      if (name !== register) return value;
      if ((raw & bit) !== 0) asked = true;
      return value & ~bit;
    },
    applied: () => {
      if (!asked) return;
      asked = false; // the whole access first, then the reset
      host?.reset();
    },
  };
}

/** PCI Express capability of a root complex integrated endpoint, with FLR. Links it has none. */
export function expressCapability(offset: number): PciCapability {
  return {
    id: PCI_CAP_ID_EXP,
    offset,
    rows: [
      { name: 'EXP_FLAGS', offset: offset + 0x02, width: 2, reset: EXP_FLAGS },
      { name: 'EXP_DEVCAP', offset: offset + 0x04, width: 4, reset: EXP_DEVCAP },
      { name: 'EXP_DEVCTL', offset: offset + 0x08, width: 2, writable: EXP_ERRORS | EXP_DEVCTL_FLR },
      { name: 'EXP_DEVSTA', offset: offset + 0x0a, width: 2, w1c: EXP_ERRORS },
    ],
    ...resetBit('EXP_DEVCTL', EXP_DEVCTL_FLR),
  };
}

/** Advanced Features capability: FLR for conventional functions. */
export function advancedFeatures(offset: number): PciCapability {
  return {
    id: PCI_CAP_ID_AF,
    offset,
    rows: [
      { name: 'AF_LENGTH', offset: offset + 2, width: 1, reset: AF_LENGTH },
      { name: 'AF_CAP', offset: offset + 3, width: 1, reset: AF_CAP },
      { name: 'AF_CTRL', offset: offset + 4, width: 1, writable: AF_CTRL_FLR },
      { name: 'AF_STATUS', offset: offset + 5, width: 1 },
    ],
    ...resetBit('AF_CTRL', AF_CTRL_FLR),
  };
}
