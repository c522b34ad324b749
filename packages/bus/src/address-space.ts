/**
 * The guest-physical address space: regions with priorities, compiled into one flat view for SMM and one for everything
 * else.
 */
import { SmmError, UnmodelledError } from '@smm/x86-defs';
import { FlatView, sameView } from './flat-view.ts';
import { PHYSICAL_ADDRESS_LIMIT } from './physical-address.ts';
import type { RamWindow } from './ram-window.ts';
import {
  type FlatPiece,
  newResolution,
  type Region,
  type RegionHandle,
  type Resolution,
  type UnclaimedAccess,
} from './regions.ts';
import { type AccessSize, TX_DEBUG, TX_SMM, type TxAttrs } from './transaction.ts';

/** Which views differ after a change of the map: what must be flushed. */
export interface MapChange {
  /** The view of processors outside SMM, DMA and debuggers without `TX_SMM`. */
  readonly normal: boolean;
  /** The view of processors in SMM. */
  readonly smm: boolean;
}

/** Bytes of one block transfer that a device may be asked for, byte by byte: more is not modelled. */
const LONGEST_DEVICE_BLOCK = 0x1_0000;

/** Ports of a {@link PhysicalAddressSpace}. */
export interface AddressSpacePorts {
  /** Where RAM and ROM bytes live. */
  readonly ram: RamWindow;
  /**
   * Called after bytes of the RAM window were written by {@link PhysicalAddressSpace.write} or `writeBlock`, so that
   * decoded code can be dropped. `hostOffset` and `sizeBytes` are within the RAM window.
   */
  readonly written?: (hostOffset: number, sizeBytes: number) => void;
  /** Told of every access that nothing answered, except debug accesses. */
  readonly onUnclaimed?: (access: UnclaimedAccess) => void;
}

/**
 * Maps guest-physical addresses to RAM, ROM, devices or nothing, separately for SMM and not.
 *
 * Accesses that cross from one piece into another are split into bytes, each going where it belongs. All-ones answers a
 * read that nothing claims; a write that nothing claims is dropped; both are reported through `onUnclaimed`. Source of
 * the model: the flattened memory map of PC chipsets as Intel's MCH datasheets draw it ("System Address Map").
 */
export class PhysicalAddressSpace {
  // wiring
  readonly #ports: AddressSpacePorts;
  readonly #bytes: Uint8Array;
  readonly #listeners = new Set<(change: MapChange) => void>();
  readonly #scratch = newResolution();
  // state: derived from registrations, re-created by the owners of the regions on restore
  #slots: { region: Region }[] = [];
  #normal = new FlatView([], false);
  #smm = new FlatView([], true);
  #version = 0;
  #batchDepth = 0;
  #dirty = false;

  constructor(ports: AddressSpacePorts) {
    this.#ports = ports;
    this.#bytes = new Uint8Array(ports.ram.buffer, ports.ram.byteOffset, ports.ram.byteLength);
  }

  /** Grows by one with every change of either view. */
  get version(): number {
    return this.#version;
  }

  /** Registers one region. Throws as {@link PhysicalAddressSpace.addAll} does. */
  add(region: Region): RegionHandle {
    return this.addAll([region])[0]!;
  }

  /**
   * Registers regions in order, or none of them. Throws `SmmError`: `BUS_RANGE` for a region that is empty, out of the
   * address space or backed by bytes outside the RAM window, `BUS_NAME` for a name that is taken, `BUS_OVERLAP` for
   * enabled regions of equal priority that meet in some view; all conflicts are collected in `details.conflicts`.
   */
  addAll(regions: readonly Region[]): RegionHandle[] {
    const taken = new Set(this.#slots.map((slot) => slot.region.name));
    for (const region of regions) {
      this.#checkRange(region);
      if (taken.has(region.name)) {
        throw new SmmError(
          'BUS_NAME',
          `a region named ${region.name} exists already`,
          'Give each region its own name.',
          { name: region.name },
        );
      }
      taken.add(region.name);
    }
    const conflicts = findOverlaps(
      this.#slots.map((slot) => slot.region),
      regions,
    );
    if (conflicts.length > 0) {
      throw new SmmError(
        'BUS_OVERLAP',
        `regions overlap: ${conflicts.map((c) => `${describe(c.a)} and ${describe(c.b)}`).join('; ')}`,
        'Move one of them, or give them different priorities.',
        { conflicts: conflicts.map((c) => ({ a: c.a.name, b: c.b.name })) },
      );
    }
    const slots = regions.map((region) => ({ region }));
    this.#slots.push(...slots);
    this.#rebuild();
    return slots.map((slot) => this.#handle(slot));
  }

  /** Runs several changes as one: views are compiled and listeners called once, at the end. */
  update(changes: () => void): void {
    this.#batchDepth++;
    try {
      changes();
    } finally {
      this.#batchDepth--;
      if (this.#batchDepth === 0 && this.#dirty) this.#rebuild();
    }
  }

  /** Calls back after each change of the map. Returns how to stop. */
  onChange(listener: (change: MapChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks an address up, into an object that the caller reuses. `smm` chooses the view. */
  resolve(gpa: number, smm: boolean, out: Resolution): void {
    (smm ? this.#smm : this.#normal).resolve(gpa, out);
  }

  /**
   * Offset in the RAM window, bytes, that reads of an address come from, or -1 if it is no RAM or ROM: {@link resolve}
   * in short.
   */
  ramOffset(gpa: number, smm: boolean): number {
    return (smm ? this.#smm : this.#normal).ramOffset(gpa);
  }

  /** The compiled pieces of one view in address order, without gaps: what memory slots are made from. */
  pieces(smm: boolean): readonly FlatPiece[] {
    return (smm ? this.#smm : this.#normal).pieces;
  }

  /** Reads `size` bytes, little-endian, unsigned. */
  read(gpa: number, size: AccessSize, attrs: TxAttrs): number {
    const at = this.#scratch;
    this.resolve(gpa, (attrs & TX_SMM) !== 0, at);
    if (gpa + size - 1 > at.lastAddress) {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + this.read(gpa + i, 1, attrs);
      return value;
    }
    if (at.kind === 'ram') return readLittleEndian(this.#bytes, at.hostOffset, size);
    if (at.kind === 'device') return truncate(at.device!.read(at.offset, size, attrs), size);
    this.#report(gpa, size, undefined, attrs, at.name);
    return truncate(0xffff_ffff, size);
  }

  /** Writes `size` bytes, little-endian; higher bits of `value` are ignored. */
  write(gpa: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    const at = this.#scratch;
    this.resolve(gpa, (attrs & TX_SMM) !== 0, at);
    if (gpa + size - 1 > at.lastAddress) {
      for (let i = 0; i < size; i++) this.write(gpa + i, 1, (value >>> (8 * i)) & 0xff, attrs);
      return;
    }
    if (at.writable) {
      const { hostOffset } = at;
      for (let i = 0; i < size; i++) this.#bytes[hostOffset + i] = value >>> (8 * i);
      this.#ports.written?.(hostOffset, size);
    } else if (at.device !== undefined) at.device.write(at.offset, size, truncate(value, size), attrs);
    else this.#report(gpa, size, truncate(value, size), attrs, at.name);
  }

  /**
   * Copies bytes out: DMA, debuggers, save states. Devices are read by aligned dwords, words and bytes; what nothing
   * answers is one report for each piece. Throws `UnmodelledError` `BUS_DEVICE_BLOCK` for 64 KiB or more from one
   * device, except to debuggers.
   */
  readBlock(gpa: number, into: Uint8Array, attrs: TxAttrs): void {
    const at = newResolution();
    for (let done = 0; done < into.length; ) {
      const start = gpa + done;
      this.resolve(start, (attrs & TX_SMM) !== 0, at);
      const count = Math.min(into.length - done, at.lastAddress - start + 1);
      if (at.kind === 'ram') into.set(this.#bytes.subarray(at.hostOffset, at.hostOffset + count), done);
      else if (at.kind === 'device') {
        checkDeviceBlock(at.name, start, count, attrs);
        for (let i = 0, size: AccessSize; i < count; i += size) {
          size = widest(start + i, count - i);
          const value = this.read(start + i, size, attrs);
          for (let b = 0; b < size; b++) into[done + i + b] = value >>> (8 * b);
        }
      } else {
        into.fill(0xff, done, done + count);
        this.#report(start, count, undefined, attrs, at.name);
      }
      done += count;
    }
  }

  /** Copies bytes in, and reports RAM through `written`. Otherwise as {@link readBlock}. */
  writeBlock(gpa: number, from: Uint8Array, attrs: TxAttrs): void {
    const at = newResolution();
    for (let done = 0; done < from.length; ) {
      const start = gpa + done;
      this.resolve(start, (attrs & TX_SMM) !== 0, at);
      const count = Math.min(from.length - done, at.lastAddress - start + 1);
      if (at.writable) {
        const { hostOffset } = at;
        this.#bytes.set(from.subarray(done, done + count), hostOffset);
        this.#ports.written?.(hostOffset, count);
      } else if (at.device !== undefined) {
        checkDeviceBlock(at.name, start, count, attrs);
        for (let i = 0, size: AccessSize; i < count; i += size) {
          size = widest(start + i, count - i);
          this.write(start + i, size, readLittleEndian(from, done + i, size), attrs);
        }
      } else this.#report(start, count, from[done]!, attrs, at.name);
      done += count;
    }
  }

  #handle(slot: { region: Region }): RegionHandle {
    const space = this;
    return {
      get region() {
        return slot.region;
      },
      set(change) {
        const next = { ...slot.region, ...change } as Region;
        if (
          Object.entries(change).every(
            ([key, v]) => (slot.region as unknown as Record<string, unknown>)[key] === v,
          )
        ) {
          return;
        }
        space.#checkRange(next);
        slot.region = next;
        space.#rebuild();
      },
      remove() {
        const before = space.#slots.length;
        space.#slots = space.#slots.filter((other) => other !== slot);
        if (space.#slots.length !== before) space.#rebuild();
      },
    };
  }

  #rebuild(): void {
    if (this.#batchDepth > 0) {
      this.#dirty = true;
      return;
    }
    this.#dirty = false;
    const regions = this.#slots.map((slot) => slot.region);
    const normal = new FlatView(regions, false);
    const smm = new FlatView(regions, true);
    const change: MapChange = { normal: !sameView(normal, this.#normal), smm: !sameView(smm, this.#smm) };
    if (!change.normal && !change.smm) return;
    if (change.normal) this.#normal = normal;
    if (change.smm) this.#smm = smm;
    this.#version++;
    for (const listener of this.#listeners) listener(change);
  }

  #checkRange(region: Region): void {
    const { start, sizeBytes } = region;
    const whole = Number.isSafeInteger(start) && Number.isSafeInteger(sizeBytes);
    const hostOffset = region.kind === 'hole' ? undefined : region.hostOffset;
    const backed =
      hostOffset === undefined ||
      (Number.isSafeInteger(hostOffset) && hostOffset >= 0 && hostOffset + sizeBytes <= this.#bytes.length);
    if (!whole || start < 0 || sizeBytes < 1 || start + sizeBytes > PHYSICAL_ADDRESS_LIMIT || !backed) {
      throw new SmmError(
        'BUS_RANGE',
        backed
          ? `${describe(region)} does not fit into the physical address space`
          : `${describe(region)} is backed by host offset ${hostOffset}, outside the RAM window of ${this.#bytes.length} bytes`,
        'Check start, sizeBytes and hostOffset of the region.',
        { region: region.name, start, sizeBytes, hostOffset, windowBytes: this.#bytes.length },
      );
    }
  }

  #report(gpa: number, sizeBytes: number, value: number | undefined, attrs: TxAttrs, name: string): void {
    if ((attrs & TX_DEBUG) === 0) this.#ports.onUnclaimed?.({ gpa, sizeBytes, value, attrs, name });
  }
}

function checkDeviceBlock(name: string, gpa: number, sizeBytes: number, attrs: TxAttrs): void {
  if (sizeBytes < LONGEST_DEVICE_BLOCK || (attrs & TX_DEBUG) !== 0) return;
  throw new UnmodelledError(
    'BUS_DEVICE_BLOCK',
    `a block of ${sizeBytes} bytes at 0x${gpa.toString(16)} lies in ${name}, which is no memory`,
    `Transfer less than ${LONGEST_DEVICE_BLOCK} bytes at a time to or from a device.`,
    { name, gpa, sizeBytes },
  );
}

function findOverlaps(old: readonly Region[], added: readonly Region[]): { a: Region; b: Region }[] {
  const conflicts: { a: Region; b: Region }[] = [];
  added.forEach((b, i) => {
    for (const a of [...old, ...added.slice(0, i)]) {
      const views = [a.visible ?? 'always', b.visible ?? 'always'];
      const apart = views.includes('smm-only') && views.includes('normal-only');
      const mapped = (a.enabled ?? true) && (b.enabled ?? true) && !apart;
      const meet = a.start < b.start + b.sizeBytes && b.start < a.start + a.sizeBytes;
      if (mapped && meet && (a.priority ?? 0) === (b.priority ?? 0)) conflicts.push({ a, b });
    }
  });
  return conflicts;
}

function describe(region: Region): string {
  const last = region.start + region.sizeBytes - 1;
  return `${region.name} at 0x${region.start.toString(16)}..0x${last.toString(16)}`;
}

function readLittleEndian(bytes: Uint8Array, offset: number, size: AccessSize): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[offset + i]!;
  return value;
}

/**
 * Width of the next access to a device within a block: an aligned dword where there is room, as a bus master makes
 * it.
 */
function widest(gpa: number, left: number): AccessSize {
  if (gpa % 4 === 0 && left >= 4) return 4;
  return gpa % 2 === 0 && left >= 2 ? 2 : 1;
}

function truncate(value: number, size: AccessSize): number {
  return size === 4 ? value >>> 0 : value & (size === 2 ? 0xffff : 0xff);
}
