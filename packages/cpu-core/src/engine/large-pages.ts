/** Which large pages the TLBs may hold parts of: what INVLPG must drop besides the 4 KiB page that it names. */

const SMALL = 0x1000;
/** Sizes of large pages, bytes. */
const SIZES: readonly number[] = [0x20_0000, 0x40_0000, 0x4000_0000];
/** Of more than this many no list is kept: each address may then lie in one of every size that was ever seen. */
const LIMIT = 4096;

/** First linear address of the page of `size` bytes, a power of two, that holds `linear`. */
export function pageStart(linear: number, size: number): number {
  return linear - (linear & (size - 1));
}

/** The large pages of one processor, by linear address. */
export class LargePages {
  /**
   * First addresses of pages, each plus its index in {@link SIZES}, with the value of {@link #life} when it was added:
   * pages of an earlier one are no more. A loop of CR3 loads would else empty and fill a set again and again.
   */
  readonly #pages = new Map<number, number>();
  #life = 0;
  /** Sizes in it, added up. */
  #sizes = 0;
  #overflowed = false;
  /** What was added last. */
  #last = Number.NaN;

  /** A part of the page of `size` bytes at `linear` enters a TLB. */
  add(linear: number, size: number): void {
    const index = SIZES.indexOf(size);
    const page = pageStart(linear, size) + index;
    if (index < 0 || page === this.#last) return;
    this.#last = page;
    this.#sizes |= size;
    if (this.#overflowed) return;
    this.#pages.set(page, this.#life);
    if (this.#pages.size > LIMIT) this.#tidy(page);
  }

  /** Forgets pages of earlier lives; the last page too if that is not enough. */
  #tidy(last: number): void {
    for (const [page, life] of this.#pages) if (life !== this.#life) this.#pages.delete(page);
    if (this.#pages.size <= LIMIT) return;
    this.#pages.delete(last);
    this.#overflowed = true;
  }

  /** Bytes of the largest page around `linear` that was added, which is forgotten; 4096 if there is none. */
  take(linear: number): number {
    if (this.#sizes === 0) return SMALL;
    this.#last = Number.NaN;
    let largest = SMALL;
    for (let index = 0; index < SIZES.length; index++) {
      const size = SIZES[index]!;
      if ((this.#sizes & size) === 0) continue;
      const page = pageStart(linear, size) + index;
      const held = this.#pages.get(page) === this.#life;
      if (held) this.#pages.delete(page);
      if (held || this.#overflowed) largest = size;
    }
    return largest;
  }

  /** The pages by address and size, ascending; where no list is kept, address -1 and each size that was seen. */
  save(): [linear: number, size: number][] {
    if (this.#overflowed) return SIZES.filter((size) => (this.#sizes & size) !== 0).map((size) => [-1, size]);
    const list: [number, number][] = [];
    for (const [page, life] of this.#pages) {
      if (life !== this.#life) continue;
      const index = page & 3;
      list.push([page - index, SIZES[index]!]);
    }
    return list.sort(([a, small], [b, large]) => a - b || small - large);
  }

  /** Puts back what {@link save} gave, after {@link clear}. */
  restore(pages: readonly (readonly [linear: number, size: number])[]): void {
    for (const [linear, size] of pages) {
      this.add(linear, size);
      if (linear !== -1) continue;
      this.#overflowed = true;
      this.#pages.clear();
    }
    this.#last = Number.NaN;
  }

  /** Nothing is in the TLBs. */
  clear(): void {
    if (this.#sizes === 0) return;
    this.#life++;
    this.#sizes = 0;
    this.#overflowed = false;
    this.#last = Number.NaN;
  }
}
