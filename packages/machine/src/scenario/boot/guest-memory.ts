/** Structures in guest memory, read where they lie. */
import { type ByteRange, dataViewOf } from './byte-search.ts';
import { guidAt, utf16 } from './firmware-volumes.ts';

/** Bytes of guest memory that lie behind each other. */
export interface MemoryRegion {
  /** Guest-physical address of the first. */
  readonly start: number;
  /** The bytes themselves, not a copy. */
  readonly bytes: Uint8Array;
  /** Which of them may hold something, as offsets, multiples of 4; all unless given. */
  readonly used?: readonly ByteRange[];
}

/** Reads fields of structures in one region; addresses outside it read as nothing. */
export class Fields {
  readonly #region: MemoryRegion;
  readonly #view: DataView;
  /** Bytes of a pointer. */
  readonly width: number;

  /** @param width - bytes of a pointer, 4 or 8 */
  constructor(region: MemoryRegion, width: number) {
    this.#region = region;
    this.#view = dataViewOf(region.bytes);
    this.width = width;
  }

  /** The address lies in the region. */
  has(address: number): boolean {
    return this.#at(address, 1) !== undefined;
  }

  /** 32 bits. */
  u32(address: number): number {
    const at = this.#at(address, 4);
    return at === undefined ? 0 : this.#view.getUint32(at, true);
  }

  /** An address. */
  pointer(address: number): number {
    return this.u32(address) + (this.width === 8 ? this.u32(address + 4) * 2 ** 32 : 0);
  }

  /** A GUID, lower-case; empty outside the region. */
  guid(address: number): string {
    const at = this.#at(address, 16);
    return at === undefined ? '' : guidAt(this.#view, at);
  }

  /** UTF-16 text of at most so many bytes. */
  text(address: number, sizeBytes: number): string {
    const at = this.#at(address, sizeBytes);
    return at === undefined ? '' : utf16(this.#view, at, at + sizeBytes);
  }

  #at(address: number, size: number): number | undefined {
    const at = address - this.#region.start;
    return at >= 0 && at + size <= this.#view.byteLength ? at : undefined;
  }
}
