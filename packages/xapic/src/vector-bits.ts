/** The 256-bit ISR, TMR and IRR, stored as eight 32-bit words from a given slot of the register file. */

/** True when the vector's bit is set. */
export function testVector(words: Uint32Array, slot: number, vector: number): boolean {
  return ((words[slot + (vector >> 5)]! >>> (vector & 31)) & 1) !== 0;
}

/** Sets the vector's bit. */
export function setVector(words: Uint32Array, slot: number, vector: number): void {
  const index = slot + (vector >> 5);
  words[index] = words[index]! | (1 << (vector & 31));
}

/** Clears the vector's bit. */
export function clearVector(words: Uint32Array, slot: number, vector: number): void {
  const index = slot + (vector >> 5);
  words[index] = words[index]! & ~(1 << (vector & 31));
}

/** The highest vector whose bit is set, or -1. */
export function highestVector(words: Uint32Array, slot: number): number {
  for (let i = 7; i >= 0; i--) {
    const word = words[slot + i]!;
    if (word !== 0) return i * 32 + 31 - Math.clz32(word);
  }
  return -1;
}
