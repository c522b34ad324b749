/**
 * Which clusters of a qcow2 file are in use: the refcount table, its blocks, and who takes and gives back clusters.
 *
 * Counts change in memory; `writeDirty` puts them into the file. A block that is new and a table that grew are in the
 * file, on the disk, when the call that needed them returns.
 * Source: QEMU, docs/interop/qcow2.txt, "Host cluster management".
 */
import { SmmError } from '@smm/x86-defs';
import type { ByteStore } from './byte-store.ts';
import { type Qcow2Header, REFCOUNT_TABLE_FIELD, setU64, viewOf } from './qcow2-header.ts';

interface Block {
  readonly offset: number;
  readonly bytes: Uint8Array;
  dirty: boolean;
}

/** Blocks that are kept though they could be read again. */
const MOST_CLEAN_BLOCKS = 64;

/** The refcounts of one image that is written. */
export class Qcow2Refcounts {
  readonly #file: ByteStore;
  readonly #clusterBytes: number;
  readonly #order: number;
  /** Counts in a block. */
  readonly #perBlock: number;
  readonly #blocks = new Map<number, Block>();
  #table: DataView;
  #tableOffset: number;
  /** No cluster below this one is free. */
  #hint = 0;

  /** Reads the table. */
  constructor(file: ByteStore, header: Qcow2Header) {
    this.#file = file;
    this.#clusterBytes = 2 ** header.clusterBits;
    this.#order = header.refcountOrder;
    this.#perBlock = (this.#clusterBytes * 8) / 2 ** this.#order;
    this.#tableOffset = header.refcountTableOffset;
    const table = new Uint8Array(header.refcountTableClusters * this.#clusterBytes);
    file.read(this.#tableOffset, table);
    this.#table = viewOf(table);
  }

  /** There are counts that are not in the file yet. */
  get dirty(): boolean {
    for (const block of this.#blocks.values()) if (block.dirty) return true;
    return false;
  }

  /** Takes a free cluster: its place in the file, bytes. What is in it is whatever was there. */
  allocate(): number {
    for (;;) {
      const cluster = this.#hint;
      const index = Math.floor(cluster / this.#perBlock);
      if (index >= this.#entries) this.#grow();
      const block = this.#block(index) ?? this.#addBlock(index);
      this.#hint = cluster + 1;
      if (this.#get(block, cluster) !== 0) continue;
      this.#set(block, cluster, 1);
      return cluster * this.#clusterBytes;
    }
  }

  /** Counts one user less of the cluster at this place. Throws `SmmError` `IMAGE_DAMAGED` if it had none. */
  release(offset: number): void {
    const cluster = Math.floor(offset / this.#clusterBytes);
    const block = this.#block(Math.floor(cluster / this.#perBlock));
    const count = block === undefined ? 0 : this.#get(block, cluster);
    if (block === undefined || count === 0) {
      throw new SmmError(
        'IMAGE_DAMAGED',
        `the qcow2 image uses the cluster at 0x${offset.toString(16)}, which it counts as free`,
        'Repair it with qemu-img check -r all.',
        { offset },
      );
    }
    this.#set(block, cluster, count - 1);
    if (count === 1) this.#hint = Math.min(this.#hint, cluster);
  }

  /** Writes changed counts into the file. */
  writeDirty(): void {
    for (const block of this.#blocks.values()) {
      if (block.dirty) this.#file.write(block.offset, block.bytes);
      block.dirty = false;
    }
    for (const [index, block] of this.#blocks) {
      if (this.#blocks.size <= MOST_CLEAN_BLOCKS) break;
      if (!block.dirty) this.#blocks.delete(index);
    }
  }

  get #entries(): number {
    return this.#table.byteLength / 8;
  }

  #block(index: number): Block | undefined {
    const kept = this.#blocks.get(index);
    if (kept !== undefined || index >= this.#entries) return kept;
    const [high, low] = [this.#table.getUint32(8 * index), this.#table.getUint32(8 * index + 4)];
    const offset = high * 2 ** 32 + low;
    if (offset === 0) return undefined;
    if (offset % this.#clusterBytes !== 0 || !Number.isSafeInteger(offset)) {
      throw new SmmError(
        'IMAGE_DAMAGED',
        `the qcow2 image has refcounts at 0x${offset.toString(16)}, where no cluster begins`,
        'Repair it with qemu-img check -r all.',
        { offset },
      );
    }
    const bytes = new Uint8Array(this.#clusterBytes);
    this.#file.read(offset, bytes);
    const block = { offset, bytes, dirty: false };
    this.#blocks.set(index, block);
    return block;
  }

  /** A block for clusters none of which is in use: it lies in the first of them. */
  #addBlock(index: number): Block {
    const first = index * this.#perBlock;
    const block = {
      offset: first * this.#clusterBytes,
      bytes: new Uint8Array(this.#clusterBytes),
      dirty: false,
    };
    this.#set(block, first, 1);
    this.#file.write(block.offset, block.bytes);
    this.#file.flush(); // the block first, then who names it
    block.dirty = false;
    setU64(this.#table, 8 * index, block.offset);
    this.#file.write(this.#tableOffset + 8 * index, bytesOf(this.#table, 8 * index, 8));
    this.#blocks.set(index, block);
    return block;
  }

  /** A table half as large again, behind all that the old one reaches, with the blocks that count it. */
  #grow(): void {
    const old = { offset: this.#tableOffset, bytes: this.#table.byteLength };
    const clusters = Math.ceil((old.bytes * 1.5) / this.#clusterBytes) + 1;
    const first = this.#entries * this.#perBlock;
    let blocks = 1;
    while (blocks * this.#perBlock < blocks + clusters) blocks++;
    const table = viewOf(new Uint8Array(clusters * this.#clusterBytes));
    bytesOf(table, 0, old.bytes).set(bytesOf(this.#table, 0, old.bytes));
    for (let i = 0; i < blocks; i++) {
      const block = {
        offset: (first + i) * this.#clusterBytes,
        bytes: new Uint8Array(this.#clusterBytes),
        dirty: false,
      };
      const from = first + i * this.#perBlock;
      for (let at = from; at < Math.min(from + this.#perBlock, first + blocks + clusters); at++)
        this.#set(block, at, 1);
      this.#file.write(block.offset, block.bytes);
      block.dirty = false;
      setU64(table, old.bytes + 8 * i, block.offset);
      this.#blocks.set(this.#entries + i, block);
    }
    this.#tableOffset = (first + blocks) * this.#clusterBytes;
    this.#file.write(this.#tableOffset, bytesOf(table, 0, table.byteLength));
    this.#file.flush(); // the table first, then who names it
    const field = viewOf(new Uint8Array(12));
    setU64(field, 0, this.#tableOffset);
    field.setUint32(8, clusters);
    this.#file.write(REFCOUNT_TABLE_FIELD, bytesOf(field, 0, 12));
    this.#file.flush();
    this.#table = table;
    for (let at = 0; at < old.bytes; at += this.#clusterBytes) this.release(old.offset + at);
  }

  #get({ bytes }: Block, cluster: number): number {
    const at = cluster % this.#perBlock;
    if (this.#order < 3) {
      const bits = 2 ** this.#order;
      return (bytes[(at * bits) >>> 3]! >>> ((at * bits) & 7)) & (2 ** bits - 1);
    }
    let value = 0;
    const width = 2 ** (this.#order - 3);
    for (let i = 0; i < width; i++) value = value * 256 + bytes[at * width + i]!;
    return value;
  }

  #set(block: Block, cluster: number, count: number): void {
    const { bytes } = block;
    const at = cluster % this.#perBlock;
    block.dirty = true;
    if (this.#order < 3) {
      const bits = 2 ** this.#order;
      const [byte, shift] = [(at * bits) >>> 3, (at * bits) & 7];
      bytes[byte] = (bytes[byte]! & ~((2 ** bits - 1) << shift)) | (count << shift);
      return;
    }
    const width = 2 ** (this.#order - 3);
    for (let i = width - 1, rest = count; i >= 0; i--, rest = Math.floor(rest / 256))
      bytes[at * width + i] = rest % 256;
  }
}

function bytesOf(view: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, length);
}
