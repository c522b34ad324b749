/**
 * Emits computations on {@link Value}s: the part of the translator's back end that knows neither registers nor memory.
 */
import type { Values, Width } from '../../semantics/builder.ts';
import { type Emitter, VOID, W } from '../wasm/emitter.ts';
import type { Locals } from './locals.ts';
import { bitsOf, Value } from './value.ts';

/** Indices of the imported functions that translated code calls. */
export interface RegionFunctions {
  /** (state, site, linear, access, budget) -> host offset, or -1 to leave. */
  readonly access: number;
  /** (state, site, budget): the evaluator is to execute the instruction. */
  readonly abort: number;
  /** (state, site, budget) -> 0 to go on. */
  readonly execute: number;
  /** (state, rip, link) -> what the region returns: goes on there. */
  readonly chain: number;
  /** (state, site, budget): leave before a block. */
  readonly stop: number;
  /** (state) -> status flags from the state page. */
  readonly flags: number;
  /** (state, segment, offset, access) -> linear address or -1. */
  readonly segment: number;
  /** (state, port, size, rest) -> value of a counter of virtual time, or -1. */
  readonly timeIn: number;
  /** (state, rest) -> time-stamp counter, or -1. */
  readonly timeTsc: number;
  /** (state, shape) -> 1 if it has executed a MOVS or STOS, which it does in plain memory. */
  readonly string: number;
  /** (state, kind, a, b, result) -> 0 if a floating-point result is right: `SETTLE`. */
  readonly settle: number;
}

/** Arithmetic of a region: works out constants itself, emits the rest. */
export class ValueEmitter implements Values<Value, Value> {
  readonly e: Emitter;
  readonly functions: RegionFunctions;
  readonly locals: Locals;
  /** Bits of a general register's local. */
  readonly native: 32 | 64;
  /** Labels opened inside the function so far. */
  depth = 0;
  /** Offsets into the code buffer of `if`s and `br_if`s that are hardly ever taken. */
  readonly unlikely: number[] = [];

  constructor(e: Emitter, functions: RegionFunctions, locals: Locals, native: 32 | 64) {
    this.e = e;
    this.functions = functions;
    this.locals = locals;
    this.native = native;
  }

  /** Pushes a value as a 32- or 64-bit one. */
  put(v: Value, type: 32 | 64): void {
    const { e } = this;
    if (v.constant !== undefined) {
      if (type === 32) e.i32(Number(BigInt.asIntN(32, v.constant)));
      else e.i64(v.constant);
      return;
    }
    e.get(v.local);
    if (type === 64 && v.type === 32) e.op(W.i64_extend_i32_u);
    else if (type === 32 && v.type === 64) e.op(W.i32_wrap_i64);
  }
  /** Pops into a new value. */
  pop(type: 32 | 64 | 128, bits: number = type): Value {
    const local = this.locals.scratch(type);
    this.e.set(local);
    return new Value(type, local, bits);
  }
  /** Pops a truth. */
  popTruth(): Value {
    return this.pop(32, 1);
  }

  const(constant: bigint): Value {
    const k = BigInt.asUintN(64, constant);
    return new Value(k > 0xffff_ffffn ? 64 : 32, -1, bitsOf(k), k);
  }
  #fold2(a: Value, b: Value, f: (x: bigint, y: bigint) => bigint): Value | undefined {
    return a.constant !== undefined && b.constant !== undefined
      ? this.const(f(a.constant, b.constant))
      : undefined;
  }
  /** Cuts the 32-bit value on the stack to a width below 4. */
  #mask32(w: Width): void {
    if (w === 1) this.e.i32(0xff).op(W.i32_and);
    else if (w === 2) this.e.i32(0xffff).op(W.i32_and);
  }
  #arithmetic(w: Width, op64: number, op32: number, a: Value, b: Value): Value {
    const type = w === 8 ? 64 : 32;
    this.put(a, type);
    this.put(b, type);
    this.e.op(type === 64 ? op64 : op32);
    this.#mask32(w);
    return this.pop(type, w * 8);
  }
  add(w: Width, a: Value, b: Value): Value {
    const folded = this.#fold2(a, b, (x, y) => BigInt.asUintN(w * 8, x + y));
    if (folded) return folded;
    if (b.constant === 0n && a.bits <= w * 8) return a;
    return this.#arithmetic(w, W.i64_add, W.i32_add, a, b);
  }
  sub(w: Width, a: Value, b: Value): Value {
    const folded = this.#fold2(a, b, (x, y) => BigInt.asUintN(w * 8, x - y));
    if (folded) return folded;
    const difference = this.#arithmetic(w, W.i64_sub, W.i32_sub, a, b);
    difference.minuend = a;
    return difference;
  }
  mul(w: Width, a: Value, b: Value): Value {
    return this.#arithmetic(w, W.i64_mul, W.i32_mul, a, b);
  }
  mulHigh(w: Width, signed: boolean, a: Value, b: Value): Value {
    const { e } = this;
    if (w === 8) return this.#mulHigh64(signed, a, b);
    if (w === 4) {
      for (const x of [a, b]) {
        this.put(x, 32);
        e.op(signed ? W.i64_extend_i32_s : W.i64_extend_i32_u);
      }
      e.op(W.i64_mul).i64(32n).op(W.i64_shr_u, W.i32_wrap_i64);
      return this.pop(32);
    }
    for (const x of [a, b]) {
      this.put(x, 32);
      if (signed) e.op(w === 1 ? W.i32_extend8_s : W.i32_extend16_s);
    }
    e.op(W.i32_mul)
      .i32(w * 8)
      .op(W.i32_shr_u);
    this.#mask32(w);
    return this.pop(32, w * 8);
  }
  /** From four products of halves; signed: the unsigned one, less each operand where the other is negative. */
  #mulHigh64(signed: boolean, a: Value, b: Value): Value {
    const { e } = this;
    const LOW = 0xffff_ffffn;
    const half = (x: Value, high: boolean): number => {
      this.put(x, 64);
      if (high) e.i64(32n).op(W.i64_shr_u);
      else e.i64(LOW).op(W.i64_and);
      return this.pop(64).local;
    };
    const [al, ah, bl, bh] = [half(a, false), half(a, true), half(b, false), half(b, true)];
    e.get(ah).get(bl).op(W.i64_mul).get(al).get(bl).op(W.i64_mul).i64(32n).op(W.i64_shr_u, W.i64_add);
    const mid = this.pop(64).local;
    e.get(al).get(bh).op(W.i64_mul).get(mid).i64(LOW).op(W.i64_and, W.i64_add).i64(32n).op(W.i64_shr_u);
    e.get(ah).get(bh).op(W.i64_mul).get(mid).i64(32n).op(W.i64_shr_u, W.i64_add, W.i64_add);
    if (signed) {
      for (const [x, y] of [
        [a, b],
        [b, a],
      ] as const) {
        this.put(x, 64);
        e.i64(63n).op(W.i64_shr_s);
        this.put(y, 64);
        e.op(W.i64_and, W.i64_sub);
      }
    }
    return this.pop(64);
  }
  #bitwise(op64: number, op32: number, a: Value, b: Value, bits: number): Value {
    const type = a.type === 64 || b.type === 64 ? 64 : 32;
    this.put(a, type);
    this.put(b, type);
    this.e.op(type === 64 ? op64 : op32);
    return this.pop(type, bits);
  }
  and(a: Value, b: Value): Value {
    const folded = this.#fold2(a, b, (x, y) => x & y);
    if (folded) return folded;
    const bits = Math.min(a.bits, b.bits);
    if (b.constant !== undefined && b.constant === (1n << BigInt(b.bits)) - 1n && a.bits <= b.bits) return a;
    if (bits > 32 || (a.type === 32 && b.type === 32)) return this.#bitwise(W.i64_and, W.i32_and, a, b, bits);
    this.put(a, 32);
    this.put(b, 32);
    this.e.op(W.i32_and);
    return this.pop(32, bits);
  }
  or(a: Value, b: Value): Value {
    const folded = this.#fold2(a, b, (x, y) => x | y);
    if (folded) return folded;
    if (b.constant === 0n) return a;
    return this.#bitwise(W.i64_or, W.i32_or, a, b, Math.max(a.bits, b.bits));
  }
  xor(a: Value, b: Value): Value {
    const folded = this.#fold2(a, b, (x, y) => x ^ y);
    if (folded) return folded;
    return this.#bitwise(W.i64_xor, W.i32_xor, a, b, Math.max(a.bits, b.bits));
  }
  shl(w: Width, a: Value, count: Value): Value {
    const folded = this.#fold2(a, count, (x, n) => BigInt.asUintN(w * 8, x << (n & 63n)));
    if (folded) return folded;
    if (count.constant === 0n) return a;
    const bits = count.constant === undefined ? 64 : a.bits + Number(count.constant);
    const type = w === 8 && bits > 32 ? 64 : 32;
    this.put(a, type);
    this.put(count, type);
    this.e.op(type === 64 ? W.i64_shl : W.i32_shl);
    if (bits > w * 8) this.#mask32(w);
    return this.pop(type, Math.min(bits, w * 8));
  }
  shr(w: Width, a: Value, count: Value): Value {
    const folded = this.#fold2(a, count, (x, n) => x >> (n & 63n));
    if (folded) return folded;
    const by = count.constant === undefined ? undefined : Number(count.constant & 63n);
    if (by === 0) return a;
    if (by !== undefined && by >= a.bits) return this.const(0n);
    // A count that is not known here may be 32 or more in 64 bits.
    const type = a.type === 64 || (w === 8 && by === undefined) ? 64 : 32;
    this.put(a, type);
    this.put(count, type);
    this.e.op(type === 64 ? W.i64_shr_u : W.i32_shr_u);
    return this.pop(type, a.bits - (by ?? 0));
  }
  sar(w: Width, a: Value, count: Value): Value {
    const folded = this.#fold2(a, count, (x, n) =>
      BigInt.asUintN(w * 8, BigInt.asIntN(w * 8, x) >> (n & 63n)),
    );
    if (folded) return folded;
    const type = w === 8 ? 64 : 32;
    this.put(a, type);
    if (w < 4) this.e.op(w === 1 ? W.i32_extend8_s : W.i32_extend16_s);
    this.put(count, type);
    this.e.op(type === 64 ? W.i64_shr_s : W.i32_shr_s);
    this.#mask32(w);
    return this.pop(type, w * 8);
  }
  #divide(opcode: number, a: Value, b: Value): Value {
    this.put(a, 64);
    this.put(b, 64);
    this.e.op(opcode);
    return this.pop(64);
  }
  divU(a: Value, b: Value): Value {
    return this.#divide(W.i64_div_u, a, b);
  }
  remU(a: Value, b: Value): Value {
    const folded = this.#fold2(a, b, (x, y) => x % y);
    if (folded) return folded;
    return this.#divide(W.i64_rem_u, a, b);
  }
  divS(a: Value, b: Value): Value {
    return this.#divide(W.i64_div_s, a, b);
  }
  remS(a: Value, b: Value): Value {
    return this.#divide(W.i64_rem_s, a, b);
  }
  signExtend(from: Width, to: Width, a: Value): Value {
    if (a.constant !== undefined)
      return this.const(BigInt.asUintN(to * 8, BigInt.asIntN(from * 8, a.constant)));
    const { e } = this;
    if (to === 8) {
      this.put(a, 64);
      if (from < 8) e.op(from === 1 ? W.i64_extend8_s : from === 2 ? W.i64_extend16_s : W.i64_extend32_s);
      return this.pop(64);
    }
    this.put(a, 32);
    if (from < 4) e.op(from === 1 ? W.i32_extend8_s : W.i32_extend16_s);
    this.#mask32(to);
    return this.pop(32, to * 8);
  }
  truncate(w: Width, a: Value): Value {
    if (a.constant !== undefined) return this.const(BigInt.asUintN(w * 8, a.constant));
    if (a.bits <= w * 8) return a;
    this.put(a, 32);
    this.#mask32(w);
    return this.pop(32, w * 8);
  }
  countLeadingZeros(a: Value): Value {
    this.put(a, 64);
    this.e.op(W.i64_clz);
    return this.pop(64, 7);
  }
  countTrailingZeros(a: Value): Value {
    this.put(a, 64);
    this.e.op(W.i64_ctz);
    return this.pop(64, 7);
  }

  #truth(value: boolean): Value {
    return this.const(value ? 1n : 0n);
  }
  equal(a: Value, b: Value): Value {
    if (a.constant !== undefined && b.constant !== undefined) return this.#truth(a.constant === b.constant);
    const type = a.type === 64 || b.type === 64 ? 64 : 32;
    this.put(a, type);
    if (b.constant === 0n) this.e.op(type === 64 ? W.i64_eqz : W.i32_eqz);
    else {
      this.put(b, type);
      this.e.op(type === 64 ? W.i64_eq : W.i32_eq);
    }
    return this.popTruth();
  }
  below(a: Value, b: Value): Value {
    const type = a.type === 64 || b.type === 64 ? 64 : 32;
    this.put(a, type);
    this.put(b, type);
    this.e.op(type === 64 ? W.i64_lt_u : W.i32_lt_u);
    return this.popTruth();
  }
  less(a: Value, b: Value): Value {
    this.put(a, 64);
    this.put(b, 64);
    this.e.op(W.i64_lt_s);
    return this.popTruth();
  }
  both(a: Value, b: Value): Value {
    return this.and(a, b);
  }
  either(a: Value, b: Value): Value {
    return this.or(a, b);
  }
  not(c: Value): Value {
    if (c.constant !== undefined) return this.#truth(c.constant === 0n);
    this.put(c, 32);
    this.e.op(W.i32_eqz);
    return this.popTruth();
  }
  toValue(c: Value): Value {
    return c;
  }
  select(c: Value, a: Value, b: Value): Value {
    if (c.constant !== undefined) return c.constant === 0n ? b : a;
    const type = a.type === 64 || b.type === 64 ? 64 : 32;
    this.put(a, type);
    this.put(b, type);
    this.put(c, 32);
    this.e.op(W.select);
    return this.pop(type, Math.max(a.bits, b.bits));
  }
  if_(c: Value, body: () => void): void {
    if (c.constant !== undefined) {
      if (c.constant !== 0n) body();
      return;
    }
    this.put(c, 32);
    this.e.op(W.if, VOID);
    this.depth++;
    body();
    this.depth--;
    this.e.op(W.end);
  }
}
