/**
 * The back end that compiles a description into a handler: code that reads its operands from the record at run time.
 */
import { SEG_CS } from '@smm/x86-defs';
import type { Insn } from '../../insn.ts';
import * as L from '../../layout.ts';
import { divideNarrow } from '../../semantics/arith.ts';
import type { Builder } from '../../semantics/builder.ts';
import {
  type Addressing,
  type Functions,
  type Labels,
  LOCAL_BLOCK,
  LOCAL_RECORD,
  LOCAL_RIP,
  LOCAL_STATE,
} from './convention.ts';
import { type Emitter, VOID, W } from './emitter.ts';
import { FlagBuilder } from './flag-builder.ts';
import { FloatCode, type FloatHost } from './float-code.ts';
import { OperandBuilder } from './operand-builder.ts';
import * as R from './record.ts';
import { ValueBuilder } from './value-builder.ts';
import { VectorBuilder } from './vector-builder.ts';

/** The whole back end: its parts, each of which holds some of those before it, and control transfers. */
export class WasmBuilder implements Builder<number, number> {
  readonly values: ValueBuilder;
  readonly operands: OperandBuilder;
  readonly flags: FlagBuilder;
  readonly vectors: VectorBuilder;
  readonly floats: FloatCode<number>;
  readonly #addressing: Addressing;
  readonly #labels: Labels;
  /** The handler has left by itself (jump). */
  jumped = false;

  constructor(e: Emitter, functions: Functions, addressing: Addressing, labels: Labels) {
    this.values = new ValueBuilder(e, functions);
    this.operands = new OperandBuilder(this.values, addressing, labels);
    this.flags = new FlagBuilder(this.values, this.operands);
    this.vectors = new VectorBuilder(this.values, this.operands);
    this.floats = new FloatCode(this.#floatHost());
    this.#addressing = addressing;
    this.#labels = labels;
  }

  #floatHost(): FloatHost<number> {
    const { values: v, operands, vectors } = this;
    const { e } = v;
    return {
      e,
      state: LOCAL_STATE,
      settle: v.functions.settle,
      vector: (vector) => void e.get(vector),
      scalar: (value, type) => {
        v.put(value);
        if (type === 32) e.op(W.i32_wrap_i64);
      },
      constantOf: (value) => v.constantOf(value),
      local: (type) => (type === 128 ? vectors.new128() : type === 64 ? v.new64() : v.new32()),
      value: (type) => {
        if (type === 128) return vectors.new128();
        if (type === 32) e.op(W.i64_extend_i32_u);
        return v.new64();
      },
      nest: (by) => {
        v.depth += by;
      },
      rarely: () => void e.rarely(),
      leaveIf: () => operands.faultIf(v.new32()),
    };
  }

  /** Starts a handler for instructions of this form. `at`: offset of its record from the current one. */
  begin(insn: Insn, at = 0): void {
    this.operands.begin(insn, at);
    this.jumped = false;
    if (at !== 0) return;
    this.values.begin();
    this.flags.begin();
  }
  if_(c: number, body: () => void): void {
    this.values.if_(c, body);
  }
  faultIf(c: number): void {
    this.operands.faultIf(c);
  }
  nextRip(): number {
    this.operands.field(W.i64_load, R.X_NEXT);
    return this.values.new64();
  }
  checkRelative(): void {
    // Checked when the block was decoded: an instruction whose target is bad goes to the evaluator.
  }
  checkTarget(rip: number): void {
    if (this.#addressing === 'flat32') return; // the limit is 4 GiB in the flat addressing
    const { e } = this.values;
    if (this.#addressing === 'general') {
      e.get(rip)
        .get(LOCAL_STATE)
        .mem(W.i64_load32_u, L.ST_SEG_LIMIT + SEG_CS * 4)
        .op(W.i64_gt_u);
      this.faultIf(this.values.new32());
      return;
    }
    e.get(rip).i64(16n).op(W.i64_shl).i64(16n).op(W.i64_shr_s).get(rip).op(W.i64_ne);
    this.faultIf(this.values.new32());
  }
  jumpRelative(): void {
    this.#go(R.X_TARGET);
  }
  jumpRelativeIf(c: number): void {
    const { e } = this.values;
    e.get(c).op(W.if, VOID);
    this.values.depth++;
    this.jumpRelative();
    this.values.depth--;
    e.op(W.end);
    this.jumpNext();
  }
  /** Goes on at the next RIP, in another block. */
  jumpNext(): void {
    this.#go(R.X_NEXT);
  }
  /** To the block that the extension's RIP at `offset` is linked to, else by that RIP. */
  #go(offset: number): void {
    const { e } = this.values;
    this.operands.field(W.i32_load, offset + R.RIP_TO_LINK);
    e.set(LOCAL_BLOCK).get(LOCAL_BLOCK).i32(R.LINK_NEVER).op(W.i32_le_u).rarely().op(W.if, VOID);
    e.get(LOCAL_RECORD)
      .i32(this.operands.recordOffset + offset)
      .op(W.i32_add)
      .set(LOCAL_RECORD)
      .br(this.values.depth + 1 + this.#labels.follow);
    e.op(W.end).br(this.values.depth + this.#labels.go);
    this.jumped = true;
  }
  jumpTo(rip: number): void {
    const { e, functions } = this.values;
    if (functions.logJump !== undefined)
      this.values.apart(() => {
        e.get(LOCAL_STATE).get(LOCAL_RECORD);
        this.values.put(rip);
        e.call(functions.logJump!);
      });
    this.values.put(rip);
    e.set(LOCAL_RIP).br(this.values.depth + this.#labels.jump);
    this.jumped = true;
  }
  /** Goes on at ST_RIP. */
  jumpToStateRip(): void {
    this.values.e
      .get(LOCAL_STATE)
      .mem(W.i64_load, L.ST_RIP)
      .set(LOCAL_RIP)
      .br(this.values.depth + this.#labels.jump);
  }
  divideWide(signed: boolean): void {
    divideNarrow(this, signed);
  }
}
