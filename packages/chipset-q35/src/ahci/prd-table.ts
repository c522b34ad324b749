/**
 * A command's physical region descriptor table: where in memory its data are. Descriptors are read as they are needed,
 * and each moves at least a byte, so a table ends with the data or after its 65535 entries at most.
 * Source: Serial ATA AHCI 1.3.1, "Command Table".
 */
import { physicalAddress } from '@smm/bus';
import type { AtaData } from './ata-device.ts';

/** Memory as a bus master reaches it; false without leave to be one. Addresses are guest-physical. */
export interface Dma {
  /** Reads. */
  readonly read: (gpa: number, into: Uint8Array) => boolean;
  /** Writes. */
  readonly write: (gpa: number, bytes: Uint8Array) => boolean;
}

const ENTRY_BYTES = 16;
const BYTE_COUNT = 0x003f_ffff;
/** Most bytes in one transaction: what lies in a device is refused beyond that. */
const MOST_AT_ONCE = 0x4000;

/** The table, as far as it has been used up. */
export class PrdTable implements AtaData {
  /** Bytes moved. */
  moved = 0;
  /** Why it ended before the data: it was too short, or the bus refused. */
  failure: 'overflow' | 'bus' | undefined;
  readonly #dma: Dma;
  #entryGpa: number;
  #entriesLeft: number;
  #gpa = 0;
  #room = 0;

  /** `gpa` of the first entry, guest-physical. */
  constructor(dma: Dma, gpa: number, entries: number) {
    this.#dma = dma;
    this.#entryGpa = gpa;
    this.#entriesLeft = entries;
  }

  readonly put = (bytes: Uint8Array): boolean =>
    this.#move(bytes, (gpa, piece) => this.#dma.write(gpa, piece));

  readonly get = (into: Uint8Array): boolean => this.#move(into, (gpa, piece) => this.#dma.read(gpa, piece));

  #move(bytes: Uint8Array, each: (gpa: number, piece: Uint8Array) => boolean): boolean {
    for (let done = 0; done < bytes.length; ) {
      if (this.failure !== undefined || (this.#room === 0 && !this.#next())) return false;
      const count = Math.min(this.#room, bytes.length - done, MOST_AT_ONCE);
      if (!each(this.#gpa, bytes.subarray(done, done + count))) {
        this.failure = 'bus';
        return false;
      }
      this.#gpa += count;
      this.#room -= count;
      this.moved += count;
      done += count;
    }
    return true;
  }

  #next(): boolean {
    if (this.#entriesLeft === 0) {
      this.failure = 'overflow';
      return false;
    }
    const bytes = new Uint8Array(ENTRY_BYTES);
    if (!this.#dma.read(this.#entryGpa, bytes)) {
      this.failure = 'bus';
      return false;
    }
    const view = new DataView(bytes.buffer);
    this.#gpa = physicalAddress(view.getUint32(4, true), view.getUint32(0, true));
    this.#room = (view.getUint32(12, true) & BYTE_COUNT) + 1;
    this.#entryGpa += ENTRY_BYTES;
    this.#entriesLeft--;
    return true;
  }
}
