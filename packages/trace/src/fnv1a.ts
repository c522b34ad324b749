/**
 * The 64-bit FNV-1a hash without bigints, since a run hashes millions of bytes. Source: Fowler, Noll, Vo, "FNV hash
 * parameters".
 */

// The prime is 2^40 + 1B3h; the basis is CBF29CE484222325h.
const PRIME_LOW = 0x1b3;
const PRIME_HIGH_SHIFT = 8;
const BASIS_HIGH = 0xcbf29ce4;
const BASIS_LOW = 0x84222325;

/** A hash in the making. */
export class Fnv1a64 {
  #high = BASIS_HIGH;
  #low = BASIS_LOW;

  /** Adds one byte. */
  byte(byte: number): void {
    const low = (this.#low ^ byte) >>> 0;
    const product = low * PRIME_LOW; // below 2^41: exact
    this.#low = product >>> 0;
    const carry = (product - this.#low) / 0x1_0000_0000;
    this.#high = (this.#high * PRIME_LOW + carry + ((low << PRIME_HIGH_SHIFT) >>> 0)) >>> 0;
  }

  /** Hash of the bytes so far. */
  get value(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }
}
