/** Looks for words in much memory. */

/** From the first byte to the one behind the last, as offsets. */
export type ByteRange = readonly [from: number, to: number];

/**
 * Offsets of the little-endian 32-bit words that are equal to `value`, at multiples of 4.
 * @param ranges - multiples of 4 between which it is looked for; everywhere unless given
 */
export function* wordsEqual(
  bytes: Uint8Array,
  value: number,
  ranges: readonly ByteRange[] = [[0, bytes.length]],
): Generator<number> {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, bytes.length >>> 2);
  for (const [from, to] of ranges) {
    const part = words.subarray(from >>> 2, to >>> 2);
    for (let at = part.indexOf(value); at >= 0; at = part.indexOf(value, at + 1)) yield from + at * 4;
  }
}

/** A view of exactly these bytes. */
export function dataViewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
