/**
 * The back end that compiles a description into a handler: code that reads its operands from the record at run time.
 */
import { SEG_CS } from '@smm/x86-defs';
import type { Insn } from '../../insn.ts';
import * as L from '../../layout.ts';
import { divideNarrow } from '../../semantics/arith.ts';
import type { Builder } from '../../semantics/builder.ts';
import { LOCAL_BLOCK, LOCAL_RECORD, LOCAL_RIP, LOCAL_STATE } from './convention.ts';
import { VOID, W } from './emitter.ts';
import { FlagBuilder } from './flag-builder.ts';
import { OperandBuilder } from './operand-builder.ts';
import * as R from './record.ts';
import { VectorBuilder } from './vector-builder.ts';

/** The whole back end: values and operands of its bases, flags and vectors as parts, and control transfers. */
export class WasmBuilder extends OperandBuilder implements Builder<number, number> {
  readonly flags: FlagBuilder = new FlagBuilder(this);
  readonly vectors: VectorBuilder = new VectorBuilder(this);

  override begin(insn: Insn, at = 0): void {
    super.begin(insn, at);
    if (at === 0) this.flags.begin();
  }
  nextRip(): number {
    this.field(W.i64_load, R.X_NEXT);
    return this.new64();
  }
  checkRelative(): void {
    // Checked when the block was decoded: an instruction whose target is bad goes to the evaluator.
  }
  checkTarget(rip: number): void {
    if (this.addressing === 'flat32') return; // the limit is 4 GiB in the flat addressing
    const e = this.e;
    if (this.addressing === 'general') {
      e.get(rip)
        .get(LOCAL_STATE)
        .mem(W.i64_load32_u, L.ST_SEG_LIMIT + SEG_CS * 4)
        .op(W.i64_gt_u);
      this.faultIf(this.new32());
      return;
    }
    e.get(rip).i64(16n).op(W.i64_shl).i64(16n).op(W.i64_shr_s).get(rip).op(W.i64_ne);
    this.faultIf(this.new32());
  }
  jumpRelative(): void {
    this.#go(R.X_TARGET);
  }
  jumpRelativeIf(c: number): void {
    const e = this.e;
    e.get(c).op(W.if, VOID);
    this.depth++;
    this.jumpRelative();
    this.depth--;
    e.op(W.end);
    this.jumpNext();
  }
  /** Goes on at the next RIP, in another block. */
  jumpNext(): void {
    this.#go(R.X_NEXT);
  }
  /** To the block that the extension's RIP at `offset` is linked to, else by that RIP. */
  #go(offset: number): void {
    const e = this.e;
    this.field(W.i32_load, offset + R.RIP_TO_LINK);
    e.set(LOCAL_BLOCK).get(LOCAL_BLOCK).i32(R.LINK_NEVER).op(W.i32_le_u).rarely().op(W.if, VOID);
    e.get(LOCAL_RECORD)
      .i32(this.recordOffset + offset)
      .op(W.i32_add)
      .set(LOCAL_RECORD)
      .br(this.depth + 1 + this.labels.follow);
    e.op(W.end).br(this.depth + this.labels.go);
    this.jumped = true;
  }
  jumpTo(rip: number): void {
    const { e, functions } = this;
    if (functions.logJump !== undefined)
      this.apart(() => {
        e.get(LOCAL_STATE).get(LOCAL_RECORD);
        this.put(rip);
        e.call(functions.logJump!);
      });
    this.put(rip);
    e.set(LOCAL_RIP).br(this.depth + this.labels.jump);
    this.jumped = true;
  }
  /** Goes on at ST_RIP. */
  jumpToStateRip(): void {
    this.e
      .get(LOCAL_STATE)
      .mem(W.i64_load, L.ST_RIP)
      .set(LOCAL_RIP)
      .br(this.depth + this.labels.jump);
  }
  divideWide(signed: boolean): void {
    divideNarrow(this, signed);
  }
}
