/**
 * The part of the translator's back end that moves and computes vectors. XMM registers live in locals, as general ones
 * do.
 */
import { K_MM, K_XMM } from '../../insn.ts';
import * as L from '../../layout.ts';
import { OP } from '../../ops.ts';
import type { Vectors, Width } from '../../semantics/builder.ts';
import type { FloatWidth } from '../../semantics/float-ops.ts';
import type { VectorOp, VectorShift } from '../../semantics/vector-ops.ts';
import { S, W } from '../wasm/emitter.ts';
import * as code from '../wasm/vector-code.ts';
import { STATE } from './locals.ts';
import { type OperandEmitter, XMM_BIT } from './operand-emitter.ts';
import { Value } from './value.ts';
import type { ValueEmitter } from './value-emitter.ts';

/** Vectors of a region: XMM registers are wasm locals while the region runs. */
export class VectorEmitter implements Vectors<Value> {
  readonly #v: ValueEmitter;
  readonly #o: OperandEmitter;

  constructor(values: ValueEmitter, operands: OperandEmitter) {
    this.#v = values;
    this.#o = operands;
  }

  #push(v: Value): () => void {
    return () => void this.#v.e.get(v.local);
  }
  #pop128(): Value {
    return this.#v.pop(128);
  }
  #scalar(v: Value): code.Scalar {
    return {
      constant: v.constant,
      push32: () => this.#v.put(v, 32),
      push64: () => this.#v.put(v, 64),
    };
  }

  check(): void {
    // Checked when the region was found: without MODE_SSE the instruction is executed by TypeScript.
    const { kind0, kind1, op } = this.#o.insn;
    if (kind0 !== K_MM && kind1 !== K_MM && op !== OP.CVTPI2PS) return;
    code.pushNotMmx(this.#v.e, STATE);
    this.#o.faultIf(this.#v.pop(32));
  }
  enterMmx(): void {
    // They are MMX registers, or check() left.
  }
  /** A register's value is its own local: descriptions write to registers last. */
  read(n: number, aligned = true): Value {
    if (this.#o.kind(n) === K_XMM) {
      const register = this.#o.value(n);
      this.#o.registers.used |= XMM_BIT << register;
      return new Value(128, this.#v.locals.vector(register), 128);
    }
    const { e } = this.#v;
    if (this.#o.kind(n) === K_MM) e.get(STATE).simdMem(S.v128_load64_zero, L.ST_X87 + this.#o.value(n) * 16);
    else {
      const size: number = this.#o.size(n);
      e.get(this.#o.translateOperand(size, false, size === 16 && aligned)).simdMem(code.LOADS_ZERO[size]!, 0);
    }
    return this.#pop128();
  }
  write(n: number, value: Value, aligned = true): void {
    const { e } = this.#v;
    if (this.#o.kind(n) === K_XMM) {
      const register = this.#o.value(n);
      this.#o.registers.used |= XMM_BIT << register;
      this.#o.registers.written |= XMM_BIT << register;
      const local = this.#v.locals.vector(register);
      if (local !== value.local) e.get(value.local).set(local);
      return;
    }
    if (this.#o.kind(n) === K_MM) {
      const register = this.#o.value(n);
      const offset = L.ST_X87 + register * 16;
      e.get(STATE).get(value.local).simdLane(S.i64x2_extract_lane, 0).mem(W.i64_store, offset);
      const address = (): void =>
        void e
          .get(STATE)
          .i32(register * 16)
          .op(W.i32_add);
      code.setMmxExponent(e, STATE, address, () => void e.i32(register * 2));
      return;
    }
    e.get(this.#o.translateOperand(16, true, aligned))
      .get(value.local)
      .simdMem(S.v128_store, 0);
  }
  apply(op: VectorOp, a: Value, b: Value): Value {
    code.pushVector(this.#v.e, op, this.#push(a), this.#push(b));
    return this.#pop128();
  }
  shiftLanes(op: VectorShift, a: Value, count: Value): Value {
    code.pushShift(this.#v.e, op, this.#push(a), this.#scalar(count));
    return this.#pop128();
  }
  shiftBytes(a: Value, count: Value, left: boolean): Value {
    code.pushShiftBytes(this.#v.e, this.#push(a), this.#scalar(count), left);
    return this.#pop128();
  }
  shuffle32(a: Value, b: Value, order: Value): Value {
    code.pushShuffle32(this.#v.e, this.#push(a), this.#push(b), this.#scalar(order));
    return this.#pop128();
  }
  shuffle16(a: Value, high: boolean, order: Value): Value {
    code.pushShuffle16(this.#v.e, this.#push(a), high, this.#scalar(order));
    return this.#pop128();
  }
  moveMask(w: 1 | FloatWidth, a: Value): Value {
    this.#v.e.get(a.local).simd(code.BITMASKS[w]);
    return this.#v.pop(32, 16 / w);
  }
  lane(w: Width, n: number, a: Value): Value {
    code.pushLane(this.#v.e, w, n, this.#push(a));
    return this.#v.pop(w === 8 ? 64 : 32, w * 8);
  }
  of(value: Value): Value {
    code.pushVectorOf(this.#v.e, this.#scalar(value));
    return this.#pop128();
  }
  withLow(w: FloatWidth, a: Value, low: Value): Value {
    code.pushWithLow(this.#v.e, w, this.#push(a), this.#push(low));
    return this.#pop128();
  }
}
