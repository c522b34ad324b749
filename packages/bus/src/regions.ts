/**
 * What can be mapped into a physical address space, and what an address resolves to. Addresses are guest-physical
 * numbers.
 */
import type { MmioDevice } from './device.ts';
import type { TxAttrs } from './transaction.ts';

/** In which of the two views (processor in SMM or not) a region is mapped. */
export type RegionVisibility = 'always' | 'smm-only' | 'normal-only';

/** What every kind of region has. */
export interface RegionPlacement {
  /** Unique name for traces and errors, such as `ram-low` or `tseg`. */
  readonly name: string;
  /** First guest-physical address. */
  readonly start: number;
  /** Size in bytes, at least 1. */
  readonly sizeBytes: number;
  /** Where regions overlap the highest priority wins; default 0. Equal priorities may not overlap when added. */
  readonly priority?: number;
  /** Default `always`. */
  readonly visible?: RegionVisibility;
  /** A disabled region is registered but not mapped; default true. */
  readonly enabled?: boolean;
}

/** RAM, or ROM when `readonly`. */
export interface RamRegion extends RegionPlacement {
  /** RAM or ROM. */
  readonly kind: 'ram';
  /** Where the region's first byte lies in the RAM window, bytes. */
  readonly hostOffset: number;
  /** Writes are dropped and reported; default false. */
  readonly readonly?: boolean;
}

/** A device's registers. */
export interface MmioRegion extends RegionPlacement {
  /** Device registers. */
  readonly kind: 'mmio';
  /** Gets every access, or with `hostOffset` every write. */
  readonly device: MmioDevice;
  /** Added to the offset that the device sees, bytes; default 0. */
  readonly deviceOffset?: number;
  /**
   * Flash: reads and fetches come from the RAM window here, writes go to the device. Undefined: the device gets both.
   */
  readonly hostOffset?: number | undefined;
}

/**
 * Nothing answers here, whatever lies below in priority: reads give all-ones, writes are dropped, both are reported.
 */
export interface HoleRegion extends RegionPlacement {
  /** Hides what lies below it; nobody answers. */
  readonly kind: 'hole';
}

/** Anything that {@link PhysicalAddressSpace} maps. */
export type Region = RamRegion | MmioRegion | HoleRegion;

/** What may change after registration. Fields left out keep their value. */
export interface RegionChange {
  /** First guest-physical address. */
  readonly start?: number;
  /** Size in bytes. */
  readonly sizeBytes?: number;
  /** View or views the region is in. */
  readonly visible?: RegionVisibility;
  /** Mapped or not. */
  readonly enabled?: boolean;
  /** New backing; for {@link MmioRegion} undefined takes the backing away. */
  readonly hostOffset?: number | undefined;
  /** For {@link RamRegion}: RAM or ROM. */
  readonly readonly?: boolean;
}

/** The owner's grip on a registered region. */
export interface RegionHandle {
  /** The region as it is now. */
  readonly region: Region;
  /**
   * Changes the mapping. Guests move and switch regions through chipset registers, so an overlap is no error here:
   * the higher priority wins, then the later registration.
   */
  set(change: RegionChange): void;
  /** Takes the region out for good. */
  remove(): void;
}

/** What a guest-physical address leads to. One object is reused for many look-ups. */
export interface Resolution {
  /**
   * `ram`: reads and fetches come from `hostOffset`; writes too if `writable`, else they go to `device`, or nowhere
   * when that is undefined. `device`: both go to `device` at `offset`. `unclaimed`: all-ones and dropped.
   */
  kind: 'ram' | 'device' | 'unclaimed';
  /** RAM-window offset of the address, bytes; -1 unless `ram`. */
  hostOffset: number;
  /** The device, when one is involved. */
  device: MmioDevice | undefined;
  /** Offset that the device sees, bytes. */
  offset: number;
  /** Stores may go straight to `hostOffset`. */
  writable: boolean;
  /**
   * Last guest-physical address of the homogeneous piece around the address: all of the above holds (offsets counting
   * on) up to it. Infinity in the last piece.
   */
  lastAddress: number;
  /** Region name, empty where no region is mapped. */
  name: string;
}

/** A fresh object for {@link PhysicalAddressSpace.resolve}. */
export function newResolution(): Resolution {
  return {
    kind: 'unclaimed',
    hostOffset: -1,
    device: undefined,
    offset: 0,
    writable: false,
    lastAddress: 0,
    name: '',
  };
}

/** One homogeneous piece of a flat view. */
export interface FlatPiece {
  /** First guest-physical address. */
  readonly start: number;
  /** Last guest-physical address; Infinity for the last piece, which reaches beyond the architecture's limit. */
  readonly lastAddress: number;
  /** The region that won here, or undefined where nothing is mapped. */
  readonly region: Region | undefined;
}

/** An access that nothing answered: unmapped, a hole, or a write to ROM. */
export interface UnclaimedAccess {
  /** Guest-physical address. */
  readonly gpa: number;
  /** Bytes: 1, 2 or 4 for an access, any number for what a block transfer met in one piece. */
  readonly sizeBytes: number;
  /** The value of a dropped write, the first byte's for a block; undefined for a read. */
  readonly value: number | undefined;
  /** Who asked. */
  readonly attrs: TxAttrs;
  /** The hole or ROM region, empty where nothing is mapped. */
  readonly name: string;
}
