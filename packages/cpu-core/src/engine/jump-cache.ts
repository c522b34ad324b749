/**
 * Jump cache of a processor: from RIP and mode word to a block's host offset, direct-mapped. An entry is 16 bytes: RIP
 * (64 bit), mode word (32 bit), block (32 bit; 0 = empty). It bypasses translation, so it is emptied whenever
 * translations are.
 */

/** A power of two: the generated code masks with it. */
export const JUMP_CACHE_ENTRIES = 2048;
/** Bytes of an entry. */
export const JUMP_CACHE_ENTRY_SIZE = 16;
/** Bytes of a processor's jump cache. */
export const JUMP_CACHE_SIZE: number = JUMP_CACHE_ENTRIES * JUMP_CACHE_ENTRY_SIZE;

/** Index of a RIP: low 32 bits suffice. The generated code computes the same. */
export function jumpCacheIndex(ripLow: number): number {
  return (ripLow ^ (ripLow >>> 11)) & (JUMP_CACHE_ENTRIES - 1);
}
