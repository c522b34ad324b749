/** The back end that compiles a description into a handler: code that reads its operands from the record at run time. */
import { SEG_CS } from '@smm/x86-defs';
import * as L from '../../layout.ts';
import { divideNarrow, productFlags } from '../../semantics/arith.ts';
import type { Builder, Width } from '../../semantics/builder.ts';
import { LOCAL_BLOCK, LOCAL_RECORD, LOCAL_STATE } from './convention.ts';
import { VOID, W } from './emitter.ts';
import { FlagBuilder } from './flag-builder.ts';
import * as R from './record.ts';

/** The whole back end: values, operands and flags of its bases, and control transfers. */
export class WasmBuilder extends FlagBuilder implements Builder<number, number> {
  setFlagsProduct(w: Width, low: number, x: number, y: number): void {
    if (!this.noFlags) productFlags(this, w, low, x, y);
  }
  nextRip(): number {
    this.field(W.i64_load, R.X_NEXT);
    return this.new64();
  }
  checkRelative(): void {
    // Checked when the block was decoded: an instruction whose target is bad goes to the evaluator.
  }
  checkTarget(rip: number): void {
    if (this.model === 'flat32') return; // the limit is 4 GiB in the flat model
    const e = this.e;
    if (this.model === 'general') {
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
    this.field(W.i32_load, R.X_LINK_TARGET);
    this.e.set(LOCAL_BLOCK);
    this.#go(() => this.field(W.i64_load, R.X_TARGET), R.X_LINK_TARGET);
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
    this.field(W.i32_load, R.X_LINK_NEXT);
    this.e.set(LOCAL_BLOCK);
    this.#go(() => this.field(W.i64_load, R.X_NEXT), R.X_LINK_NEXT);
  }
  /** To the block in LOCAL_BLOCK if that is one, else by RIP. */
  #go(rip: () => void, slot: number): void {
    const e = this.e;
    e.get(LOCAL_BLOCK)
      .i32(R.LINK_NEVER)
      .op(W.i32_gt_u)
      .brIf(this.depth + this.goLabel);
    e.get(LOCAL_STATE);
    rip();
    e.i32(0)
      .get(LOCAL_RECORD)
      .i32(this.recordOffset + slot)
      .op(W.i32_add)
      .get(LOCAL_BLOCK)
      .op(W.select);
    this.#follow();
  }
  jumpTo(rip: number): void {
    const { e, functions } = this;
    if (functions.logJump !== undefined) {
      e.get(LOCAL_STATE).get(LOCAL_RECORD);
      this.put(rip);
      e.call(functions.logJump);
    }
    e.get(LOCAL_STATE);
    this.put(rip);
    e.i32(0);
    this.#follow();
  }
  /** Goes on at ST_RIP. */
  jumpToStateRip(): void {
    const e = this.e;
    e.get(LOCAL_STATE).get(LOCAL_STATE).mem(W.i64_load, L.ST_RIP).i32(0);
    this.#follow();
  }
  #follow(): void {
    this.e
      .call(this.functions.follow)
      .tee(LOCAL_BLOCK)
      .brIf(this.depth + this.goLabel);
    this.e.br(this.depth + this.exitLabel);
    this.jumped = true;
  }
  divideWide(signed: boolean): void {
    divideNarrow(this, signed);
  }
}
