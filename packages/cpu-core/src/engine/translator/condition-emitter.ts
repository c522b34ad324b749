/**
 * The part of the translator's back end for condition codes: plain comparisons where it is known what the flags come
 * from, else of the evaluated flags.
 */
import { RFLAGS_OF } from '@smm/x86-defs';
import * as L from '../../layout.ts';
import type { Flags, Width } from '../../semantics/builder.ts';
import { W } from '../wasm/emitter.ts';
import { FlagEmitter, OVERRIDDEN, PAGE } from './flag-emitter.ts';
import type { OperandEmitter } from './operand-emitter.ts';
import type { Value } from './value.ts';
import type { ValueEmitter } from './value-emitter.ts';

/** Conditions of a region: from the flags that are known at translation time where that is shorter. */
export class ConditionEmitter extends FlagEmitter implements Flags<Value, Value> {
  readonly #operands: OperandEmitter;

  constructor(values: ValueEmitter, operands: OperandEmitter) {
    super(values);
    this.#operands = operands;
  }

  condition(): Value {
    const { cc } = this.#operands.insn;
    const even = this.#evenCondition(cc & ~1);
    return cc & 1 ? this.v.not(even) : even;
  }
  #negative(v: Value, w: Width): Value {
    const sign = BigInt(w * 8 - 1);
    return this.v.and(this.v.shr(w, v, this.v.const(sign)), this.v.const(1n));
  }
  #signedLess(w: Width, a: Value, b: Value): Value {
    const { e } = this.v;
    const type = w === 8 ? 64 : 32;
    for (const x of [a, b]) {
      this.v.put(x, type);
      if (w < 4) e.op(w === 1 ? W.i32_extend8_s : W.i32_extend16_s);
    }
    e.op(type === 64 ? W.i64_lt_s : W.i32_lt_s);
    return this.v.popTruth();
  }
  #isZero(v: Value, w: Width): Value {
    this.v.put(v, w === 8 ? 64 : 32);
    this.v.e.op(w === 8 ? W.i64_eqz : W.i32_eqz);
    return this.v.popTruth();
  }
  #evenCondition(even: number): Value {
    const { known } = this;
    if (known !== undefined && known !== PAGE && known.kind !== L.CC_EAGER) {
      const { kind, w } = known;
      if (kind === OVERRIDDEN) {
        if (even === 0x0 && known.mask! & RFLAGS_OF) return this.overridden(11n);
        return (even === 0x2 ? this.carryTruth() : undefined) ?? this.#slowCondition(even);
      }
      switch (even) {
        case 0x0:
          if (kind === L.CC_LOGIC) return this.v.const(0n);
          if (kind !== L.CC_GIVEN || known.product) break;
          return this.v.and(this.v.shr(4, this.source(), this.v.const(11n)), this.v.const(1n));
        case 0x2: {
          const carry = this.carryTruth();
          if (carry) return carry;
          break;
        }
        case 0x4:
          if (kind === L.CC_SUB) return this.#same(this.minuend(), this.source(), w);
          return this.#isZero(this.result(), w);
        case 0x6: {
          if (kind === L.CC_SUB) return this.v.not(this.v.below(this.source(), this.minuend()));
          const carry = this.carryTruth();
          if (carry) return this.v.either(carry, this.#isZero(this.result(), w));
          break;
        }
        case 0x8:
          return this.#negative(this.result(), w);
        case 0xa: {
          const { e } = this.v;
          this.v.put(this.result(), 32);
          e.i32(0xff).op(W.i32_and, W.i32_popcnt).i32(1).op(W.i32_and, W.i32_eqz);
          return this.v.popTruth();
        }
        case 0xc:
          return this.#lessTruth(kind, w) ?? this.#slowCondition(even);
        case 0xe: {
          if (kind === L.CC_SUB) return this.v.not(this.#signedLess(w, this.source(), this.minuend()));
          const less = this.#lessTruth(kind, w);
          if (less) return this.v.either(less, this.#isZero(this.result(), w));
          break;
        }
      }
    }
    return this.#slowCondition(even);
  }
  #same(a: Value, b: Value, w: Width): Value {
    const type = w === 8 ? 64 : 32;
    this.v.put(a, type);
    this.v.put(b, type);
    this.v.e.op(type === 64 ? W.i64_eq : W.i32_eq);
    return this.v.popTruth();
  }
  /** SF differs from OF: the true result is negative. */
  #lessTruth(kind: number, w: Width): Value | undefined {
    const one = this.v.const(1n);
    switch (kind) {
      case L.CC_SUB:
        return this.#signedLess(w, this.minuend(), this.source());
      case L.CC_LOGIC:
        return this.#negative(this.result(), w);
      case L.CC_DEC: // a - 1 < 0
        return this.#signedLess(w, this.v.add(w, this.result(), one), one);
      case L.CC_INC: {
        // a + 1 < 0
        const a = this.v.sub(w, this.result(), one);
        return this.#signedLess(w, a, this.v.const(BigInt.asUintN(w * 8, -1n)));
      }
    }
    return undefined;
  }
  /** From the evaluated flags. */
  #slowCondition(even: number): Value {
    const { e } = this.v;
    const flags = this.status().local;
    e.get(flags);
    if (even < 0xc) {
      const mask = { 0: 0x800, 2: 0x1, 4: 0x40, 6: 0x41, 8: 0x80, 10: 0x4 }[even]!;
      e.i32(mask).op(W.i32_and).i32(0).op(W.i32_ne);
      return this.v.popTruth();
    }
    e.i32(4).op(W.i32_shr_u).get(flags).op(W.i32_xor).i32(0x80).op(W.i32_and);
    if (even === 0xe) e.get(flags).i32(0x40).op(W.i32_and, W.i32_or);
    e.i32(0).op(W.i32_ne);
    return this.v.popTruth();
  }
}
