/**
 * One PCI function: its 256-byte configuration space as a register table. PCI Local Bus Specification, "Configuration
 * Space Organization".
 */
import {
  type AccessSize,
  type InterruptLine,
  type IoPortSpace,
  type PhysicalAddressSpace,
  RegisterFile,
  type RegisterFileState,
  type RegisterSpec,
  type RegisterWrite,
  type TxAttrs,
} from '@smm/bus';
import { checkOptions, isFlag, isObject, isWhole, maybe, type OptionShape } from '@smm/x86-defs';
import type { Part, PartState, ResetKind } from './part.ts';

/** Size in bytes of a conventional configuration space. */
export const PCI_CONFIG_SIZE = 0x100;

/** Who made the board that a function is on. */
export interface PciSubsystem {
  /** Vendor id, 16 bit. */
  readonly vendorId: number;
  /** The vendor's id of the board, 16 bit. */
  readonly id: number;
}

/** What {@link pciHeader} needs to know. */
export interface PciIdentity {
  /** Vendor id, 16 bit. */
  readonly vendorId: number;
  /** Device id, 16 bit. */
  readonly deviceId: number;
  /** Revision id, 8 bit. */
  readonly revision: number;
  /** Class code, 24 bit: class, subclass, programming interface. */
  readonly classCode: number;
  /** Other functions share the device number. */
  readonly multifunction: boolean;
  /** Subsystem; default that of QEMU's machines. */
  readonly subsystem?: PciSubsystem;
}

const IDENTITY_SHAPE: OptionShape<PciIdentity> = {
  vendorId: isWhole(0, 0xffff),
  deviceId: isWhole(0, 0xffff),
  revision: isWhole(0, 0xff),
  classCode: isWhole(0, 0xff_ffff),
  multifunction: isFlag,
  subsystem: maybe(isObject),
};

/** PCI vendor id that QEMU's machines use for subsystems. */
const SUBSYSTEM_VENDOR_QEMU = 0x1af4;
/** Subsystem id of QEMU's machines. */
const SUBSYSTEM_QEMU = 0x1100;

/** The type 0 header without base addresses, as QEMU's q35 presents it (measured; subsystem ids are QEMU's). */
export function pciHeader(id: PciIdentity): RegisterSpec[] {
  checkOptions<PciIdentity>('the identity of a PCI function', id, IDENTITY_SHAPE);
  return [
    { name: 'VENDOR_ID', offset: 0x00, width: 2, reset: id.vendorId },
    { name: 'DEVICE_ID', offset: 0x02, width: 2, reset: id.deviceId },
    { name: 'COMMAND', offset: 0x04, width: 2, writable: 0x0507 },
    { name: 'STATUS', offset: 0x06, width: 2, w1c: 0xf900 },
    { name: 'REVISION_ID', offset: 0x08, width: 1, reset: id.revision },
    { name: 'CLASS_INTERFACE', offset: 0x09, width: 1, reset: id.classCode & 0xff },
    { name: 'CLASS', offset: 0x0a, width: 2, reset: id.classCode >>> 8 },
    { name: 'CACHE_LINE_SIZE', offset: 0x0c, width: 1, writable: 0xff },
    { name: 'HEADER_TYPE', offset: 0x0e, width: 1, reset: id.multifunction ? 0x80 : 0 },
    {
      name: 'SUBSYSTEM_VENDOR_ID',
      offset: 0x2c,
      width: 2,
      reset: id.subsystem?.vendorId ?? SUBSYSTEM_VENDOR_QEMU,
    },
    { name: 'SUBSYSTEM_ID', offset: 0x2e, width: 2, reset: id.subsystem?.id ?? SUBSYSTEM_QEMU },
    { name: 'INTERRUPT_LINE', offset: 0x3c, width: 1, writable: 0xff },
  ];
}

/**
 * Fills the bytes from 40h on that `rows` leaves free with plain read-write bytes named `SCRATCH_xx`: QEMU's
 * device-specific space is storage unless it says otherwise, and firmware relies on reading back what it wrote.
 */
export function withScratch(rows: readonly RegisterSpec[]): RegisterSpec[] {
  const taken = new Set(rows.flatMap((row) => Array.from({ length: row.width }, (_, i) => row.offset + i)));
  const free: RegisterSpec[] = [];
  for (let offset = 0x40; offset < PCI_CONFIG_SIZE; offset++) {
    if (taken.has(offset)) continue;
    free.push({ name: `SCRATCH_${offset.toString(16).toUpperCase()}`, offset, width: 1, writable: 0xff });
  }
  return [...rows, ...free];
}

/** Where a function is on its bus. */
export interface PciPlace {
  /** Device number, 0 to 31. */
  readonly device: number;
  /** Function number, 0 to 7. */
  readonly function: number;
}

/** What the bus gives to a function. */
export interface PciBusPorts {
  /** The wire of interrupt pin 1 (INTA) to 4 (INTD): a new input. */
  readonly intx: (pin: number) => InterruptLine;
  /** The number of the bus, 8 bit; bridges have theirs from software. */
  readonly busNumber: () => number;
  /** Whether every bridge above passes on what bus masters write and read. */
  readonly mayMaster: () => boolean;
  /** Whether every bridge above passes on accesses to all of a range. `start` is a port or guest-physical address. */
  readonly decodes: (space: 'io' | 'memory', start: number, sizeBytes: number) => boolean;
}

/** What bus 0 gives, but for its interrupt wires: nothing stands above it. */
export const ROOT_BUS: Omit<PciBusPorts, 'intx'> = {
  busNumber: () => 0,
  mayMaster: () => true,
  decodes: () => true,
};

/** A function on a PCI bus. Devices derive from it and react in {@link PciFunction.configWrite}. */
export abstract class PciFunction implements Part {
  /** Short name for traces, such as `mch`. */
  readonly name: string;
  /** Where it is. */
  readonly place: PciPlace;
  /** The registers. Derived devices read and set them. */
  protected readonly config: RegisterFile<string>;

  protected constructor(name: string, place: PciPlace, table: readonly RegisterSpec[]) {
    this.name = name;
    this.place = place;
    this.config = new RegisterFile<string>(`${name} config`, PCI_CONFIG_SIZE, table, {
      write: (write) => this.configWrite(write),
    });
  }

  /** Registers the addresses that it answers, once. */
  map?(io: IoPortSpace, memory: PhysicalAddressSpace): void;

  /** Called once, when the function is put on its bus. */
  connect(_bus: PciBusPorts): void {}

  /** The bridge above changed what it passes on: derive mappings again. */
  busChanged(): void {
    this.applied();
  }

  /**
   * For bridges: the function behind it at a bus number and `device << 3 | function`, if that is reached through it.
   */
  route(_busNumber: number, _deviceFunction: number): PciFunction | undefined {
    return undefined;
  }

  /** Reads configuration space at a byte offset, unsigned. From 100h on there is none: all-ones. */
  readConfig(offset: number, size: AccessSize, attrs: TxAttrs): number {
    if (offset + size > PCI_CONFIG_SIZE) return size === 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
    return this.config.read(offset, size, attrs);
  }

  /** Writes configuration space at a byte offset; from 100h on ignored. */
  writeConfig(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if (offset + size > PCI_CONFIG_SIZE) return;
    this.config.write(offset, size, value, attrs);
    this.applied();
  }

  /** Stored value of a register by name, unsigned: for debuggers and tests. */
  register(name: string): number {
    return this.config.get(name);
  }

  /** Puts every register to its reset value. A function-level or hot reset is `system`. */
  reset(_kind: ResetKind): void {
    this.config.reset();
    this.applied();
  }

  /** Copies configuration space out. */
  save(): PartState {
    return this.config.save();
  }

  /** Puts configuration space back and re-applies it. */
  restore(state: PartState): void {
    this.config.restore(state as RegisterFileState);
    this.applied();
  }

  /** Decides what a write stores; default is what the table says. */
  protected configWrite(write: RegisterWrite<string>): number {
    return write.value;
  }

  /** Called after registers changed: derive mappings from them here. */
  protected applied(): void {}
}
