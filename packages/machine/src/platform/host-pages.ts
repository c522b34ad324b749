/**
 * Host pages that are not guest RAM: KVM's private slots, EPT and shadow tables. They lie in the machine's memory,
 * outside guest RAM.
 */
import { SmmError } from '@smm/x86-defs';

const PAGE = 4096;

/** State of a `HostPages`, for snapshots. The pages' bytes are saved with the machine's touched pages. */
export interface HostPagesState {
  /** Bytes handed out so far. */
  readonly used: number;
  /** Pages taken back. */
  readonly free: readonly number[];
}

/** Hands out zeroed host pages and reads and writes host memory for page tables. */
export class HostPages {
  readonly #words: Uint32Array;
  readonly #bytes: Uint8Array;
  readonly #start: number;
  readonly #size: number;
  readonly #touched: (hostOffset: number) => void;
  #used = 0;
  #free: number[] = [];

  /**
   * @param buffer - the machine's memory
   * @param start - host offset of the pool
   * @param size - bytes in the pool
   * @param touched - told of every page that is written
   */
  constructor(buffer: ArrayBufferLike, start: number, size: number, touched: (hostOffset: number) => void) {
    this.#words = new Uint32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.#start = start;
    this.#size = size;
    this.#touched = touched;
  }

  /** Contiguous zeroed bytes, page-aligned. Throws `SmmError` `HOST_PAGES`. */
  allocate(sizeBytes: number): number {
    const size = Math.ceil(sizeBytes / PAGE) * PAGE;
    if (this.#used + size > this.#size) {
      throw new SmmError(
        'HOST_PAGES',
        `the pool of host pages (${this.#size} bytes) is used up by page tables`,
        'Use fewer processors or less guest memory under kvm.',
        { used: this.#used, wanted: size },
      );
    }
    const at = this.#start + this.#used;
    this.#used += size;
    this.#bytes.fill(0, at, at + size);
    for (let page = at; page < at + size; page += PAGE) this.#touched(page);
    return at;
  }

  /** One zeroed page for a table. */
  allocateTablePage(): number {
    const page = this.#free.pop();
    if (page === undefined) return this.allocate(PAGE);
    this.#bytes.fill(0, page, page + PAGE);
    return page;
  }

  /** Takes a table page back. */
  freeTablePage(address: number): void {
    this.#free.push(address);
  }

  /** Reads 32 bits at a host offset, unsigned. */
  read32(address: number): number {
    return this.#words[address >>> 2]!;
  }

  /** Writes 32 bits at a host offset. */
  write32(address: number, value: number): void {
    this.#words[address >>> 2] = value;
    this.#touched(address);
  }

  /** Forgets everything handed out. */
  reset(): void {
    this.#used = 0;
    this.#free = [];
  }

  /** Copies the state out. */
  save(): HostPagesState {
    return { used: this.#used, free: [...this.#free] };
  }

  /** Puts a saved state back. */
  restore(state: HostPagesState): void {
    this.#used = state.used;
    this.#free = [...state.free];
  }
}
