/** The part of the WebAssembly back end that moves and computes vectors. A vector is a local of type v128. */
import { K_MM, K_XMM } from '../../insn.ts';
import * as L from '../../layout.ts';
import { OP } from '../../ops.ts';
import type { Vectors, Width } from '../../semantics/builder.ts';
import type { FloatWidth } from '../../semantics/float-ops.ts';
import type { VectorOp, VectorShift } from '../../semantics/vector-ops.ts';
import { LOCAL_POOL128, LOCAL_STATE, POOL128 } from './convention.ts';
import { S, W } from './emitter.ts';
import type { OperandBuilder } from './operand-builder.ts';
import * as R from './record.ts';
import type { ValueBuilder } from './value-builder.ts';
import * as code from './vector-code.ts';

/** Vectors of the interpreter: values are locals of 128 bit, operands come from the record. */
export class VectorBuilder implements Vectors<number> {
  readonly #v: ValueBuilder;
  readonly #o: OperandBuilder;
  #next128 = 0;

  constructor(values: ValueBuilder, operands: OperandBuilder) {
    this.#v = values;
    this.#o = operands;
  }

  /** Pops a vector into a local. */
  new128(): number {
    if (this.#next128 === POOL128) throw new RangeError('wasm: out of vector locals');
    const local = LOCAL_POOL128 + this.#next128++;
    this.#v.e.set(local);
    return local;
  }
  #push(v: number): () => void {
    return () => this.#v.put(v);
  }
  #scalar(v: number): code.Scalar {
    return {
      constant: this.#v.constantOf(v),
      push32: () => {
        this.#v.put(v);
        this.#v.e.op(W.i32_wrap_i64);
      },
      push64: this.#push(v),
    };
  }

  check(): void {
    // Checked when the block was decoded: without MODE_SSE the instruction goes to the evaluator.
    this.#next128 = 0;
    const { kind0, kind1, op } = this.#o.insn;
    if (kind0 !== K_MM && kind1 !== K_MM && op !== OP.CVTPI2PS) return;
    code.pushNotMmx(this.#v.e, LOCAL_STATE);
    this.#o.faultIf(this.#v.new32());
  }
  enterMmx(): void {
    // They are MMX registers, or check() left.
  }
  read(n: number, aligned = true): number {
    const { e } = this.#v;
    if (this.#o.kind(n) === K_XMM) {
      this.#o.registerAddress(R.R_REG + n);
      e.simdMem(S.v128_load, L.ST_XMM);
    } else if (this.#o.kind(n) === K_MM) {
      this.#o.registerAddress(R.R_REG + n);
      e.simdMem(S.v128_load64_zero, L.ST_X87);
    } else {
      const size: number = this.#o.size(n);
      e.get(this.#o.translateOperand(size, false, size === 16 && aligned)).simdMem(code.LOADS_ZERO[size]!, 0);
    }
    return this.new128();
  }
  write(n: number, value: number, aligned = true): void {
    const { e } = this.#v;
    if (this.#o.kind(n) === K_MM) {
      const address = (): void => this.#o.registerAddress(R.R_REG + n);
      address();
      e.get(value).simdLane(S.i64x2_extract_lane, 0).mem(W.i64_store, L.ST_X87);
      code.setMmxExponent(e, LOCAL_STATE, address, () => {
        this.#o.field(W.i32_load8_u, R.R_REG + n);
        e.i32(3).op(W.i32_shr_u);
      });
      return;
    }
    const register = this.#o.kind(n) === K_XMM;
    if (register) this.#o.registerAddress(R.R_REG + n);
    else e.get(this.#o.translateOperand(16, true, aligned));
    e.get(value).simdMem(S.v128_store, register ? L.ST_XMM : 0);
  }
  apply(op: VectorOp, a: number, b: number): number {
    code.pushVector(this.#v.e, op, this.#push(a), this.#push(b));
    return this.new128();
  }
  shiftLanes(op: VectorShift, a: number, count: number): number {
    code.pushShift(this.#v.e, op, this.#push(a), this.#scalar(count));
    return this.new128();
  }
  shiftBytes(a: number, count: number, left: boolean): number {
    code.pushShiftBytes(this.#v.e, this.#push(a), this.#scalar(count), left);
    return this.new128();
  }
  shuffle32(a: number, b: number, order: number): number {
    code.pushShuffle32(this.#v.e, this.#push(a), this.#push(b), this.#scalar(order));
    return this.new128();
  }
  shuffle16(a: number, high: boolean, order: number): number {
    code.pushShuffle16(this.#v.e, this.#push(a), high, this.#scalar(order));
    return this.new128();
  }
  moveMask(w: 1 | FloatWidth, a: number): number {
    this.#v.e.get(a).simd(code.BITMASKS[w]).op(W.i64_extend_i32_u);
    return this.#v.new64();
  }
  lane(w: Width, n: number, a: number): number {
    code.pushLane(this.#v.e, w, n, this.#push(a));
    if (w < 8) this.#v.e.op(W.i64_extend_i32_u);
    return this.#v.new64();
  }
  of(value: number): number {
    code.pushVectorOf(this.#v.e, this.#scalar(value));
    return this.new128();
  }
  withLow(w: FloatWidth, a: number, low: number): number {
    code.pushWithLow(this.#v.e, w, this.#push(a), this.#push(low));
    return this.new128();
  }
}
