/** The part of the evaluator for flags: lazy, as generated code leaves them. */
import { RFLAGS_CF } from '@smm/x86-defs';
import { STATUS_FLAGS } from '../flags.ts';
import * as L from '../layout.ts';
import { productFlags } from '../semantics/arith.ts';
import type { Flags, Width } from '../semantics/builder.ts';
import type { EvalOperands } from './eval-operands.ts';
import type { EvalValues } from './eval-values.ts';

/** Flags and conditions. */
export class EvalFlags implements Flags<bigint, boolean> {
  readonly #v: EvalValues;
  readonly #o: EvalOperands;

  constructor(values: EvalValues, operands: EvalOperands) {
    this.#v = values;
    this.#o = operands;
  }

  #setLazy(kind: number, w: Width, result: bigint, source: bigint): void {
    const { state } = this.#o.cpu;
    state.set32(L.ST_CC_OP, kind | ((31 - Math.clz32(w)) << 8));
    state.set64(L.ST_CC_RES, BigInt.asUintN(64, result << BigInt(64 - 8 * w)));
    state.set64(L.ST_CC_SRC, source);
  }
  set(kind: number, w: Width, result: bigint, source: bigint): void {
    this.#setLazy(kind, w, result, BigInt.asUintN(64, source << BigInt(64 - 8 * w)));
  }
  setWithCarry(kind: number, w: Width, result: bigint, source: bigint, carry: bigint): void {
    this.set(carry ? kind + L.CC_ADC - L.CC_ADD : kind, w, result, source);
  }
  setKeepCarry(kind: number, w: Width, result: bigint): void {
    this.#setLazy(kind, w, result, this.carry());
  }
  setGiven(w: Width, result: bigint, bits: bigint): void {
    this.#setLazy(L.CC_GIVEN, w, result, bits);
  }
  setProduct(w: Width, low: bigint, x: bigint, y: bigint): void {
    productFlags({ values: this.#v, flags: this }, w, low, x, y);
  }
  #status(): number {
    return this.#o.cpu.state.statusFlags;
  }
  status(): bigint {
    return BigInt(this.#status());
  }
  change(mask: number, bits: bigint): void {
    const { state } = this.#o.cpu;
    let eflags = state.get32(L.ST_EFLAGS);
    if (mask & STATUS_FLAGS) {
      eflags = (eflags & ~STATUS_FLAGS) | this.#status();
      state.set32(L.ST_CC_OP, L.CC_EAGER);
    }
    state.set32(L.ST_EFLAGS, (eflags & ~mask) | Number(bits));
  }
  carry(): bigint {
    return BigInt(this.#status() & RFLAGS_CF);
  }
  condition(): boolean {
    const f = this.#status();
    const cc = this.#o.insn.cc;
    const cf = (f & 0x001) !== 0;
    const zf = (f & 0x040) !== 0;
    const sf = (f & 0x080) !== 0;
    const of = (f & 0x800) !== 0;
    const base = [of, cf, zf, cf || zf, sf, (f & 0x004) !== 0, sf !== of, zf || sf !== of][cc >> 1]!;
    return base !== ((cc & 1) === 1);
  }
}
