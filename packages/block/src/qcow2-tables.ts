/**
 * Where the clusters of a qcow2 image's guest are: the two levels of tables, read as needed, changed in memory and
 * written when told to. Source: QEMU, docs/interop/qcow2.txt, "Cluster mapping".
 */
import { SmmError } from '@smm/x86-defs';
import type { ByteStore } from './byte-store.ts';
import { type Qcow2Header, viewOf } from './qcow2-header.ts';

/** Bits of the upper halves of entries: nobody else uses it, it is compressed. */
const COPIED = 0x8000_0000;
const COMPRESSED = 0x4000_0000;
/** Bits 55:32 and 31:9 of a place. */
const OFFSET_HIGH = 0x00ff_ffff;
const OFFSET_LOW = 0xffff_fe00;
/** Bit 0 of a lower half in version 3: it reads as zeros. */
const ZERO = 1;
/** Bytes of tables that are kept though they could be read again. */
const MOST_CLEAN_BYTES = 4 * 2 ** 20;

/** What an entry of the second level says. Places are bytes in the file. */
export type Cluster =
  | { readonly kind: 'absent' }
  | { readonly kind: 'data' | 'zero'; readonly offset: number; readonly own: boolean }
  | { readonly kind: 'compressed'; readonly offset: number; readonly sizeBytes: number };

interface Table {
  readonly offset: number;
  readonly view: DataView;
  dirty: boolean;
}

/** Whom the tables ask for clusters of their own. */
export interface ClusterPool {
  /** Takes a cluster. */
  readonly allocate: () => number;
  /** One is used no longer, once the tables are in the file. */
  readonly release: (offset: number) => void;
}

/** The tables of one image. */
export class Qcow2Tables {
  /** Second tables that are changed and not in the file. */
  dirtyTables = 0;
  readonly #file: ByteStore;
  readonly #header: Qcow2Header;
  readonly #clusterBytes: number;
  readonly #l1: DataView;
  readonly #l1Dirty = new Set<number>();
  /** By place; the one used last is last. */
  readonly #l2 = new Map<number, Table>();

  /** Reads the first table. */
  constructor(file: ByteStore, header: Qcow2Header) {
    this.#file = file;
    this.#header = header;
    this.#clusterBytes = 2 ** header.clusterBits;
    const l1 = new Uint8Array(header.l1Entries * 8);
    file.read(header.l1Offset, l1);
    this.#l1 = viewOf(l1);
  }

  /** Where the guest's cluster of this number is. */
  get(cluster: number): Cluster {
    const { index, l2Offset } = this.#locate(cluster);
    return l2Offset === 0 ? { kind: 'absent' } : this.#entry(this.#load(l2Offset), index);
  }

  /** Says that the guest's cluster is at this place, and nobody else uses it. */
  set(cluster: number, offset: number, pool: ClusterPool): void {
    const { l1Index, index, l2Offset, own } = this.#locate(cluster);
    const table = l2Offset !== 0 && own ? this.#load(l2Offset) : this.#newTable(l1Index, l2Offset, pool);
    table.view.setUint32(8 * index, COPIED + Math.floor(offset / 2 ** 32));
    table.view.setUint32(8 * index + 4, offset % 2 ** 32);
    this.#markDirty(table);
  }

  /** Writes changed second tables into the file. */
  writeTables(): void {
    for (const table of this.#l2.values()) {
      if (!table.dirty) continue;
      this.#file.write(table.offset, bytesOf(table.view));
      table.dirty = false;
    }
    this.dirtyTables = 0;
    this.#evict();
  }

  /** The first table names others than the file says. */
  get rootDirty(): boolean {
    return this.#l1Dirty.size > 0;
  }

  /** Writes changed entries of the first table into the file. */
  writeRoot(): void {
    for (const index of this.#l1Dirty)
      this.#file.write(
        this.#header.l1Offset + 8 * index,
        bytesOf(this.#l1).subarray(8 * index, 8 * index + 8),
      );
    this.#l1Dirty.clear();
  }

  #locate(cluster: number): { l1Index: number; index: number; l2Offset: number; own: boolean } {
    const perTable = this.#clusterBytes / 8;
    const l1Index = Math.floor(cluster / perTable);
    const [high, low] = [this.#l1.getUint32(8 * l1Index), this.#l1.getUint32(8 * l1Index + 4)];
    const l2Offset = this.#place(high, low);
    return { l1Index, index: cluster % perTable, l2Offset, own: (high & COPIED) !== 0 };
  }

  #newTable(l1Index: number, old: number, pool: ClusterPool): Table {
    const view = viewOf(new Uint8Array(this.#clusterBytes));
    if (old !== 0) bytesOf(view).set(bytesOf(this.#load(old).view));
    const offset = pool.allocate();
    const table = { offset, view, dirty: false };
    this.#l2.set(offset, table);
    this.#l1.setUint32(8 * l1Index, COPIED + Math.floor(offset / 2 ** 32));
    this.#l1.setUint32(8 * l1Index + 4, offset % 2 ** 32);
    this.#l1Dirty.add(l1Index);
    if (old !== 0) {
      this.#l2.delete(old); // its cluster may become another's
      pool.release(old);
    }
    return table;
  }

  #load(offset: number): Table {
    const kept = this.#l2.get(offset);
    if (kept !== undefined) {
      this.#l2.delete(offset);
      this.#l2.set(offset, kept);
      return kept;
    }
    const bytes = new Uint8Array(this.#clusterBytes);
    this.#file.read(offset, bytes);
    const table = { offset, view: viewOf(bytes), dirty: false };
    this.#l2.set(offset, table);
    this.#evict();
    return table;
  }

  #markDirty(table: Table): void {
    if (!table.dirty) this.dirtyTables++;
    table.dirty = true;
  }

  /** Forgets clean tables, those used longest ago first. */
  #evict(): void {
    const most = Math.max(2, MOST_CLEAN_BYTES / this.#clusterBytes);
    for (const [offset, table] of this.#l2) {
      if (this.#l2.size <= most) return;
      if (!table.dirty) this.#l2.delete(offset);
    }
  }

  #entry({ view }: Table, index: number): Cluster {
    const [high, low] = [view.getUint32(8 * index), view.getUint32(8 * index + 4)];
    if ((high & COMPRESSED) !== 0) return this.#compressed(high, low);
    const offset = this.#place(high, low);
    const own = (high & COPIED) !== 0;
    if ((low & ZERO) !== 0 && this.#header.version === 3) return { kind: 'zero', offset, own };
    return offset === 0 ? { kind: 'absent' } : { kind: 'data', offset, own };
  }

  /** Low bits are the place, the bits above them how many more sectors of 512 bytes it takes than the one begun. */
  #compressed(high: number, low: number): Cluster {
    const placeBits = 62 - (this.#header.clusterBits - 8);
    const word = (BigInt(high & ~(COPIED | COMPRESSED)) << 32n) | BigInt(low);
    const offset = Number(word & ((1n << BigInt(placeBits)) - 1n));
    const sectors = Number(word >> BigInt(placeBits)) + 1;
    return { kind: 'compressed', offset, sizeBytes: sectors * 512 - (offset % 512) };
  }

  #place(high: number, low: number): number {
    const offset = (high & OFFSET_HIGH) * 2 ** 32 + ((low & OFFSET_LOW) >>> 0);
    if (offset % this.#clusterBytes === 0 && Number.isSafeInteger(offset)) return offset;
    throw new SmmError(
      'IMAGE_DAMAGED',
      `the qcow2 image says that something is at 0x${offset.toString(16)}, where no cluster begins`,
      'Repair it with qemu-img check -r all.',
      { offset },
    );
  }
}

function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
