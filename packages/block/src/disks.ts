/**
 * Disks for a machine: an image, and what a snapshot of the machine says of it.
 *
 * A disk whose writes go to its image cannot be put back, so a snapshot holds a number for all that was written, and is
 * refused where another number stands. A disk that keeps its writes in memory is in the snapshot with all of them.
 */
import { SmmError } from '@smm/x86-defs';
import type { ByteStore } from './byte-store.ts';

/** What was written to a {@link DirectDisk} since it was made. */
export interface DirectDiskState {
  /** Layout version of this object. */
  version: 1;
  /** Writes so far. */
  writes: number;
  /** A number, 32 bit, for their places, contents and order. */
  hash: number;
}

/** A disk whose writes go to its image at once. */
export class DirectDisk implements ByteStore {
  readonly sizeBytes: number;
  readonly readonly: boolean;
  readonly #image: ByteStore;
  #writes = 0;
  #hash = 0;

  constructor(image: ByteStore) {
    this.#image = image;
    this.sizeBytes = image.sizeBytes;
    this.readonly = image.readonly;
  }

  read(at: number, into: Uint8Array): void {
    this.#image.read(at, into);
  }

  write(at: number, bytes: Uint8Array): void {
    this.#image.write(at, bytes);
    this.#writes++;
    let hash = Math.imul(this.#hash ^ at ^ (at / 2 ** 32), 0x85eb_ca6b);
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
    this.#hash = hash ^ (hash >>> 15);
  }

  flush(): void {
    this.#image.flush();
  }

  /** Power-on changes nothing on a disk. */
  reset(): void {}

  /** What a snapshot holds of it. */
  save(): DirectDiskState {
    return { version: 1, writes: this.#writes, hash: this.#hash };
  }

  /** Throws `SmmError` `SNAPSHOT_DISK` unless the disk has been written exactly as it had been at the snapshot. */
  restore({ writes, hash }: DirectDiskState): void {
    if (writes === this.#writes && hash === this.#hash) return;
    throw new SmmError(
      'SNAPSHOT_DISK',
      `at the snapshot the disk had been written ${writes} times, now ${this.#writes} times or otherwise, and its image cannot be put back`,
      'Keep what is written in memory where snapshots are restored (snapshot=on, OverlayDisk).',
      { writes, now: this.#writes },
    );
  }
}

/** What an {@link OverlayDisk} holds. */
export interface OverlayDiskState {
  /** Layout version of this object. */
  version: 1;
  /** The pieces that were written, by place. */
  pieces: {
    /** First byte. */
    at: number;
    /** All bytes of the piece. */
    bytes: Uint8Array;
  }[];
}

/** Particulars of an {@link OverlayDisk}. */
export interface OverlayOptions {
  /** Bytes that may be written to different places in all. Default 1 GiB. */
  readonly limitBytes?: number;
}

/** Bytes that are kept together. */
const PIECE = 4096;

/** A disk whose writes stay in memory, over an image that is only read. */
export class OverlayDisk implements ByteStore {
  readonly sizeBytes: number;
  readonly readonly: boolean = false;
  readonly #image: ByteStore;
  readonly #limit: number;
  readonly #pieces = new Map<number, Uint8Array>();

  constructor(image: ByteStore, { limitBytes = 2 ** 30 }: OverlayOptions = {}) {
    this.#image = image;
    this.#limit = limitBytes;
    this.sizeBytes = image.sizeBytes;
  }

  read(at: number, into: Uint8Array): void {
    for (let done = 0; done < into.length; ) {
      const within = (at + done) % PIECE;
      let length = Math.min(PIECE - within, into.length - done);
      const piece = this.#pieces.get(at + done - within);
      if (piece !== undefined) into.set(piece.subarray(within, within + length), done);
      else {
        // As much as the image has in one go.
        while (done + length < into.length && !this.#pieces.has(at + done + length))
          length = Math.min(length + PIECE, into.length - done);
        this.#image.read(at + done, into.subarray(done, done + length));
      }
      done += length;
    }
  }

  /** Throws `SmmError` `OVERLAY_FULL` when the limit is reached. */
  write(at: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const within = (at + done) % PIECE;
      const length = Math.min(PIECE - within, bytes.length - done);
      this.#piece(at + done - within, length === PIECE).set(bytes.subarray(done, done + length), within);
      done += length;
    }
  }

  flush(): void {}

  /** Power-on begins with the image again. */
  reset(): void {
    this.#pieces.clear();
  }

  /** The pieces that were written since it was made. */
  save(): OverlayDiskState {
    const pieces = [...this.#pieces].sort(([a], [b]) => a - b);
    return { version: 1, pieces: pieces.map(([at, bytes]) => ({ at, bytes: bytes.slice() })) };
  }

  /** Puts those pieces in the place of what was written. */
  restore({ pieces }: OverlayDiskState): void {
    this.#pieces.clear();
    for (const { at, bytes } of pieces) this.#pieces.set(at, new Uint8Array(bytes));
  }

  #piece(at: number, whole: boolean): Uint8Array {
    const kept = this.#pieces.get(at);
    if (kept !== undefined) return kept;
    if ((this.#pieces.size + 1) * PIECE > this.#limit) {
      throw new SmmError(
        'OVERLAY_FULL',
        `the guest has written ${this.#limit} bytes, and no more are kept in memory`,
        'Let the guest write to an image (without snapshot=on), or allow more (limitBytes).',
        { limitBytes: this.#limit },
      );
    }
    const piece = new Uint8Array(PIECE);
    if (!whole) this.#image.read(at, piece);
    this.#pieces.set(at, piece);
    return piece;
  }
}
