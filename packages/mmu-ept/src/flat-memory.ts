/** A plain array as physical memory: for stand-alone use, examples and tests. */
import { SmmError, wholeNumber } from '@smm/x86-defs';
import { PAGE_SIZE } from './paging-bits.ts';
import { type HostTablePort, TABLE_ACCESS_FAILED, type TableMemory } from './table-memory.ts';

/**
 * Physical memory from address 0 in one `ArrayBuffer`, with a pool of pages at its end for tables.
 * As {@link TableMemory} it translates nothing: a location is the address itself.
 */
export class FlatMemory implements TableMemory, HostTablePort {
  /** The whole memory, for direct access by tests and loaders. */
  readonly words: Uint32Array;
  readonly #free: number[] = [];
  #next: number;
  readonly #sizeBytes: number;

  /**
   * Makes `sizeBytes` of zeroed memory (a multiple of 4096). Table pages are handed out from `poolStart` (bytes,
   * page-aligned) to the end; by default there is no pool.
   */
  constructor(sizeBytes: number, poolStart: number = sizeBytes) {
    wholeNumber('sizeBytes', sizeBytes, 0, 2 ** 32);
    wholeNumber('poolStart', poolStart, 0, 2 ** 32);
    if (sizeBytes % PAGE_SIZE !== 0 || poolStart % PAGE_SIZE !== 0 || poolStart > sizeBytes) {
      throw new SmmError(
        'MMU_FLAT_MEMORY',
        `flat memory of ${sizeBytes} bytes with a table pool at ${poolStart} is not made of whole pages`,
        'Give multiples of 4096, with the pool inside the memory.',
        { sizeBytes, poolStart },
      );
    }
    this.words = new Uint32Array(sizeBytes / 4);
    this.#sizeBytes = sizeBytes;
    this.#next = poolStart;
  }

  /** The address itself, or {@link TABLE_ACCESS_FAILED} beyond the end. */
  locate(gpa: number, _write: boolean): number {
    return gpa < this.#sizeBytes ? gpa : TABLE_ACCESS_FAILED;
  }

  /** Reads 32 bits; all ones beyond the end. */
  read32(address: number): number {
    return address < this.#sizeBytes ? (this.words[address >>> 2] as number) : 0xffff_ffff;
  }

  /** Writes 32 bits; ignored beyond the end. */
  write32(address: number, value: number): void {
    if (address < this.#sizeBytes) this.words[address >>> 2] = value;
  }

  /** Writes a 64-bit little-endian entry from its two halves. */
  write64(address: number, low: number, high: number): void {
    this.write32(address, low);
    this.write32(address + 4, high);
  }

  /** See {@link TableMemory.compareExchange32}. */
  compareExchange32(location: number, expected: number, desired: number): boolean {
    if (this.words[location >>> 2] !== expected) return false;
    this.words[location >>> 2] = desired;
    return true;
  }

  /** See {@link HostTablePort.allocateTablePage}. Throws `SmmError` `MMU_TABLE_POOL_EMPTY`. */
  allocateTablePage(): number {
    const page = this.#free.pop() ?? this.#next;
    if (page === this.#next) {
      if (page + PAGE_SIZE > this.#sizeBytes) {
        throw new SmmError(
          'MMU_TABLE_POOL_EMPTY',
          `no table page left: the pool ends at ${this.#sizeBytes} bytes`,
          'Make the memory larger, start the pool lower, or zap tables.',
          { sizeBytes: this.#sizeBytes },
        );
      }
      this.#next += PAGE_SIZE;
    }
    this.words.fill(0, page / 4, (page + PAGE_SIZE) / 4);
    return page;
  }

  /** See {@link HostTablePort.freeTablePage}. */
  freeTablePage(address: number): void {
    this.#free.push(address);
  }
}
