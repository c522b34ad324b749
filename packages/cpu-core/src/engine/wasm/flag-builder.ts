/** The part of the WebAssembly back end for flags: lazy, from the last operation's result and second operand. */
import { RFLAGS_CF, RFLAGS_OF } from '@smm/x86-defs';
import { STATUS_FLAGS } from '../../flags.ts';
import * as L from '../../layout.ts';
import { productFlags } from '../../semantics/arith.ts';
import type { Flags, Width } from '../../semantics/builder.ts';
import { LOCAL_POOL32, LOCAL_STATE } from './convention.ts';
import { I32, W } from './emitter.ts';
import type { OperandBuilder } from './operand-builder.ts';
import type { ValueBuilder } from './value-builder.ts';

/** Bits of ST_CC_OP for flags that are put into ST_EFLAGS while the others stay lazy. */
const APART: Readonly<Record<number, number>> = {
  [RFLAGS_CF]: L.CC_CF_APART,
  [RFLAGS_CF | RFLAGS_OF]: L.CC_CF_APART | L.CC_OF_APART,
};
/** Bits of ST_CC_OP that tell additions and subtractions, with or without a carry in, from the rest. */
const CARRY_CASE = L.CC_CF_APART | 7;

/** Lazy flags just made by the first half of a fused pair. */
interface FreshFlags {
  kind: number;
  w: Width;
  result: number;
  source: number;
}

/** Flags and conditions. */
export class FlagBuilder implements Flags<number, number> {
  readonly #v: ValueBuilder;
  readonly #o: OperandBuilder;
  #fresh: FreshFlags | undefined;
  /** Leave the flags alone: nobody looks at them. */
  quiet = false;

  constructor(values: ValueBuilder, operands: OperandBuilder) {
    this.#v = values;
    this.#o = operands;
  }

  /** Starts a handler: nothing is known of the flags. */
  begin(): void {
    this.#fresh = undefined;
  }

  #storeLazy(kind: number, w: Width, result: number): void {
    const e = this.#v.e;
    e.get(LOCAL_STATE)
      .i32(kind | ((31 - Math.clz32(w)) << 8))
      .mem(W.i32_store, L.ST_CC_OP);
    e.get(LOCAL_STATE);
    this.#putTop(result, w);
    e.mem(W.i64_store, L.ST_CC_RES);
  }
  #putTop(v: number, w: Width): void {
    this.#v.put(v);
    if (w < 8) this.#v.e.i64(BigInt(64 - 8 * w)).op(W.i64_shl);
  }
  set(kind: number, w: Width, result: number, source: number): void {
    if (this.quiet) return;
    this.#storeLazy(kind, w, result);
    if (kind !== L.CC_LOGIC) {
      this.#v.e.get(LOCAL_STATE);
      this.#putTop(source, w);
      this.#v.e.mem(W.i64_store, L.ST_CC_SRC);
    }
    this.#fresh = { kind, w, result, source };
  }
  setWithCarry(kind: number, w: Width, result: number, source: number, carry: number): void {
    if (this.quiet) return;
    const e = this.#v.e;
    this.set(kind, w, result, source);
    this.#fresh = undefined;
    e.get(LOCAL_STATE);
    this.#v.put(carry);
    e.op(W.i32_wrap_i64)
      .i32(L.CC_ADC - L.CC_ADD)
      .op(W.i32_mul);
    e.i32(kind | ((31 - Math.clz32(w)) << 8))
      .op(W.i32_add)
      .mem(W.i32_store, L.ST_CC_OP);
  }
  setKeepCarry(kind: number, w: Width, result: number): void {
    if (this.quiet) return;
    const carry = this.carry();
    this.#storeLazy(kind, w, result);
    this.#v.e.get(LOCAL_STATE).get(carry).mem(W.i64_store, L.ST_CC_SRC);
    this.#fresh = { kind, w, result, source: carry };
  }
  setGiven(w: Width, result: number, bits: number): void {
    if (this.quiet) return;
    this.#storeLazy(L.CC_GIVEN, w, result);
    this.#fresh = undefined;
    this.#v.e.get(LOCAL_STATE);
    this.#v.put(bits);
    this.#v.e.mem(W.i64_store, L.ST_CC_SRC);
  }
  setProduct(w: Width, low: number, x: number, y: number): void {
    if (!this.quiet) productFlags({ values: this.#v, flags: this }, w, low, x, y);
  }
  #evaluated(): void {
    this.#v.apart(() => this.#v.e.get(LOCAL_STATE).call(this.#v.functions.flags), I32);
  }
  status(): number {
    this.#evaluated();
    this.#v.e.op(W.i64_extend_i32_u);
    return this.#v.new64();
  }
  change(mask: number, bits: number): void {
    const e = this.#v.e;
    const status = mask & STATUS_FLAGS;
    const apart = status & ~(RFLAGS_CF | RFLAGS_OF) ? undefined : APART[status];
    e.get(LOCAL_STATE).get(LOCAL_STATE).mem(W.i32_load, L.ST_EFLAGS);
    if (status && apart === undefined) {
      e.i32(~(STATUS_FLAGS | mask)).op(W.i32_and);
      this.#evaluated();
      e.i32(~mask).op(W.i32_and, W.i32_or);
    } else e.i32(~mask).op(W.i32_and);
    this.#v.put(bits);
    e.op(W.i32_wrap_i64, W.i32_or).mem(W.i32_store, L.ST_EFLAGS);
    if (!status) return;
    e.get(LOCAL_STATE);
    if (apart === undefined) e.i32(L.CC_EAGER);
    else {
      const op = LOCAL_POOL32 + this.#v.next32; // scratch: taken again at once
      e.get(LOCAL_STATE).mem(W.i32_load, L.ST_CC_OP).tee(op).i32(apart).op(W.i32_or).i32(L.CC_EAGER);
      e.get(op).op(W.select);
    }
    e.mem(W.i32_store, L.ST_CC_OP);
  }
  carry(): number {
    this.#pushCarry();
    this.#v.e.op(W.i64_extend_i32_u);
    return this.#v.new64();
  }
  /** Pushes CF, for any kind of lazy flags. */
  #pushCarry(): void {
    const e = this.#v.e;
    const kind = LOCAL_POOL32 + this.#v.next32; // scratch: taken again at once
    const load = (offset: number): number => {
      e.get(LOCAL_STATE).mem(W.i64_load, offset);
      return this.#v.new64();
    };
    const carried = (): void => void e.get(kind).i32(3).op(W.i32_shr_u);
    // Below, or equal where a carry came in.
    const below = (v: number, source: number): void => {
      e.get(v).get(source).op(W.i64_lt_u).get(v).get(source).op(W.i64_eq);
      carried();
      e.op(W.i32_and, W.i32_or);
    };
    const isKind = (of: number): void => {
      e.get(kind).i32(CARRY_CASE).op(W.i32_and).i32(of).op(W.i32_eq, W.if, I32);
    };
    e.get(LOCAL_STATE).mem(W.i32_load8_u, L.ST_CC_OP).set(kind);
    isKind(L.CC_ADD);
    below(load(L.ST_CC_RES), load(L.ST_CC_SRC));
    e.op(W.else);
    isKind(L.CC_SUB);
    // The first operand: the result, the second and the borrow, which is one at the operand's lowest bit.
    const source = load(L.ST_CC_SRC);
    e.get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_RES).get(source).op(W.i64_add);
    carried();
    e.op(W.i64_extend_i32_u)
      .i64(64n)
      .i64(8n)
      .get(LOCAL_STATE)
      .mem(W.i64_load8_u, L.ST_CC_OP + 1);
    e.op(W.i64_shl, W.i64_sub, W.i64_shl, W.i64_add);
    below(this.#v.new64(), source);
    e.op(W.else);
    e.i32((1 << L.CC_INC) | (1 << L.CC_DEC) | (1 << L.CC_GIVEN)).get(kind);
    e.op(W.i32_shr_u).i32(1).op(W.i32_and, W.if, I32);
    e.get(LOCAL_STATE).mem(W.i32_load, L.ST_CC_SRC).i32(1).op(W.i32_and, W.else);
    // LOGIC: 0; else it is in ST_EFLAGS.
    e.get(LOCAL_STATE).mem(W.i32_load, L.ST_EFLAGS).get(kind).i32(L.CC_LOGIC).op(W.i32_ne, W.i32_and);
    e.op(W.end, W.end, W.end);
  }

  condition(): number {
    const cc = this.#o.insn.cc;
    const fresh = this.#fresh;
    const even = cc & ~1;
    if (fresh && this.#freshCondition(fresh, even)) {
      if (cc & 1) this.#v.e.op(W.i32_eqz);
      return this.#v.new32();
    }
    const e = this.#v.e;
    if (even === 0x4 || even === 0x8) {
      // ZF and SF come from the result whatever the operation was.
      e.get(LOCAL_STATE).mem(W.i32_load, L.ST_CC_OP).op(W.i32_eqz, W.if, 0x7f);
      e.get(LOCAL_STATE)
        .mem(W.i32_load, L.ST_EFLAGS)
        .i32(even === 4 ? 6 : 7);
      e.op(W.i32_shr_u).i32(1).op(W.i32_and, W.else);
      e.get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_RES);
      if (even === 4) e.op(W.i64_eqz);
      else e.i64(0n).op(W.i64_lt_s);
      e.op(W.end);
    } else if (even === 0x2) this.#pushCarry();
    else if (even === 0x6 || even >= 0xc) {
      e.get(LOCAL_STATE).mem(W.i32_load8_u, L.ST_CC_OP).i32(L.CC_SUB).op(W.i32_eq, W.if, 0x7f);
      // a - src = res, all at the top of 64 bits: compare a = res + src with src.
      e.get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_RES).get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_SRC);
      e.op(W.i64_add).get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_SRC);
      e.op(even === 6 ? W.i64_le_u : even === 0xc ? W.i64_lt_s : W.i64_le_s);
      e.op(W.else);
      this.#slowCondition(even);
      e.op(W.end);
    } else this.#slowCondition(even);
    if (cc & 1) e.op(W.i32_eqz);
    return this.#v.new32();
  }
  #freshCondition(f: FreshFlags, even: number): boolean {
    const e = this.#v.e;
    if (even === 0x4) {
      this.#v.put(f.result);
      e.op(W.i64_eqz);
      return true;
    }
    if (even === 0x8) {
      this.#putTop(f.result, f.w);
      e.i64(0n).op(W.i64_lt_s);
      return true;
    }
    const relation = { 2: W.i64_lt_u, 6: W.i64_le_u, 12: W.i64_lt_s, 14: W.i64_le_s }[even];
    if (relation === undefined) return false;
    const { difference } = this.#v;
    if (f.kind === L.CC_SUB && difference?.result === f.result && difference.b === f.source) {
      const put = (v: number): void => (even < 0xc ? this.#v.put(v) : this.#putTop(v, f.w));
      put(difference.a);
      put(difference.b);
      e.op(relation);
      return true;
    }
    if (f.kind === L.CC_LOGIC) {
      if (even === 2) e.i32(0);
      else {
        this.#putTop(f.result, f.w);
        e.i64(0n).op(even === 6 ? W.i64_eq : relation);
      }
      return true;
    }
    return false;
  }
  /** Pushes the truth of an even condition code from the evaluated flags. */
  #slowCondition(even: number): void {
    const e = this.#v.e;
    this.#evaluated();
    if (even < 0xc) {
      const mask = { 0: 0x800, 2: 0x1, 4: 0x40, 6: 0x41, 8: 0x80, 10: 0x4 }[even]!;
      e.i32(mask).op(W.i32_and).i32(0).op(W.i32_ne);
      return;
    }
    const flags = LOCAL_POOL32 + this.#v.next32; // scratch: taken again at once
    e.tee(flags).i32(4).op(W.i32_shr_u).get(flags).op(W.i32_xor).i32(0x80).op(W.i32_and);
    if (even === 0xe) e.get(flags).i32(0x40).op(W.i32_and, W.i32_or);
    e.i32(0).op(W.i32_ne);
  }
}
