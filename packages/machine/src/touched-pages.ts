/** Which host pages have been written since power-on: what a snapshot holds and a reset clears. */

const PAGE_SHIFT = 12;

/** One bit per 4 KiB page of the machine's memory. */
export class TouchedPages {
  readonly #bytes: Uint8Array;
  readonly #marks: Uint8Array;
  #pages: number[] = [];

  /** @param buffer - the machine's memory */
  constructor(buffer: ArrayBufferLike) {
    this.#bytes = new Uint8Array(buffer);
    this.#marks = new Uint8Array(Math.ceil(buffer.byteLength / 4096));
  }

  /** Marks the page of a host offset. */
  mark(hostOffset: number): void {
    const page = Math.floor(hostOffset / 4096);
    if (this.#marks[page] !== 0) return;
    this.#marks[page] = 1;
    this.#pages.push(page);
  }

  /** Marks all pages of a range. */
  markRange(hostOffset: number, sizeBytes: number): void {
    for (let at = hostOffset; at < hostOffset + sizeBytes; at += 4096) this.mark(at);
    if (sizeBytes > 0) this.mark(hostOffset + sizeBytes - 1);
  }

  /** Host offsets of the touched pages in ascending order. */
  pages(): number[] {
    return [...this.#pages].sort((a, b) => a - b).map((page) => page * (1 << PAGE_SHIFT));
  }

  /** Zeroes every touched page and forgets it. Returns what was cleared. */
  clear(): number[] {
    const pages = this.pages();
    for (const at of pages) this.#bytes.fill(0, at, at + 4096);
    this.#marks.fill(0);
    this.#pages = [];
    return pages;
  }

  /** Copies the touched pages out. */
  save(): { at: number; bytes: Uint8Array }[] {
    return this.pages().map((at) => ({ at, bytes: this.#bytes.slice(at, at + 4096) }));
  }
}
