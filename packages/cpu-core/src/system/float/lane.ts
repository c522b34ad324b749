/**
 * SSE arithmetic on one lane, exactly rounded, with the exceptions it raises: values in, value and flags out.
 * Intel SDM Vol. 1, "SSE, SSE2, and SSE3 Exceptions", "Rules for Handling NaNs"; Vol. 2, the instructions' pages.
 */
import type { FloatWidth, LaneOp } from '../../semantics/float-ops.ts';
import { exactQuotient, exactRoot, exactSum, roundToInteger, type Unrounded } from '../x87/arithmetic.ts';
import {
  FORMAT32,
  FORMAT64,
  type Format,
  isNan,
  type Operand,
  ROUND_DOWN,
  ROUND_ZERO,
  roundToShort,
  unpackInteger,
  unpackShort,
} from '../x87/number.ts';

/** Exception flags of MXCSR: invalid operation. The masks are the same, 7 bits higher. */
export const MXCSR_IE = 0x01;
/** Denormal operand. */
export const MXCSR_DE = 0x02;
/** Division by zero. */
export const MXCSR_ZE = 0x04;
/** Overflow. */
export const MXCSR_OE = 0x08;
/** Underflow: tiny; masked, only where inexact too. */
export const MXCSR_UE = 0x10;
/** Inexact. */
export const MXCSR_PE = 0x20;
/** Denormal operands count as zeros. */
export const MXCSR_DAZ = 0x40;
/** Mask of {@link MXCSR_UE}. */
const MXCSR_UM = 0x800;
/** Mask of {@link MXCSR_PE}. */
export const MXCSR_PM = 0x1000;
/** Rounding control, as the x87 control word's. */
export const MXCSR_RC = 0x6000;
/** Tiny results become zeros, where underflow is masked. */
export const MXCSR_FTZ = 0x8000;

/** What comes out of a lane. */
export interface Lane {
  /** What is written if no exception is unmasked. */
  readonly bits: bigint;
  /** `MXCSR_*` flags. */
  readonly flags: number;
}

/** How two operands compare. */
export type Order = 'less' | 'equal' | 'greater' | 'unordered';

/** The digits of {@link FloatLane.reciprocal}: 11 behind the leading one. */
const KEPT_DIGITS = 0xffff_f000n;
const HALF_DIGIT = 0x800n;

/** Arithmetic in lanes of one width under one MXCSR. */
export class FloatLane {
  readonly width: FloatWidth;
  readonly #mxcsr: number;
  readonly #format: Format;
  /** Position of the sign bit, of the lowest exponent bit. */
  readonly #signAt: bigint;
  readonly #exponentAt: bigint;
  /** Exponent field of infinity and NaNs, in place. */
  readonly #special: bigint;
  readonly #quiet: bigint;
  /** MXCSR's rounding control and masks as an x87 control word has them. */
  readonly #controlWord: number;

  constructor(width: FloatWidth, mxcsr: number) {
    this.width = width;
    this.#mxcsr = mxcsr;
    this.#format = width === 4 ? FORMAT32 : FORMAT64;
    this.#signAt = BigInt(width * 8 - 1);
    this.#exponentAt = BigInt(this.#format.precision - 1);
    this.#special = BigInt(this.#format.maximum * 2 + 1) << this.#exponentAt;
    this.#quiet = 1n << (this.#exponentAt - 1n);
    this.#controlWord = ((mxcsr & MXCSR_RC) >> 3) | ((mxcsr >> 7) & 0x3f);
  }

  get #rounding(): number {
    return (this.#mxcsr & MXCSR_RC) >> 13;
  }
  /** The quiet NaN of masked invalid operations ("QNaN floating-point indefinite"). */
  get #indefinite(): bigint {
    return (1n << this.#signAt) | this.#special | this.#quiet;
  }
  #zero(sign: number): bigint {
    return BigInt(sign) << this.#signAt;
  }
  #infinity(sign: number): bigint {
    return this.#zero(sign) | this.#special;
  }

  /** Takes an operand apart, denormals as MXCSR.DAZ says. */
  unpack(bits: bigint): Operand {
    const x = unpackShort(bits, this.#format);
    return x.kind === 'denormal' && this.#mxcsr & MXCSR_DAZ ? { ...x, kind: 'zero', magnitude: 0n } : x;
  }

  /** Rounds what is not 0. */
  round({ sign, magnitude, scale }: Unrounded, flags = 0): Lane {
    const rounded = roundToShort({ kind: 'normal', sign, magnitude, scale }, this.#format, this.#controlWord);
    const flushes = (this.#mxcsr & (MXCSR_FTZ | MXCSR_UM)) === (MXCSR_FTZ | MXCSR_UM);
    const denormal = (rounded.bits & this.#special) === 0n && !(rounded.flags & MXCSR_OE);
    const tiny = denormal || (rounded.flags & MXCSR_UE) !== 0;
    if (flushes && tiny) return { bits: this.#zero(sign), flags: flags | MXCSR_UE | MXCSR_PE };
    return { bits: rounded.bits, flags: flags | rounded.flags };
  }

  #quieted(bits: bigint): bigint {
    return bits | this.#quiet;
  }
  /** The NaN that an operation on two returns: the first that is one, made quiet. */
  #nan(a: bigint, b: bigint, x: Operand, y: Operand): Lane {
    const flags = x.kind === 'signaling' || y.kind === 'signaling' ? MXCSR_IE : 0;
    return { bits: this.#quieted(isNan(x) ? a : b), flags };
  }
  get #invalid(): Lane {
    return { bits: this.#indefinite, flags: MXCSR_IE };
  }

  /** One of the operations; `a` means nothing to those with one operand. */
  compute(op: LaneOp, a: bigint, b: bigint): Lane {
    switch (op) {
      case 'ADD':
        return this.#add(a, b, 0);
      case 'SUB':
        return this.#add(a, b, 1);
      case 'MUL':
        return this.#multiply(a, b);
      case 'DIV':
        return this.#divide(a, b);
      case 'SQRT':
        return this.#squareRoot(b);
      case 'MIN':
      case 'MAX':
        return this.#extreme(a, b, op === 'MIN' ? 'less' : 'greater');
      case 'RCP':
      case 'RSQRT':
        return { bits: this.#reciprocal(b, op === 'RSQRT'), flags: 0 };
    }
  }

  #add(a: bigint, b: bigint, negate: number): Lane {
    const x = this.unpack(a);
    const y = this.unpack(b);
    if (isNan(x) || isNan(y)) return this.#nan(a, b, x, y);
    const sign = y.sign ^ negate;
    const flags = denormal(x, y);
    if (x.kind === 'infinity' || y.kind === 'infinity') {
      if (x.kind === y.kind && x.sign !== sign) return this.#invalid;
      return { bits: this.#infinity(x.kind === 'infinity' ? x.sign : sign), flags };
    }
    const sum = exactSum(x, y, sign);
    if (sum.magnitude !== 0n) return this.round(sum, flags);
    const zeroSign = x.sign === sign ? sign : this.#rounding === ROUND_DOWN ? 1 : 0;
    return { bits: this.#zero(zeroSign), flags };
  }
  #multiply(a: bigint, b: bigint): Lane {
    const x = this.unpack(a);
    const y = this.unpack(b);
    if (isNan(x) || isNan(y)) return this.#nan(a, b, x, y);
    const sign = x.sign ^ y.sign;
    const zeros = x.kind === 'zero' || y.kind === 'zero';
    const infinities = x.kind === 'infinity' || y.kind === 'infinity';
    if (zeros && infinities) return this.#invalid;
    const flags = denormal(x, y);
    if (infinities) return { bits: this.#infinity(sign), flags };
    if (zeros) return { bits: this.#zero(sign), flags };
    return this.round({ sign, magnitude: x.magnitude * y.magnitude, scale: x.scale + y.scale }, flags);
  }
  #divide(a: bigint, b: bigint): Lane {
    const x = this.unpack(a);
    const y = this.unpack(b);
    if (isNan(x) || isNan(y)) return this.#nan(a, b, x, y);
    const sign = x.sign ^ y.sign;
    if (x.kind === y.kind && (x.kind === 'zero' || x.kind === 'infinity')) return this.#invalid;
    const flags = denormal(x, y);
    if (x.kind === 'infinity') return { bits: this.#infinity(sign), flags };
    if (y.kind === 'infinity' || x.kind === 'zero') return { bits: this.#zero(sign), flags };
    if (y.kind === 'zero') return { bits: this.#infinity(sign), flags: MXCSR_ZE };
    return this.round(exactQuotient(x, y), flags);
  }
  #squareRoot(b: bigint): Lane {
    const x = this.unpack(b);
    if (isNan(x)) return this.#nan(b, b, x, x);
    if (x.kind === 'zero') return { bits: this.#zero(x.sign), flags: 0 };
    if (x.sign) return this.#invalid;
    const flags = denormal(x, x);
    return x.kind === 'infinity' ? { bits: this.#infinity(0), flags } : this.round(exactRoot(x), flags);
  }
  /** MINPS and MAXPS: the second operand unless the first is on the right side of it. */
  #extreme(a: bigint, b: bigint, side: Order): Lane {
    const { order, flags } = this.compare(a, b, false);
    const taken = order === side ? a : b;
    const x = this.unpack(taken);
    return { bits: x.kind === 'zero' ? this.#zero(x.sign) : taken, flags };
  }
  /**
   * RCPPS and RSQRTPS. Both vendors promise a relative error of at most 1.5 * 2^-12 and have different tables; here it
   * is the result in single precision, cut to 12 digits, the last of them rounded.
   */
  #reciprocal(b: bigint, root: boolean): bigint {
    const x = unpackShort(b, this.#format);
    if (isNan(x)) return this.#quieted(b);
    if (x.kind === 'zero' || x.kind === 'denormal') return this.#infinity(x.sign);
    if (root && x.sign) return this.#indefinite;
    if (x.kind === 'infinity') return this.#zero(x.sign);
    const value = this.#number(b);
    const bits = singleBits(1 / (root ? Math.fround(Math.sqrt(value)) : value));
    return (bits & this.#special) === 0n ? this.#zero(x.sign) : (bits + HALF_DIGIT) & KEPT_DIGITS;
  }

  /** As a number of the host: every operand of either width is one. */
  #number(bits: bigint): number {
    const view = new DataView(new ArrayBuffer(8));
    if (this.width === 8) {
      view.setBigUint64(0, bits);
      return view.getFloat64(0);
    }
    view.setUint32(0, Number(bits));
    return view.getFloat32(0);
  }

  /** Compares. `quiet`: only signaling NaNs are invalid. */
  compare(a: bigint, b: bigint, quiet: boolean): { readonly order: Order; readonly flags: number } {
    const x = this.unpack(a);
    const y = this.unpack(b);
    if (isNan(x) || isNan(y)) {
      const signaling = x.kind === 'signaling' || y.kind === 'signaling';
      return { order: 'unordered', flags: signaling || !quiet ? MXCSR_IE : 0 };
    }
    const first = x.kind === 'zero' ? 0 : this.#number(a);
    const second = y.kind === 'zero' ? 0 : this.#number(b);
    const order = first < second ? 'less' : first > second ? 'greater' : 'equal';
    return { order, flags: denormal(x, y) };
  }

  /** A value of the other width in this one. */
  convert(bits: bigint, from: FloatLane): Lane {
    const x = from.unpack(bits);
    const sign = this.#zero(x.sign);
    if (isNan(x)) {
      const fraction = (x.magnitude & ((1n << 63n) - 1n)) >> (63n - this.#exponentAt);
      const flags = x.kind === 'signaling' ? MXCSR_IE : 0;
      return { bits: this.#quieted(sign | this.#special | fraction), flags };
    }
    if (x.kind === 'infinity') return { bits: sign | this.#special, flags: 0 };
    if (x.kind === 'zero') return { bits: sign, flags: 0 };
    return this.round(x, denormal(x, x));
  }
  /** A signed integer in this width. */
  fromInteger(value: bigint): Lane {
    return value === 0n ? { bits: 0n, flags: 0 } : this.round(unpackInteger(value));
  }
  /** A value as a signed integer of `size` bytes. */
  toInteger(bits: bigint, size: 4 | 8, truncate: boolean): Lane {
    const x = this.unpack(bits);
    const limit = 1n << BigInt(size * 8 - 1);
    if (isNan(x) || x.kind === 'infinity') return { bits: limit, flags: MXCSR_IE };
    const { value, lost } = roundToInteger(x, truncate ? ROUND_ZERO : this.#rounding);
    const result = x.sign ? -value : value;
    if (result < -limit || result >= limit) return { bits: limit, flags: MXCSR_IE };
    return { bits: BigInt.asUintN(size * 8, result), flags: lost ? MXCSR_PE : 0 };
  }
}

function denormal(x: Operand, y: Operand): number {
  return x.kind === 'denormal' || y.kind === 'denormal' ? MXCSR_DE : 0;
}

/** A number rounded to single precision, as its bits. */
function singleBits(value: number): bigint {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, value);
  return BigInt(view.getUint32(0));
}
