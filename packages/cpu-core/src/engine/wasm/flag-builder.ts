/** The part of the WebAssembly back end for flags: lazy, from the last operation's result and second operand. */
import { STATUS_FLAGS } from '../../flags.ts';
import * as L from '../../layout.ts';
import type { Width } from '../../semantics/builder.ts';
import { LOCAL_POOL32, LOCAL_STATE } from './convention.ts';
import { W } from './emitter.ts';
import type { FreshFlags } from './value-builder.ts';
import { VectorBuilder } from './vector-builder.ts';

/** Flags and conditions. */
export class FlagBuilder extends VectorBuilder {
  #storeLazy(kind: number, w: Width, result: number): void {
    const e = this.e;
    e.get(LOCAL_STATE)
      .i32(kind | ((31 - Math.clz32(w)) << 8))
      .mem(W.i32_store, L.ST_CC_OP);
    e.get(LOCAL_STATE);
    this.#putTop(result, w);
    e.mem(W.i64_store, L.ST_CC_RES);
  }
  #putTop(v: number, w: Width): void {
    this.put(v);
    if (w < 8) this.e.i64(BigInt(64 - 8 * w)).op(W.i64_shl);
  }
  setFlags(kind: number, w: Width, result: number, source: number): void {
    if (this.noFlags) return;
    this.#storeLazy(kind, w, result);
    if (kind !== L.CC_LOGIC) {
      this.e.get(LOCAL_STATE);
      this.#putTop(source, w);
      this.e.mem(W.i64_store, L.ST_CC_SRC);
    }
    this.freshFlags = { kind, w, result, source };
  }
  setFlagsWithCarry(kind: number, w: Width, result: number, source: number, carry: number): void {
    if (this.noFlags) return;
    const e = this.e;
    this.setFlags(kind, w, result, source);
    this.freshFlags = undefined;
    e.get(LOCAL_STATE);
    this.put(carry);
    e.op(W.i32_wrap_i64)
      .i32(L.CC_ADC - L.CC_ADD)
      .op(W.i32_mul);
    e.i32(kind | ((31 - Math.clz32(w)) << 8))
      .op(W.i32_add)
      .mem(W.i32_store, L.ST_CC_OP);
  }
  setFlagsKeepCarry(kind: number, w: Width, result: number): void {
    if (this.noFlags) return;
    const carry = this.carry();
    this.#storeLazy(kind, w, result);
    this.e.get(LOCAL_STATE).get(carry).mem(W.i64_store, L.ST_CC_SRC);
    this.freshFlags = { kind, w, result, source: carry };
  }
  setFlagsGiven(w: Width, result: number, bits: number): void {
    if (this.noFlags) return;
    this.#storeLazy(L.CC_GIVEN, w, result);
    this.freshFlags = undefined;
    this.e.get(LOCAL_STATE);
    this.put(bits);
    this.e.mem(W.i64_store, L.ST_CC_SRC);
  }
  #status(): void {
    this.e.get(LOCAL_STATE).call(this.functions.flags);
  }
  statusFlags(): number {
    this.#status();
    this.e.op(W.i64_extend_i32_u);
    return this.new64();
  }
  changeFlags(mask: number, bits: number): void {
    const e = this.e;
    e.get(LOCAL_STATE).get(LOCAL_STATE).mem(W.i32_load, L.ST_EFLAGS);
    if (mask & STATUS_FLAGS) {
      e.i32(~(STATUS_FLAGS | mask)).op(W.i32_and);
      this.#status();
      e.i32(~mask).op(W.i32_and, W.i32_or);
    } else e.i32(~mask).op(W.i32_and);
    this.put(bits);
    e.op(W.i32_wrap_i64, W.i32_or).mem(W.i32_store, L.ST_EFLAGS);
    if (mask & STATUS_FLAGS) e.get(LOCAL_STATE).i32(L.CC_EAGER).mem(W.i32_store, L.ST_CC_OP);
  }
  carry(): number {
    this.e.get(LOCAL_STATE).call(this.functions.carry);
    return this.new64();
  }

  condition(): number {
    const cc = this.insn.cc;
    const fresh = this.freshFlags;
    const even = cc & ~1;
    if (fresh && this.#freshCondition(fresh, even)) {
      if (cc & 1) this.e.op(W.i32_eqz);
      return this.new32();
    }
    const e = this.e;
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
    } else if (even === 0x2 || even === 0x6 || even >= 0xc) {
      e.get(LOCAL_STATE).mem(W.i32_load8_u, L.ST_CC_OP).i32(L.CC_SUB).op(W.i32_eq, W.if, 0x7f);
      // a - src = res, all at the top of 64 bits: compare a = res + src with src.
      e.get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_RES).get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_SRC);
      e.op(W.i64_add).get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_SRC);
      e.op(even === 2 ? W.i64_lt_u : even === 6 ? W.i64_le_u : even === 0xc ? W.i64_lt_s : W.i64_le_s);
      e.op(W.else);
      this.#slowCondition(even);
      e.op(W.end);
    } else this.#slowCondition(even);
    if (cc & 1) e.op(W.i32_eqz);
    return this.new32();
  }
  #freshCondition(f: FreshFlags, even: number): boolean {
    const e = this.e;
    if (even === 0x4) {
      this.put(f.result);
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
    if (f.kind === L.CC_SUB) {
      this.#putTop(f.result, f.w);
      this.#putTop(f.source, f.w);
      e.op(W.i64_add);
      this.#putTop(f.source, f.w);
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
    const e = this.e;
    this.#status();
    if (even < 0xc) {
      const mask = { 0: 0x800, 2: 0x1, 4: 0x40, 6: 0x41, 8: 0x80, 10: 0x4 }[even]!;
      e.i32(mask).op(W.i32_and).i32(0).op(W.i32_ne);
      return;
    }
    const flags = LOCAL_POOL32 + this.next32; // scratch: taken again at once
    e.tee(flags).i32(4).op(W.i32_shr_u).get(flags).op(W.i32_xor).i32(0x80).op(W.i32_and);
    if (even === 0xe) e.get(flags).i32(0x40).op(W.i32_and, W.i32_or);
    e.i32(0).op(W.i32_ne);
  }
}
