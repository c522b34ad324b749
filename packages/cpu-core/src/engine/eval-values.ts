/** The part of the evaluator that computes, on BigInts. */
import type { Values, Width } from '../semantics/builder.ts';

/** All bits of a value, by width. */
export const MASK: Readonly<Record<number, bigint>> = {
  1: 0xffn,
  2: 0xffffn,
  4: 0xffff_ffffn,
  8: 0xffff_ffff_ffff_ffffn,
};

/** Arithmetic of the evaluator. */
export class EvalValues implements Values<bigint, boolean> {
  const(value: bigint): bigint {
    return BigInt.asUintN(64, value);
  }
  add(w: Width, a: bigint, b: bigint): bigint {
    return (a + b) & MASK[w]!;
  }
  sub(w: Width, a: bigint, b: bigint): bigint {
    return (a - b) & MASK[w]!;
  }
  mul(w: Width, a: bigint, b: bigint): bigint {
    return (a * b) & MASK[w]!;
  }
  mulHigh(w: Width, signed: boolean, a: bigint, b: bigint): bigint {
    const bits = w * 8;
    const product = signed ? BigInt.asIntN(bits, a) * BigInt.asIntN(bits, b) : a * b;
    return (product >> BigInt(bits)) & MASK[w]!;
  }
  and(a: bigint, b: bigint): bigint {
    return a & b;
  }
  or(a: bigint, b: bigint): bigint {
    return a | b;
  }
  xor(a: bigint, b: bigint): bigint {
    return a ^ b;
  }
  shl(w: Width, a: bigint, count: bigint): bigint {
    return (a << (count & 63n)) & MASK[w]!;
  }
  shr(_w: Width, a: bigint, count: bigint): bigint {
    return a >> (count & 63n);
  }
  sar(w: Width, a: bigint, count: bigint): bigint {
    return (BigInt.asIntN(w * 8, a) >> (count & 63n)) & MASK[w]!;
  }
  divU(a: bigint, b: bigint): bigint {
    return a / b;
  }
  remU(a: bigint, b: bigint): bigint {
    return a % b;
  }
  divS(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, BigInt.asIntN(64, a) / BigInt.asIntN(64, b));
  }
  remS(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, BigInt.asIntN(64, a) % BigInt.asIntN(64, b));
  }
  signExtend(from: Width, to: Width, a: bigint): bigint {
    return BigInt.asIntN(from * 8, a) & MASK[to]!;
  }
  truncate(w: Width, a: bigint): bigint {
    return a & MASK[w]!;
  }
  countLeadingZeros(a: bigint): bigint {
    return a === 0n ? 64n : BigInt(64 - a.toString(2).length);
  }
  countTrailingZeros(a: bigint): bigint {
    return a === 0n ? 64n : BigInt((a & -a).toString(2).length - 1);
  }
  equal(a: bigint, b: bigint): boolean {
    return a === b;
  }
  below(a: bigint, b: bigint): boolean {
    return a < b;
  }
  less(a: bigint, b: bigint): boolean {
    return BigInt.asIntN(64, a) < BigInt.asIntN(64, b);
  }
  both(a: boolean, b: boolean): boolean {
    return a && b;
  }
  either(a: boolean, b: boolean): boolean {
    return a || b;
  }
  not(c: boolean): boolean {
    return !c;
  }
  toValue(c: boolean): bigint {
    return c ? 1n : 0n;
  }
  select(c: boolean, a: bigint, b: bigint): bigint {
    return c ? a : b;
  }
}
