/**
 * The state page as a table: each field's place, width and class. Snapshots, hashes and the proof of a hang follow from
 * it.
 */

/**
 * What a field is.
 *
 * - `architectural`: the guest can see it, now or later. It is in snapshots, hashes and the proof that a machine hangs.
 * - `counter`: the same, but it grows whatever the guest does; equal states of a loop differ in it.
 * - `derived`: follows from architectural fields; worked out anew when they are put back.
 * - `book-keeping`: the engine's own between two instructions; means nothing at rest.
 */
export type FieldClass = 'architectural' | 'counter' | 'derived' | 'book-keeping';

/**
 * What an element is, by name: how many bytes it takes, and what it is to TypeScript. `raw` elements are read in more
 * than one way, or by generated code alone.
 */
export const FIELD_TYPES = {
  u16: { bytes: 4, text: '16 bits in a slot of 32' },
  u32: { bytes: 4, text: '32 bits, unsigned' },
  i32: { bytes: 4, text: '32 bits, signed' },
  u64: { bytes: 8, text: '64 bits, a bigint' },
  number: { bytes: 8, text: '64 bits, a number below 2^53' },
  address: { bytes: 8, text: '64 bits, a canonical address as a signed number' },
  double: { bytes: 8, text: '64 bits, floating point' },
  raw8: { bytes: 8, text: '64 bits' },
  raw16: { bytes: 16, text: '128 bits' },
} as const satisfies Readonly<Record<string, { readonly bytes: number; readonly text: string }>>;

/** See {@link FIELD_TYPES}. */
export type FieldType = keyof typeof FIELD_TYPES;

/** A row of the table. */
export interface StateField {
  readonly name: string;
  readonly class: FieldClass;
  readonly type: FieldType;
  /** Bytes from the processor's state base (a host offset), a multiple of the width up to 16. */
  readonly offset: number;
  /** Bytes of one element. */
  readonly width: number;
  /** Elements one behind the other, each as wide as the row says. */
  readonly count: number;
}

/** Size of a state page in bytes. */
export const STATE_PAGE_SIZE = 4096;

/** Lays fields out one behind another. */
export class StatePage {
  readonly #fields: StateField[] = [];
  #end = 0;

  /** The fields so far, by offset. */
  get fields(): readonly StateField[] {
    return this.#fields;
  }

  /**
   * Adds a field behind all others and returns its offset in bytes.
   * @throws RangeError if the page is full, or for a name that is taken.
   */
  add(name: string, kind: FieldClass, type: FieldType, count = 1): number {
    const width = FIELD_TYPES[type].bytes;
    const offset = Math.ceil(this.#end / width) * width;
    this.#end = offset + width * count;
    if (this.#end > STATE_PAGE_SIZE) throw new RangeError(`state page: no room for ${name}`);
    if (this.#fields.some((field) => field.name === name)) throw new RangeError(`state page: two of ${name}`);
    this.#fields.push({ name, class: kind, type, offset, width, count });
    return offset;
  }

  /** Leaves everything free up to an offset, for fields to come. */
  skipTo(offset: number): void {
    if (offset < this.#end) throw new RangeError(`state page: ${offset} is taken`);
    this.#end = offset;
  }
}

/** Where fields of some classes are, as the fewest stretches: offset and length in bytes. */
export function stretches(
  fields: readonly StateField[],
  classes: readonly FieldClass[],
): readonly (readonly [offset: number, length: number])[] {
  const list: [number, number][] = [];
  for (const { class: kind, offset, width, count } of fields) {
    if (!classes.includes(kind)) continue;
    const last = list.at(-1);
    if (last && last[0] + last[1] === offset) last[1] += width * count;
    else list.push([offset, width * count]);
  }
  return list;
}
