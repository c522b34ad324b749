/** Which host pages have been written since power-on: what a snapshot holds and a reset puts back. */
import { SmmError } from '@smm/x86-defs';

const PAGE = 4096;

/** One page of a snapshot. */
export interface SavedPage {
  /** Host offset, a multiple of 4 KiB. */
  readonly at: number;
  /** Its 4096 bytes. */
  readonly bytes: Uint8Array;
}

/** One mark per 4 KiB page of the machine's memory, and what the pages held at power-on. */
export class TouchedPages {
  readonly #bytes: Uint8Array;
  readonly #marks: Uint8Array;
  /** What lies in memory at power-on; the rest is zero. */
  readonly #image: Uint8Array;
  readonly #imageAt: number;
  #pages: number[] = [];

  /**
   * @param buffer - the machine's memory
   * @param image - what lies there at power-on, such as flash; not kept apart from the caller's: it must not change
   * @param imageAt - host offset of the image, a multiple of 4 KiB
   */
  constructor(buffer: ArrayBufferLike, image: Uint8Array = new Uint8Array(0), imageAt = 0) {
    this.#bytes = new Uint8Array(buffer);
    this.#marks = new Uint8Array(Math.ceil(buffer.byteLength / PAGE));
    this.#image = image;
    this.#imageAt = imageAt;
    this.#bytes.set(image, imageAt);
  }

  /** Marks the page of a host offset. */
  mark(hostOffset: number): void {
    const page = Math.floor(hostOffset / PAGE);
    if (this.#marks[page] !== 0) return;
    this.#marks[page] = 1;
    this.#pages.push(page);
  }

  /** Marks all pages of a range. */
  markRange(hostOffset: number, sizeBytes: number): void {
    for (let at = hostOffset; at < hostOffset + sizeBytes; at += PAGE) this.mark(at);
    if (sizeBytes > 0) this.mark(hostOffset + sizeBytes - 1);
  }

  /** Host offsets of the touched pages in ascending order. */
  pages(): number[] {
    return [...this.#pages].sort((a, b) => a - b).map((page) => page * PAGE);
  }

  /** The touched pages between two host offsets, multiples of 4 KiB, as ranges from one offset to another. */
  ranges(from: number, to: number): [from: number, to: number][] {
    const ranges: [number, number][] = [];
    const end = to / PAGE;
    for (let page = this.#marks.indexOf(1, from / PAGE); page >= 0 && page < end; ) {
      const clean = this.#marks.indexOf(0, page);
      const behind = clean < 0 ? end : Math.min(clean, end);
      ranges.push([page * PAGE, behind * PAGE]);
      page = this.#marks.indexOf(1, behind);
    }
    return ranges;
  }

  /** Puts every touched page back as it was at power-on and forgets it. Returns which those were. */
  clear(): number[] {
    const pages = this.pages();
    for (const at of pages) {
      const within = at - this.#imageAt;
      this.#bytes.fill(0, at, at + PAGE);
      if (within >= 0 && within < this.#image.length)
        this.#bytes.set(this.#image.subarray(within, within + PAGE), at);
    }
    this.#marks.fill(0);
    this.#pages = [];
    return pages;
  }

  /** Copies the touched pages out. */
  save(): SavedPage[] {
    return this.pages().map((at) => ({ at, bytes: this.#bytes.slice(at, at + PAGE) }));
  }

  /** Throws `SmmError` `SNAPSHOT_MEMORY` for pages that this memory does not have; changes nothing. */
  check(pages: readonly SavedPage[]): void {
    for (const { at, bytes } of pages) {
      if (Number.isInteger(at / PAGE) && at >= 0 && at + PAGE <= this.#bytes.length && bytes.length === PAGE)
        continue;
      throw new SmmError(
        'SNAPSHOT_MEMORY',
        `the snapshot has ${bytes.length} bytes of memory at host offset 0x${at.toString(16)}, which are no page of this machine`,
        'The snapshot is damaged or comes from another machine: save it again.',
        { at, length: bytes.length },
      );
    }
  }

  /** Puts back a saved memory. Returns the host offsets of all pages that may have changed. */
  restore(pages: readonly SavedPage[]): number[] {
    const changed = this.clear();
    for (const { at, bytes } of pages) {
      this.#bytes.set(bytes, at);
      this.mark(at);
      changed.push(at);
    }
    return changed;
  }
}
