/**
 * Values of translated code: constants, or WebAssembly locals of 32 or 64 bits, zero-extended from what they stand for.
 */

/** A value. Its local may be a guest register's own: a reference, good until that register is written. */
export class Value {
  /** Width of the local: 32 or 64; 128 of a vector. Constants have 32 where they fit. */
  readonly type: 32 | 64 | 128;
  /** Index of the local; -1 for a constant. */
  local: number;
  /** Value of a constant, unsigned 64 bit. */
  readonly constant: bigint | undefined;
  /** Upper bound of the significant bits. */
  readonly bits: number;
  /** Number of the general register that `local` belongs to, -1 if it is a local of its own. */
  register = -1;
  /** What a subtraction subtracted from, for comparisons. */
  minuend: Value | undefined;

  constructor(type: 32 | 64 | 128, local: number, bits: number, constant?: bigint) {
    this.type = type;
    this.local = local;
    this.bits = bits;
    this.constant = constant;
  }
}

/** Significant bits of an unsigned constant. */
export function bitsOf(constant: bigint): number {
  return constant === 0n
    ? 0
    : constant < 0x1_0000_0000n
      ? 32 - Math.clz32(Number(constant))
      : constant.toString(2).length;
}
