/**
 * The part of the translator's back end that moves and computes vectors. XMM registers live in locals, as general ones
 * do.
 */
import { K_XMM } from '../../insn.ts';
import type { Vectors, Width } from '../../semantics/builder.ts';
import type { VectorOp, VectorShift } from '../../semantics/vector-ops.ts';
import { S } from '../wasm/emitter.ts';
import * as code from '../wasm/vector-code.ts';
import { type OperandEmitter, XMM_BIT } from './operand-emitter.ts';
import { Value } from './value.ts';

/** Vectors of a region: XMM registers are wasm locals while the region runs. */
export class VectorEmitter implements Vectors<Value> {
  readonly #b: OperandEmitter;

  constructor(operands: OperandEmitter) {
    this.#b = operands;
  }

  #push(v: Value): () => void {
    return () => void this.#b.e.get(v.local);
  }
  #pop128(): Value {
    return this.#b.pop(128);
  }
  #scalar(v: Value): code.Scalar {
    return {
      constant: v.constant,
      push32: () => this.#b.put(v, 32),
      push64: () => this.#b.put(v, 64),
    };
  }

  check(): void {
    // Checked when the region was found: without MODE_SSE the instruction is executed by TypeScript.
  }
  /** A register's value is its own local: descriptions write to registers last. */
  read(n: number, aligned = true): Value {
    if (this.#b.kind(n) === K_XMM) {
      const register = this.#b.value(n);
      this.#b.registers.used |= XMM_BIT << register;
      return new Value(128, this.#b.locals.vector(register), 128);
    }
    this.#b.e.get(this.#b.translateOperand(16, false, aligned)).simdMem(S.v128_load, 0);
    return this.#pop128();
  }
  write(n: number, value: Value, aligned = true): void {
    const { e } = this.#b;
    if (this.#b.kind(n) === K_XMM) {
      const register = this.#b.value(n);
      this.#b.registers.used |= XMM_BIT << register;
      this.#b.registers.written |= XMM_BIT << register;
      const local = this.#b.locals.vector(register);
      if (local !== value.local) e.get(value.local).set(local);
      return;
    }
    e.get(this.#b.translateOperand(16, true, aligned))
      .get(value.local)
      .simdMem(S.v128_store, 0);
  }
  apply(op: VectorOp, a: Value, b: Value): Value {
    code.pushVector(this.#b.e, op, this.#push(a), this.#push(b));
    return this.#pop128();
  }
  shiftLanes(op: VectorShift, a: Value, count: Value): Value {
    code.pushShift(this.#b.e, op, this.#push(a), this.#scalar(count));
    return this.#pop128();
  }
  shiftBytes(a: Value, count: Value, left: boolean): Value {
    code.pushShiftBytes(this.#b.e, this.#push(a), this.#scalar(count), left);
    return this.#pop128();
  }
  shuffle32(a: Value, b: Value, order: Value): Value {
    code.pushShuffle32(this.#b.e, this.#push(a), this.#push(b), this.#scalar(order));
    return this.#pop128();
  }
  shuffle16(a: Value, high: boolean, order: Value): Value {
    code.pushShuffle16(this.#b.e, this.#push(a), high, this.#scalar(order));
    return this.#pop128();
  }
  moveMask(a: Value): Value {
    this.#b.e.get(a.local).simd(S.i8x16_bitmask);
    return this.#b.pop(32, 16);
  }
  lane(w: Width, n: number, a: Value): Value {
    code.pushLane(this.#b.e, w, n, this.#push(a));
    return this.#b.pop(w === 8 ? 64 : 32, w * 8);
  }
  of(value: Value): Value {
    code.pushVectorOf(this.#b.e, this.#scalar(value));
    return this.#pop128();
  }
}
