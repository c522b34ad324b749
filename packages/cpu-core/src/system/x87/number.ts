/**
 * The x87 number formats: 80-bit registers, 32- and 64-bit memory operands, rounding. Exact, by big integers.
 * Intel SDM Vol. 1, "Floating-Point Data Types", "Operating on NaNs", "Rounding".
 */

/** Exception flags of the status word; the control word masks them at the same positions. */
export const X87_IE = 0x01;
/** Denormal operand. */
export const X87_DE = 0x02;
/** Division by zero. */
export const X87_ZE = 0x04;
/** Overflow: the result is too large for its format. */
export const X87_OE = 0x08;
/** Underflow: the result is tiny; masked, only where it is inexact too. */
export const X87_UE = 0x10;
/** Inexact result (precision). */
export const X87_PE = 0x20;

/** Rounding control: to nearest, ties to even. */
export const ROUND_NEAREST = 0;
/** Rounding control: toward minus infinity. */
export const ROUND_DOWN = 1;
/** Rounding control: toward plus infinity. */
export const ROUND_UP = 2;
/** Rounding control: toward zero. */
export const ROUND_ZERO = 3;

/** An 80-bit value as it lies in a register. */
export interface Float80 {
  /** Sign bit. */
  readonly sign: number;
  /** Biased exponent, 15 bit. */
  readonly exponent: number;
  /** Significand, 64 bit, integer bit explicit. */
  readonly significand: bigint;
}

/**
 * What an operand is. Pseudo-denormals count as denormal; unnormals, pseudo-infinities and pseudo-NaNs are unsupported.
 */
export type Kind = 'zero' | 'denormal' | 'normal' | 'infinity' | 'quiet' | 'signaling' | 'unsupported';

/** An operand taken apart: its value is (-1)^sign * magnitude * 2^scale where `kind` is finite. */
export interface Operand {
  /** What the other members mean depends on it. */
  readonly kind: Kind;
  /** Sign bit. */
  readonly sign: number;
  /** Integer; of a NaN: its 64-bit significand. */
  readonly magnitude: bigint;
  /** Exponent of the magnitude's lowest bit. */
  readonly scale: number;
}

/** A binary format: digits, and the exponents of its smallest and largest normal numbers. */
export interface Format {
  /** Significand bits, the integer bit counted. */
  readonly precision: number;
  /** Exponent of the smallest normal number. */
  readonly minimum: number;
  /** Exponent of the largest number. */
  readonly maximum: number;
}

const BIAS = 16383;
const TOP = 1n << 63n;
const QUIET = 1n << 62n;
const MASK64 = 0xffff_ffff_ffff_ffffn;
/** The exponent that unmasked overflow and underflow take away or add. */
const WRAP = 24576;

/** Single precision in memory. */
export const FORMAT32: Format = { precision: 24, minimum: -126, maximum: 127 };
/** Double precision in memory. */
export const FORMAT64: Format = { precision: 53, minimum: -1022, maximum: 1023 };
/** Double extended precision. */
export const FORMAT80: Format = { precision: 64, minimum: 1 - BIAS, maximum: BIAS };
const EXTENDED24: Format = { ...FORMAT80, precision: 24 };
const EXTENDED53: Format = { ...FORMAT80, precision: 53 };

/** The quiet NaN that masked invalid operations return ("real indefinite"). */
export const INDEFINITE: Float80 = { sign: 1, exponent: 0x7fff, significand: TOP | QUIET };

/** 0 with this sign bit. */
export const zero = (sign: number): Float80 => ({ sign, exponent: 0, significand: 0n });
/** Infinity with this sign bit. */
export const infinity = (sign: number): Float80 => ({ sign, exponent: 0x7fff, significand: TOP });

/** Format that the precision-control field selects; the reserved value 1 means 64 bits. */
export function precisionFormat(controlWord: number): Format {
  const field = (controlWord >> 8) & 3;
  if (field === 0) return EXTENDED24;
  return field === 2 ? EXTENDED53 : FORMAT80;
}

/** Rounding-control field. */
export const roundingOf = (controlWord: number): number => (controlWord >> 10) & 3;

/** Bits of a positive integer. */
export function bitLength(value: bigint): number {
  return value.toString(2).length;
}

/** Class of a register's contents. */
export function kindOf(value: Float80): Kind {
  const { exponent, significand } = value;
  if (exponent === 0) return significand === 0n ? 'zero' : 'denormal';
  if (!(significand & TOP)) return 'unsupported';
  if (exponent !== 0x7fff) return 'normal';
  if (significand === TOP) return 'infinity';
  return significand & QUIET ? 'quiet' : 'signaling';
}

/** Takes a register's contents apart. */
export function unpack80(value: Float80): Operand {
  const scale = (value.exponent || 1) - BIAS - 63;
  return { kind: kindOf(value), sign: value.sign, magnitude: value.significand, scale };
}

/** Takes a single- or double-precision value apart. */
export function unpackShort(bits: bigint, format: Format): Operand {
  const fractionBits = BigInt(format.precision - 1);
  const fraction = bits & ((1n << fractionBits) - 1n);
  const exponentBits = format.maximum * 2 + 1;
  const biased = Number((bits >> fractionBits) & BigInt(exponentBits));
  const sign = Number(bits >> BigInt(format.precision === 24 ? 31 : 63));
  const scale = format.minimum - format.precision + 1;
  if (biased === 0) return { kind: fraction ? 'denormal' : 'zero', sign, magnitude: fraction, scale };
  if (biased === exponentBits) {
    const significand = TOP | (fraction << (63n - fractionBits));
    const kind = fraction === 0n ? 'infinity' : significand & QUIET ? 'quiet' : 'signaling';
    return { kind, sign, magnitude: significand, scale: 0 };
  }
  return { kind: 'normal', sign, magnitude: fraction | (1n << fractionBits), scale: scale + biased - 1 };
}

/** A signed integer as an operand. */
export function unpackInteger(value: bigint): Operand {
  const sign = value < 0n ? 1 : 0;
  return { kind: value ? 'normal' : 'zero', sign, magnitude: sign ? -value : value, scale: 0 };
}

/** True for the two NaN kinds. */
export const isNan = (x: Operand): boolean => x.kind === 'quiet' || x.kind === 'signaling';

/** A NaN operand, made quiet. */
export const quietNan = (x: Operand): Float80 => ({
  sign: x.sign,
  exponent: 0x7fff,
  significand: x.magnitude | QUIET,
});

/** The NaN that an operation on two operands returns, at least one of which is a NaN. */
export function propagateNan(a: Operand, b: Operand): Float80 {
  if (!isNan(b)) return quietNan(a);
  if (!isNan(a)) return quietNan(b);
  if (a.kind !== b.kind) return quietNan(a.kind === 'quiet' ? a : b);
  if (a.magnitude !== b.magnitude) return quietNan(a.magnitude > b.magnitude ? a : b);
  return quietNan(a.sign <= b.sign ? a : b);
}

/** A rounded magnitude: `significand` has at most the format's precision; exponent of its top digit position. */
interface Rounded {
  /** 'finite' (0 included), or 'infinity'. */
  readonly kind: 'finite' | 'infinity';
  /** Digits, aligned to the precision (below it: denormal). */
  readonly significand: bigint;
  /** Exponent of the digit at the top of the precision. */
  readonly exponent: number;
  /** `X87_OE`, `X87_UE`, `X87_PE`. */
  readonly flags: number;
  /** Rounding made the magnitude larger. */
  readonly up: boolean;
}

/** Quotient of `value` by 2^shift, rounded. `lost`: it was not exact; `up`: it was rounded away from zero. */
export function roundShift(
  value: bigint,
  shift: number,
  sign: number,
  rounding: number,
): { value: bigint; lost: boolean; up: boolean } {
  if (shift <= 0) return { value: value << BigInt(-shift), lost: false, up: false };
  const kept = value >> BigInt(shift);
  const rest = value - (kept << BigInt(shift));
  if (rest === 0n) return { value: kept, lost: false, up: false };
  let up = false;
  if (rounding === ROUND_NEAREST) {
    const half = 1n << BigInt(shift - 1);
    up = rest > half || (rest === half && (kept & 1n) === 1n);
  } else if (rounding !== ROUND_ZERO) up = (rounding === ROUND_DOWN) === (sign === 1);
  return { value: up ? kept + 1n : kept, lost: true, up };
}

/**
 * Rounds magnitude * 2^scale (not 0) to a format. Tininess is detected after rounding. `masks`: exceptions that are
 * masked; unmasked overflow and underflow keep the digits and wrap the exponent.
 */
function round(
  sign: number,
  magnitude: bigint,
  scale: number,
  format: Format,
  rounding: number,
  masks: number,
): Rounded {
  const { precision, minimum, maximum } = format;
  const length = bitLength(magnitude);
  let exponent = scale + length - 1;
  let digits = roundShift(magnitude, length - precision, sign, rounding);
  let significand = digits.value;
  if (significand >> BigInt(precision)) {
    significand >>= 1n;
    exponent++;
  }
  const inexact = digits.lost ? X87_PE : 0;
  if (exponent < minimum) {
    if (!(masks & X87_UE)) {
      return {
        kind: 'finite',
        significand,
        exponent: exponent + WRAP,
        flags: X87_UE | inexact,
        up: digits.up,
      };
    }
    digits = roundShift(magnitude, minimum - precision + 1 - scale, sign, rounding);
    const flags = digits.lost ? X87_UE | X87_PE : 0;
    return { kind: 'finite', significand: digits.value, exponent: minimum, flags, up: digits.up };
  }
  if (exponent <= maximum) return { kind: 'finite', significand, exponent, flags: inexact, up: digits.up };
  if (!(masks & X87_OE)) {
    return { kind: 'finite', significand, exponent: exponent - WRAP, flags: X87_OE | inexact, up: digits.up };
  }
  const away =
    rounding === ROUND_NEAREST || (rounding !== ROUND_ZERO && (rounding === ROUND_DOWN) === (sign === 1));
  const flags = X87_OE | X87_PE;
  if (away) return { kind: 'infinity', significand: 0n, exponent: 0, flags, up: true };
  return { kind: 'finite', significand: (1n << BigInt(precision)) - 1n, exponent: maximum, flags, up: false };
}

/** Result of an operation: a register value, the exceptions it raises, and C1 (rounded up). */
export interface Result {
  /** Value for the destination if no exception before the computation is unmasked. */
  readonly value: Float80;
  /** `X87_*` flags. */
  readonly flags: number;
  /** Rounding made the magnitude larger. */
  readonly up: boolean;
}

/** A result that is exact. */
export const exact = (value: Float80, flags = 0): Result => ({ value, flags, up: false });
/** A masked invalid operation. */
export const INVALID: Result = { value: INDEFINITE, flags: X87_IE, up: false };

/** Rounds to a register value of the format's precision. */
export function round80(
  sign: number,
  magnitude: bigint,
  scale: number,
  format: Format,
  controlWord: number,
): Result {
  const r = round(sign, magnitude, scale, format, roundingOf(controlWord), controlWord);
  if (r.kind === 'infinity') return { value: infinity(sign), flags: r.flags, up: r.up };
  const significand = r.significand << BigInt(64 - format.precision);
  const biased = r.exponent + BIAS;
  if (biased >= 0x7fff) return { value: infinity(sign), flags: r.flags | X87_PE, up: true };
  if (biased <= 0 || significand === 0n) return { value: zero(sign), flags: r.flags | X87_PE, up: false };
  return { value: { sign, exponent: significand & TOP ? biased : 0, significand }, flags: r.flags, up: r.up };
}

/** An operand as a register value, exactly; it must fit (every memory format does). */
export function pack80(x: Operand): Float80 {
  if (x.kind === 'zero') return zero(x.sign);
  if (x.kind === 'infinity') return infinity(x.sign);
  if (isNan(x)) return { sign: x.sign, exponent: 0x7fff, significand: x.magnitude & MASK64 };
  return round80(x.sign, x.magnitude, x.scale, FORMAT80, 0x37f).value;
}

/** Rounds a register value to single or double precision. `bits`: what is stored if the exceptions allow it. */
export function roundToShort(
  x: Operand,
  format: Format,
  controlWord: number,
): { bits: bigint; flags: number; up: boolean } {
  const fractionBits = BigInt(format.precision - 1);
  const width = format.precision === 24 ? 32 : 64;
  const sign = BigInt(x.sign) << BigInt(width - 1);
  const special = BigInt(format.maximum * 2 + 1) << fractionBits;
  const nan = (value: Float80, flags: number): { bits: bigint; flags: number; up: boolean } => {
    const fraction = (value.significand & (TOP - 1n)) >> (63n - fractionBits);
    return { bits: (BigInt(value.sign) << BigInt(width - 1)) | special | fraction, flags, up: false };
  };
  switch (x.kind) {
    case 'unsupported':
      return nan(INDEFINITE, X87_IE);
    case 'signaling':
      return nan(quietNan(x), X87_IE);
    case 'quiet':
      return nan(quietNan(x), 0);
    case 'infinity':
      return { bits: sign | special, flags: 0, up: false };
    case 'zero':
      return { bits: sign, flags: 0, up: false };
  }
  const r = round(x.sign, x.magnitude, x.scale, format, roundingOf(controlWord), controlWord);
  if (r.kind === 'infinity') return { bits: sign | special, flags: r.flags, up: r.up };
  // The integer bit carries into the exponent field: a denormal that rounded up to the smallest normal comes out right.
  const bits = sign | ((BigInt(r.exponent - format.minimum) << fractionBits) + r.significand);
  return { bits, flags: r.flags, up: r.up };
}
