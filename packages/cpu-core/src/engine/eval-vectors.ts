/** The part of the evaluator that moves vectors; it computes with them by their lanes. */
import { GP_VECTOR } from '@smm/x86-defs';
import { K_MM, K_XMM } from '../insn.ts';
import * as L from '../layout.ts';
import type { Vectors } from '../semantics/builder.ts';
import { checkVector, readsMmx } from '../system/sse.ts';
import { enterMmx, readMmx, writeMmx } from '../system/x87/mmx.ts';
import type { EvalOperands } from './eval-operands.ts';
import { VectorLanes } from './vector-lanes.ts';

const TWO_POW_32 = 0x1_0000_0000;
const MASK64 = 0xffff_ffff_ffff_ffffn;

/** Vectors of the evaluator: values are bigints of 128 bit. */
export class EvalVectors extends VectorLanes implements Vectors<bigint> {
  readonly #o: EvalOperands;

  constructor(operands: EvalOperands) {
    super();
    this.#o = operands;
  }

  check(): void {
    checkVector(this.#o.cpu, this.#o.insn);
  }
  /** Linear addresses of the two halves of 16 bytes of memory. */
  #halves(write: boolean, aligned: boolean): readonly [low: number, high: number] {
    const { cpu } = this.#o;
    const linear = this.#o.address(16, write);
    if (aligned && linear & 15) cpu.fault(GP_VECTOR, 0);
    const wraps = !cpu.code64 && linear + 8 >= TWO_POW_32;
    return [linear, wraps ? linear + 8 - TWO_POW_32 : linear + 8];
  }
  read(n: number, aligned = true): bigint {
    const o = this.#o;
    if (o.kind(n) === K_XMM) {
      const at = L.ST_XMM + o.value(n) * 16;
      const { state } = o.cpu;
      return state.get64(at) | (state.get64(at + 8) << 64n);
    }
    if (o.kind(n) === K_MM) return readMmx(o.cpu, o.value(n));
    const size = o.size(n);
    if (size <= 8) return o.load(o.address(size, false), size);
    const [low, high] = this.#halves(false, aligned);
    if (!aligned) o.cpu.memory.probeRead(low, 16, o.user);
    return o.load(low, 8) | (o.load(high, 8) << 64n);
  }
  write(n: number, value: bigint, aligned = true): void {
    const o = this.#o;
    if (o.kind(n) === K_MM) {
      writeMmx(o.cpu, o.value(n), value & MASK64);
      return;
    }
    const halves = [value & MASK64, value >> 64n] as const;
    if (o.kind(n) === K_XMM) {
      const at = L.ST_XMM + o.value(n) * 16;
      o.cpu.state.set64(at, halves[0]);
      o.cpu.state.set64(at + 8, halves[1]);
      return;
    }
    const [low, high] = this.#halves(true, aligned);
    o.cpu.memory.probeWrite(low, 16, o.user);
    o.store(low, 8, halves[0]);
    o.store(high, 8, halves[1]);
  }
  enterMmx(): void {
    const { cpu, insn } = this.#o;
    if (readsMmx(cpu, insn)) enterMmx(cpu);
  }
}
