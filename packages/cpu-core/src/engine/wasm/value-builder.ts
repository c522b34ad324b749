/** The part of the WebAssembly back end that computes: values, truths, constants. */
import type { Values, Width } from '../../semantics/builder.ts';
import { type Functions, LOCAL_POOL32, LOCAL_POOL64, LOCAL_RECORD, POOL32, POOL64 } from './convention.ts';
import { type Emitter, I64, VOID, W } from './emitter.ts';

/**
 * Values are locals of type i64 (or constants, as negative numbers), truths are locals of type i32. Every value is
 * zero-extended from its width.
 */
export class ValueBuilder implements Values<number, number> {
  readonly e: Emitter;
  readonly functions: Functions;
  /** Blocks opened inside the handler. */
  depth = 0;
  /** The last subtraction. */
  difference: { readonly a: number; readonly b: number; readonly result: number } | undefined;
  next32 = 0;
  #next64 = 0;
  #constants: bigint[] = [];

  constructor(emitter: Emitter, functions: Functions) {
    this.e = emitter;
    this.functions = functions;
  }

  /** Starts a handler: all locals are free. */
  begin(): void {
    this.#next64 = 0;
    this.next32 = 0;
    this.#constants = [];
    this.difference = undefined;
  }

  put(v: number): void {
    if (v < 0) this.e.i64(this.#constants[-v - 1]!);
    else this.e.get(v);
  }
  new64(): number {
    if (this.#next64 === POOL64) throw new RangeError('wasm: out of 64-bit locals');
    const local = LOCAL_POOL64 + this.#next64++;
    this.e.set(local);
    return local;
  }
  new32(): number {
    if (this.next32 === POOL32) throw new RangeError('wasm: out of 32-bit locals');
    const local = LOCAL_POOL32 + this.next32++;
    this.e.set(local);
    return local;
  }
  const(value: bigint): number {
    this.#constants.push(BigInt.asUintN(64, value));
    return -this.#constants.length;
  }
  constantOf(v: number): bigint | undefined {
    return v < 0 ? this.#constants[-v - 1] : undefined;
  }

  /** Cuts the value on the stack to a width. */
  #mask(w: Width): void {
    if (w === 8) return;
    if (w === 4) this.e.op(W.i32_wrap_i64, W.i64_extend_i32_u);
    else this.e.i64(w === 1 ? 0xffn : 0xffffn).op(W.i64_and);
  }
  #binary(w: Width, opcode64: number, opcode32: number, a: number, b: number): number {
    const e = this.e;
    this.put(a);
    if (w === 4) {
      e.op(W.i32_wrap_i64);
      this.put(b);
      e.op(W.i32_wrap_i64, opcode32, W.i64_extend_i32_u);
    } else {
      this.put(b);
      e.op(opcode64);
      this.#mask(w);
    }
    return this.new64();
  }
  add(w: Width, a: number, b: number): number {
    return this.#binary(w, W.i64_add, W.i32_add, a, b);
  }
  sub(w: Width, a: number, b: number): number {
    const result = this.#binary(w, W.i64_sub, W.i32_sub, a, b);
    this.difference = { a, b, result };
    return result;
  }
  mul(w: Width, a: number, b: number): number {
    return this.#binary(w, W.i64_mul, W.i32_mul, a, b);
  }
  mulHigh(w: Width, signed: boolean, a: number, b: number): number {
    const e = this.e;
    if (w === 8) {
      this.apart(() => {
        this.put(a);
        this.put(b);
        e.i32(signed ? 1 : 0).call(this.functions.mulHigh);
      }, I64);
      return this.new64();
    }
    this.put(signed ? this.signExtend(w, 8, a) : a);
    this.put(signed ? this.signExtend(w, 8, b) : b);
    e.op(W.i64_mul)
      .i64(BigInt(w * 8))
      .op(W.i64_shr_u);
    this.#mask(w);
    return this.new64();
  }
  #plain(opcode: number, a: number, b: number): number {
    this.put(a);
    this.put(b);
    this.e.op(opcode);
    return this.new64();
  }
  and(a: number, b: number): number {
    return this.#plain(W.i64_and, a, b);
  }
  or(a: number, b: number): number {
    return this.#plain(W.i64_or, a, b);
  }
  xor(a: number, b: number): number {
    return this.#plain(W.i64_xor, a, b);
  }
  shl(w: Width, a: number, count: number): number {
    this.put(a);
    this.put(count);
    this.e.op(W.i64_shl);
    this.#mask(w);
    return this.new64();
  }
  shr(_w: Width, a: number, count: number): number {
    return this.#plain(W.i64_shr_u, a, count);
  }
  sar(w: Width, a: number, count: number): number {
    this.put(w === 8 ? a : this.signExtend(w, 8, a));
    this.put(count);
    this.e.op(W.i64_shr_s);
    this.#mask(w);
    return this.new64();
  }
  divU(a: number, b: number): number {
    return this.#plain(W.i64_div_u, a, b);
  }
  remU(a: number, b: number): number {
    return this.#plain(W.i64_rem_u, a, b);
  }
  divS(a: number, b: number): number {
    return this.#plain(W.i64_div_s, a, b);
  }
  remS(a: number, b: number): number {
    return this.#plain(W.i64_rem_s, a, b);
  }
  signExtend(from: Width, to: Width, a: number): number {
    this.put(a);
    if (from === 1) this.e.op(W.i64_extend8_s);
    else if (from === 2) this.e.op(W.i64_extend16_s);
    else if (from === 4) this.e.op(W.i64_extend32_s);
    this.#mask(to);
    return this.new64();
  }
  truncate(w: Width, a: number): number {
    if (w === 8) return a;
    this.put(a);
    this.#mask(w);
    return this.new64();
  }
  countLeadingZeros(a: number): number {
    this.put(a);
    this.e.op(W.i64_clz);
    return this.new64();
  }
  countTrailingZeros(a: number): number {
    this.put(a);
    this.e.op(W.i64_ctz);
    return this.new64();
  }
  #compare(opcode: number, a: number, b: number): number {
    this.put(a);
    this.put(b);
    this.e.op(opcode);
    return this.new32();
  }
  equal(a: number, b: number): number {
    if (this.constantOf(b) !== 0n) return this.#compare(W.i64_eq, a, b);
    this.put(a);
    this.e.op(W.i64_eqz);
    return this.new32();
  }
  below(a: number, b: number): number {
    return this.#compare(W.i64_lt_u, a, b);
  }
  less(a: number, b: number): number {
    return this.#compare(W.i64_lt_s, a, b);
  }
  both(a: number, b: number): number {
    this.e.get(a).get(b).op(W.i32_and);
    return this.new32();
  }
  either(a: number, b: number): number {
    this.e.get(a).get(b).op(W.i32_or);
    return this.new32();
  }
  not(c: number): number {
    this.e.get(c).op(W.i32_eqz);
    return this.new32();
  }
  toValue(c: number): number {
    this.e.get(c).op(W.i64_extend_i32_u);
    return this.new64();
  }
  select(c: number, a: number, b: number): number {
    this.put(a);
    this.put(b);
    this.e.get(c).op(W.select);
    return this.new64();
  }
  /**
   * Emits code that calls a function, where the host puts what hardly ever runs: it then keeps the other handlers'
   * registers across nothing but their own code. `type`: of the value that `body` leaves on the stack.
   */
  apart(body: () => void, type: number = VOID): void {
    const e = this.e;
    e.get(LOCAL_RECORD).rarely().op(W.if, type);
    this.depth++;
    body();
    this.depth--;
    if (type !== VOID) e.op(W.else, type === I64 ? W.i64_const : W.i32_const, 0);
    e.op(W.end);
  }
  if_(c: number, body: () => void): void {
    this.e.get(c).op(W.if, VOID);
    this.depth++;
    body();
    this.depth--;
    this.e.op(W.end);
  }
}
