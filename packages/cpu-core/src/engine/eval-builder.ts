/**
 * The back end that runs a description at once, on BigInts. Slow and plain: for single steps, odd cases, debugging and
 * as an oracle.
 */
import { DE_VECTOR, GP_VECTOR, SEG_CS } from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { Builder } from '../semantics/builder.ts';
import { isCanonical, relativeTarget } from './branch.ts';
import { EvalFlags } from './eval-flags.ts';
import { EvalFloats } from './eval-floats.ts';
import { EvalOperands } from './eval-operands.ts';
import { EvalValues } from './eval-values.ts';
import { EvalVectors } from './eval-vectors.ts';

/** Evaluates one instruction of one processor: the parts of the back end, and control transfers. */
export class EvalBuilder implements Builder<bigint, boolean> {
  readonly values: EvalValues = new EvalValues();
  readonly operands: EvalOperands;
  readonly flags: EvalFlags;
  readonly vectors: EvalVectors;
  readonly floats: EvalFloats;
  readonly #cpu: Processor;

  constructor(cpu: Processor) {
    this.#cpu = cpu;
    this.operands = new EvalOperands(cpu);
    this.flags = new EvalFlags(this.values, this.operands);
    this.vectors = new EvalVectors(this.operands);
    this.floats = new EvalFloats(cpu);
  }

  /** Prepares for one instruction; RIP is on the next one. */
  begin(insn: Insn): void {
    this.operands.begin(insn);
  }

  /** RIP after the instruction, until it jumps. */
  get #next(): bigint {
    return this.#cpu.state.rip;
  }

  if_(c: boolean, body: () => void): void {
    if (c) body();
  }
  faultIf(c: boolean, vector: number): void {
    if (c) this.#cpu.fault(vector);
  }
  nextRip(): bigint {
    return this.#next;
  }
  checkRelative(when = true): void {
    if (when)
      this.checkTarget(relativeTarget(this.#cpu, this.#cpu.state.mode, this.operands.insn, this.#next));
  }
  checkTarget(rip: bigint): void {
    const { state } = this.#cpu;
    const outside =
      (state.mode & L.MODE_CODE_MASK) === 2 ? !isCanonical(rip) : rip > BigInt(state.segLimit(SEG_CS));
    if (outside) this.#cpu.fault(GP_VECTOR, 0);
  }
  jumpRelative(): void {
    this.#cpu.state.rip = relativeTarget(this.#cpu, this.#cpu.state.mode, this.operands.insn, this.#next);
  }
  jumpRelativeIf(c: boolean): void {
    if (c) this.jumpRelative();
  }
  jumpTo(rip: bigint): void {
    this.#cpu.state.rip = rip;
  }

  divideWide(signed: boolean): void {
    const divisor = this.operands.read(0);
    if (divisor === 0n) this.#cpu.fault(DE_VECTOR);
    const { state } = this.#cpu;
    const dividend = (state.gpr64(2) << 64n) | state.gpr64(0);
    const n = signed ? BigInt.asIntN(128, dividend) : dividend;
    const d = signed ? BigInt.asIntN(64, divisor) : divisor;
    const quotient = n / d;
    if (quotient !== (signed ? BigInt.asIntN(64, quotient) : BigInt.asUintN(64, quotient))) {
      this.#cpu.fault(DE_VECTOR);
    }
    state.setGpr64(0, BigInt.asUintN(64, quotient));
    state.setGpr64(2, BigInt.asUintN(64, n % d));
  }
}
