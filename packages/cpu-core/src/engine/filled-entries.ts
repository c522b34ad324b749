/** Which entries of a table have been filled, so that emptying it costs no more than filling it did. */

/** Of more than this many no list is kept: the whole table is emptied. */
const LIMIT = 1024;

/** A table in the engine's memory, by host offset in bytes; all multiples of 4. */
export class FilledEntries {
  readonly #i32: Int32Array;
  readonly #start: number;
  readonly #end: number;
  readonly #entrySize: number;
  readonly #empty: number;
  readonly #list = new Int32Array(LIMIT);
  /** Entries in the list; more than {@link LIMIT}: any may be filled. */
  #count = LIMIT + 1;

  /** `empty`: word that an empty entry consists of. What the table holds at first is taken for filled. */
  constructor(i32: Int32Array, start: number, size: number, entrySize: number, empty: number) {
    this.#i32 = i32;
    this.#start = start;
    this.#end = start + size;
    this.#entrySize = entrySize;
    this.#empty = empty;
  }

  /** An entry is being filled. It may be named more than once. */
  add(entry: number): void {
    const count = this.#count;
    if (count > LIMIT) return;
    if (count < LIMIT) this.#list[count] = entry;
    this.#count = count + 1;
  }

  /** Empties the table. */
  clear(): void {
    const i32 = this.#i32;
    const empty = this.#empty;
    const count = this.#count;
    this.#count = 0;
    if (count > LIMIT) {
      i32.fill(empty, this.#start >>> 2, this.#end >>> 2);
      return;
    }
    const words = this.#entrySize >>> 2;
    for (let n = 0; n < count; n++) {
      const at = this.#list[n]! >>> 2;
      for (let i = 0; i < words; i++) i32[at + i] = empty;
    }
  }
}
