/**
 * x87 arithmetic on operands, exactly rounded. Pure: values in, value and exceptions out.
 * Intel SDM Vol. 2, FADD, FMUL, FDIV, FSQRT, FPREM, FPREM1, FRNDINT, FSCALE, FXTRACT; Vol. 1, "Floating-Point
 * Exceptions".
 */
import {
  bitLength,
  exact,
  type Float80,
  FORMAT80,
  INVALID,
  infinity,
  isNan,
  type Operand,
  pack80,
  precisionFormat,
  propagateNan,
  quietNan,
  type Result,
  ROUND_DOWN,
  round80,
  roundingOf,
  roundShift,
  unpackInteger,
  X87_DE,
  X87_IE,
  X87_PE,
  X87_ZE,
  zero,
} from './number.ts';

/** Two-operand arithmetic: first operand, second operand, control word. */
export type Binary = (a: Operand, b: Operand, controlWord: number) => Result;
/** One-operand arithmetic. */
export type Unary = (a: Operand, controlWord: number) => Result;

/** Result where a NaN or an unsupported format decides it; undefined if none is there. */
function special(a: Operand, b: Operand): Result | undefined {
  if (a.kind === 'unsupported' || b.kind === 'unsupported') return INVALID;
  if (!isNan(a) && !isNan(b)) return undefined;
  const signaling = a.kind === 'signaling' || b.kind === 'signaling';
  return exact(propagateNan(a, b), signaling ? X87_IE : 0);
}

const denormal = (a: Operand, b: Operand): number =>
  a.kind === 'denormal' || b.kind === 'denormal' ? X87_DE : 0;

const withFlags = (result: Result, flags: number): Result => ({ ...result, flags: result.flags | flags });

/**
 * What is still to be rounded: (-1)^sign * magnitude * 2^scale. Where the true magnitude has no end, its digits go far
 * beyond every format, and the last one is set for what is behind them: every rounding comes out right.
 */
export type Unrounded = Pick<Operand, 'sign' | 'magnitude' | 'scale'>;

/** Sum of two finite operands, the second with another sign bit. Its sign is 0 where it is 0. */
export function exactSum(a: Operand, b: Operand, signB: number): Unrounded {
  const scale = Math.min(a.scale, b.scale);
  const left = (a.kind === 'zero' ? 0n : a.magnitude) << BigInt(a.scale - scale);
  const right = (b.kind === 'zero' ? 0n : b.magnitude) << BigInt(b.scale - scale);
  const sum = (a.sign ? -left : left) + (signB ? -right : right);
  return sum < 0n ? { sign: 1, magnitude: -sum, scale } : { sign: 0, magnitude: sum, scale };
}

/** Quotient of two finite operands other than 0. */
export function exactQuotient(a: Operand, b: Operand): Unrounded {
  const shift = 130 + bitLength(b.magnitude);
  const dividend = a.magnitude << BigInt(shift);
  const rest = dividend % b.magnitude === 0n ? 0n : 1n;
  const magnitude = ((dividend / b.magnitude) << 1n) | rest;
  return { sign: a.sign ^ b.sign, magnitude, scale: a.scale - b.scale - shift - 1 };
}

/** Square root of a positive finite operand. */
export function exactRoot(a: Operand): Unrounded {
  const shift = 140 + ((a.scale ^ 140) & 1);
  const radicand = a.magnitude << BigInt(shift);
  const root = integerRoot(radicand);
  const rest = root * root === radicand ? 0n : 1n;
  return { sign: 0, magnitude: (root << 1n) | rest, scale: (a.scale - shift) / 2 - 1 };
}

function addSigned(a: Operand, b: Operand, signB: number, controlWord: number): Result {
  const decided = special(a, b);
  if (decided) return decided;
  if (a.kind === 'infinity' && b.kind === 'infinity' && a.sign !== signB) return INVALID;
  const flags = denormal(a, b);
  if (a.kind === 'infinity') return exact(infinity(a.sign), flags);
  if (b.kind === 'infinity') return exact(infinity(signB), flags);
  const sum = exactSum(a, b, signB);
  if (sum.magnitude === 0n) {
    const sign = a.sign === signB ? a.sign : roundingOf(controlWord) === ROUND_DOWN ? 1 : 0;
    return exact(zero(sign), flags);
  }
  return withFlags(
    round80(sum.sign, sum.magnitude, sum.scale, precisionFormat(controlWord), controlWord),
    flags,
  );
}

/** a + b. */
export const add: Binary = (a, b, controlWord) => addSigned(a, b, b.sign, controlWord);
/** a - b. */
export const subtract: Binary = (a, b, controlWord) => addSigned(a, b, b.sign ^ 1, controlWord);
/** b - a. */
export const subtractReverse: Binary = (a, b, controlWord) => subtract(b, a, controlWord);

/** a * b. */
export const multiply: Binary = (a, b, controlWord) => {
  const decided = special(a, b);
  if (decided) return decided;
  const sign = a.sign ^ b.sign;
  const zeroes = a.kind === 'zero' || b.kind === 'zero';
  const infinities = a.kind === 'infinity' || b.kind === 'infinity';
  if (zeroes && infinities) return INVALID;
  const flags = denormal(a, b);
  if (infinities) return exact(infinity(sign), flags);
  if (zeroes) return exact(zero(sign), flags);
  const format = precisionFormat(controlWord);
  return withFlags(round80(sign, a.magnitude * b.magnitude, a.scale + b.scale, format, controlWord), flags);
};

/** a / b. */
export const divide: Binary = (a, b, controlWord) => {
  const decided = special(a, b);
  if (decided) return decided;
  const sign = a.sign ^ b.sign;
  if (a.kind === b.kind && (a.kind === 'zero' || a.kind === 'infinity')) return INVALID;
  const flags = denormal(a, b);
  if (a.kind === 'infinity') return exact(infinity(sign), flags);
  if (b.kind === 'infinity' || a.kind === 'zero') return exact(zero(sign), flags);
  if (b.kind === 'zero') return exact(infinity(sign), X87_ZE);
  const { magnitude, scale } = exactQuotient(a, b);
  return withFlags(round80(sign, magnitude, scale, precisionFormat(controlWord), controlWord), flags);
};
/** b / a. */
export const divideReverse: Binary = (a, b, controlWord) => divide(b, a, controlWord);

function integerRoot(value: bigint): bigint {
  let root = 1n << BigInt((bitLength(value) + 1) >> 1);
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

function specialOne(a: Operand): Result | undefined {
  if (a.kind === 'unsupported') return INVALID;
  if (isNan(a)) return exact(quietNan(a), a.kind === 'signaling' ? X87_IE : 0);
  return undefined;
}

/** FSQRT. */
export const squareRoot: Unary = (a, controlWord) => {
  const decided = specialOne(a);
  if (decided) return decided;
  if (a.kind === 'zero') return exact(zero(a.sign));
  if (a.sign) return INVALID;
  if (a.kind === 'infinity') return exact(infinity(0));
  const { magnitude, scale } = exactRoot(a);
  const format = precisionFormat(controlWord);
  return withFlags(round80(0, magnitude, scale, format, controlWord), a.kind === 'denormal' ? X87_DE : 0);
};

/** Rounds to an integer as the control word says; finite operands only. */
export function roundToInteger(a: Operand, rounding: number): { value: bigint; lost: boolean; up: boolean } {
  if (a.kind === 'zero') return { value: 0n, lost: false, up: false };
  // Below 1/4 every rounding gives the same as 1/4.
  if (a.scale + bitLength(a.magnitude) < -2) return roundShift(1n, 2, a.sign, rounding);
  return roundShift(a.magnitude, -a.scale, a.sign, rounding);
}

/** FRNDINT. */
export const roundInteger: Unary = (a, controlWord) => {
  const decided = specialOne(a);
  if (decided) return decided;
  if (a.kind === 'infinity' || a.kind === 'zero' || a.scale >= 0) return exact(pack80(a));
  const { value, lost, up } = roundToInteger(a, roundingOf(controlWord));
  const flags = (a.kind === 'denormal' ? X87_DE : 0) | (lost ? X87_PE : 0);
  return { value: { ...pack80(unpackInteger(value)), sign: a.sign }, flags, up };
};

/** FSCALE: a * 2^trunc(b). */
export const scale: Binary = (a, b, controlWord) => {
  const decided = special(a, b);
  if (decided) return decided;
  const flags = denormal(a, b);
  if (b.kind === 'infinity') {
    if (b.sign ? a.kind === 'infinity' : a.kind === 'zero') return INVALID;
    if (b.sign) return exact(zero(a.sign), flags);
    return exact(infinity(a.sign), flags);
  }
  if (a.kind === 'infinity') return exact(infinity(a.sign), flags);
  if (a.kind === 'zero') return exact(zero(a.sign), flags);
  const huge = b.kind !== 'zero' && b.scale + bitLength(b.magnitude) > 17;
  let by = huge ? 0x2_0000 : b.kind === 'zero' ? 0 : Number(roundShift(b.magnitude, -b.scale, 0, 3).value);
  if (b.sign) by = -by;
  return withFlags(round80(a.sign, a.magnitude, a.scale + by, FORMAT80, controlWord), flags);
};

/** FXTRACT: exponent and significand as two values. */
export function extract(a: Operand): { exponent: Float80; significand: Float80; flags: number } {
  const decided = specialOne(a);
  if (decided) return { exponent: decided.value, significand: decided.value, flags: decided.flags };
  if (a.kind === 'infinity') return { exponent: infinity(0), significand: infinity(a.sign), flags: 0 };
  if (a.kind === 'zero') return { exponent: infinity(1), significand: zero(a.sign), flags: X87_ZE };
  const top = bitLength(a.magnitude) - 1;
  return {
    exponent: pack80(unpackInteger(BigInt(a.scale + top))),
    significand: pack80({ ...a, scale: -top }),
    flags: a.kind === 'denormal' ? X87_DE : 0,
  };
}

/** Result of FPREM and FPREM1. */
interface Remainder extends Result {
  /** The quotient's low bits; 'incomplete': the reduction goes on; 'none': a NaN. */
  readonly quotient: number | 'incomplete' | 'none';
}

/** FPREM (`nearest` false: quotient truncated) and FPREM1 (rounded to nearest). */
export function remainder(a: Operand, b: Operand, nearest: boolean, controlWord: number): Remainder {
  const done = (result: Result, quotient: Remainder['quotient'] = 0): Remainder => ({ ...result, quotient });
  const decided = special(a, b);
  if (decided) return done(decided, 'none');
  if (a.kind === 'infinity' || b.kind === 'zero') return done(INVALID, 'none');
  const flags = denormal(a, b);
  if (a.kind === 'zero') return done(exact(zero(a.sign), flags));
  const rounded = (sign: number, magnitude: bigint, at: number): Result =>
    magnitude === 0n
      ? exact(zero(a.sign), flags)
      : withFlags(round80(sign, magnitude, at, FORMAT80, controlWord), flags);
  if (b.kind === 'infinity') return done(rounded(a.sign, a.magnitude, a.scale));
  const difference = a.scale + bitLength(a.magnitude) - (b.scale + bitLength(b.magnitude));
  if (difference < -1) return done(rounded(a.sign, a.magnitude, a.scale));
  const at = Math.min(a.scale, b.scale);
  const dividend = a.magnitude << BigInt(a.scale - at);
  const divisor = b.magnitude << BigInt(b.scale - at);
  if (difference >= 64) {
    // The SDM leaves the step open between 32 and 63 bits of quotient.
    const step = BigInt(difference - (32 + (difference & 31)));
    return done(rounded(a.sign, dividend % (divisor << step), at), 'incomplete');
  }
  let quotient = dividend / divisor;
  let rest = dividend % divisor;
  let sign = a.sign;
  if (nearest && (rest * 2n > divisor || (rest * 2n === divisor && quotient & 1n))) {
    quotient++;
    rest = divisor - rest;
    sign ^= 1;
  }
  return done(rounded(sign, rest, at), Number(quotient & 7n));
}
