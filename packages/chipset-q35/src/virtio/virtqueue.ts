/**
 * A split virtqueue as a device sees it: takes chains of descriptors from the available ring and gives them back
 * through the used ring. Rings are read as they are needed, and nothing that a driver writes there makes a chain
 * longer than the queue, so loops end. What no driver may write is a {@link QueueFault}.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Split Virtqueues".
 */
import { physicalAddress } from '@smm/bus';
import type { Dma } from '../ahci/prd-table.ts';

/** The driver broke the rules of the queue. */
export class QueueFault extends Error {}

/** A piece of memory, guest-physical. */
export interface Piece {
  /** First byte. */
  readonly gpa: number;
  /** Bytes. */
  readonly length: number;
}

/** A chain: what the device reads, then what it writes. */
export interface Chain {
  /** Index of its first descriptor. */
  readonly head: number;
  /** For the device to read. */
  readonly readable: readonly Piece[];
  /** For the device to write. */
  readonly writable: readonly Piece[];
}

/** Registers and progress of a queue. Addresses are guest-physical. */
export interface QueueState {
  /** Descriptors. */
  size: number;
  /** MSI-X vector, or FFFFh. */
  vector: number;
  /** The driver has set it up. */
  enabled: boolean;
  /** Descriptor table, available ring and used ring: low and high halves. */
  places: number[];
  /** Entries taken from the available ring, 16 bit. */
  taken: number;
  /** Entries put into the used ring, 16 bit. */
  used: number;
}

const DESCRIPTOR = 16;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const NO_INTERRUPT = 1;
/** Most bytes in one transaction. */
const MOST_AT_ONCE = 0x4000;

/** The queue. */
export class Virtqueue {
  readonly #dma: Dma;
  readonly #state: QueueState;
  readonly #places: readonly [table: number, available: number, used: number];

  /** `places` are those of the state, as addresses. */
  constructor(dma: Dma, state: QueueState, places: readonly [number, number, number]) {
    this.#dma = dma;
    this.#state = state;
    this.#places = places;
  }

  /** The next chain; undefined if there is none. Throws {@link QueueFault}. */
  take(): Chain | undefined {
    const { size, taken } = this.#state;
    const available = this.#places[1];
    const waiting = (this.#read16(available + 2) - taken) & 0xffff;
    if (waiting === 0) return undefined;
    if (waiting > size) throw new QueueFault(`${waiting} chains are available in a queue of ${size}`);
    const head = this.#read16(available + 4 + 2 * (taken % size));
    const chain = this.#walk(head);
    this.#state.taken = (taken + 1) & 0xffff;
    return chain;
  }

  /** Gives a chain back with what the device wrote, bytes. True if the driver wants an interrupt. */
  give({ head }: Chain, written: number): boolean {
    const { size, used } = this.#state;
    const [, available, ring] = this.#places;
    const element = new Uint8Array(8);
    const view = new DataView(element.buffer);
    view.setUint32(0, head, true);
    view.setUint32(4, written, true);
    this.#write(ring + 4 + 8 * (used % size), element);
    this.#state.used = (used + 1) & 0xffff;
    this.#write(ring + 2, Uint8Array.of(this.#state.used, this.#state.used >>> 8));
    return (this.#read16(available) & NO_INTERRUPT) === 0;
  }

  #walk(head: number): Chain {
    const readable: Piece[] = [];
    const writable: Piece[] = [];
    let [table, entries, indirect] = [this.#places[0], this.#state.size, false];
    let index = head;
    for (let steps = 0; ; steps++) {
      if (steps > this.#state.size) throw new QueueFault('a chain is longer than its queue');
      if (index >= entries) throw new QueueFault(`descriptor ${index} of ${entries}`);
      const bytes = new Uint8Array(DESCRIPTOR);
      this.#readBlock(table + DESCRIPTOR * index, bytes);
      const view = new DataView(bytes.buffer);
      const [low, high] = [view.getUint32(0, true), view.getUint32(4, true)];
      const [length, flags] = [view.getUint32(8, true), view.getUint16(12, true)];
      const gpa = physicalAddress(high, low);
      if ((flags & INDIRECT) !== 0) {
        if (indirect || (flags & NEXT) !== 0 || length === 0 || length % DESCRIPTOR !== 0)
          throw new QueueFault('an indirect table is not one of descriptors, or stands where none may');
        [table, entries, indirect, index] = [gpa, length / DESCRIPTOR, true, 0];
        continue;
      }
      if ((flags & WRITE) !== 0) writable.push({ gpa, length });
      else if (writable.length > 0) throw new QueueFault('memory to read comes after memory to write');
      else readable.push({ gpa, length });
      if ((flags & NEXT) === 0) return { head, readable, writable };
      index = view.getUint16(14, true);
    }
  }

  #read16(gpa: number): number {
    const bytes = new Uint8Array(2);
    this.#readBlock(gpa, bytes);
    return bytes[0]! + bytes[1]! * 256;
  }

  #readBlock(gpa: number, into: Uint8Array): void {
    if (!this.#dma.read(gpa, into)) throw new QueueFault('the device may not master the bus');
  }

  #write(gpa: number, bytes: Uint8Array): void {
    if (!this.#dma.write(gpa, bytes)) throw new QueueFault('the device may not master the bus');
  }
}

/** Bytes of pieces together. */
export function lengthOf(pieces: readonly Piece[]): number {
  return pieces.reduce((sum, { length }) => sum + length, 0);
}

/** The part of pieces from byte `at` on, `length` bytes. */
export function within(pieces: readonly Piece[], at: number, length: number): Piece[] {
  const parts: Piece[] = [];
  let [skip, left] = [at, length];
  for (const piece of pieces) {
    const from = Math.min(skip, piece.length);
    const count = Math.min(piece.length - from, left);
    skip -= from;
    left -= count;
    if (count > 0) parts.push({ gpa: piece.gpa + from, length: count });
  }
  return parts;
}

/** Moves bytes between a buffer and pieces, in transactions of bounded length. False without leave. */
export function movePieces(
  pieces: readonly Piece[],
  bytes: Uint8Array,
  each: (gpa: number, part: Uint8Array) => boolean,
): boolean {
  let done = 0;
  for (const { gpa, length } of pieces) {
    for (let at = 0; at < length && done < bytes.length; ) {
      const count = Math.min(length - at, bytes.length - done, MOST_AT_ONCE);
      if (!each(gpa + at, bytes.subarray(done, done + count))) return false;
      at += count;
      done += count;
    }
  }
  return true;
}
