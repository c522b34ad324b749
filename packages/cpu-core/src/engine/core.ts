/** What the engine knows about one processor beside its architectural state. */
import type { CodeHooks } from '../hooks.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { CpuState } from '../state.ts';
import type { Views } from '../state-access.ts';
import { STATE_PAGE_SIZE } from '../state-page.ts';
import { FilledEntries } from './filled-entries.ts';
import { JUMP_CACHE_ENTRY_SIZE, JUMP_CACHE_SIZE } from './jump-cache.ts';
import { JUMP_LOG_SIZE } from './jump-log.ts';
import { TLB_ENTRY_SIZE, TLB_SIZE } from './tlb.ts';

/** Bytes of engine memory per processor: state page, two TLBs, jump cache, jump log. */
export const CORE_SIZE: number = STATE_PAGE_SIZE + 2 * TLB_SIZE + JUMP_CACHE_SIZE + JUMP_LOG_SIZE;

/** Engine-side context of a processor. */
export class Core {
  readonly views: Views;
  readonly state: CpuState;
  /** Filled in by the maker. */
  cpu!: Processor;
  /** Host offset of the supervisor TLB; the user TLB follows. */
  readonly tlb: number;
  /** Entries of both TLBs that are in use: who fills one names it here. */
  readonly tlbFilled: FilledEntries;
  /** Host offset of the jump cache. */
  readonly jumpCache: number;
  /** Its entries that are in use: who fills one names it here. */
  readonly jumpFilled: FilledEntries;
  /** Host offset of the jump log. */
  readonly jumpLog: number;
  /** A device was accessed, or code was written, since this was last cleared: the block must end. */
  leaveBlock = false;
  /** What is told of instructions, if anything is. */
  codeHooks: CodeHooks | undefined;

  /** Lays out the processor's part of the engine memory behind its state page. */
  constructor(views: Views, state: CpuState) {
    this.views = views;
    this.state = state;
    this.tlb = state.base + STATE_PAGE_SIZE;
    this.jumpCache = this.tlb + 2 * TLB_SIZE;
    this.jumpLog = this.jumpCache + JUMP_CACHE_SIZE;
    this.tlbFilled = new FilledEntries(views.i32, this.tlb, 2 * TLB_SIZE, TLB_ENTRY_SIZE, -1);
    this.jumpFilled = new FilledEntries(views.i32, this.jumpCache, JUMP_CACHE_SIZE, JUMP_CACHE_ENTRY_SIZE, 0);
  }

  /** Budget not in ST_BUDGET but still this run's. In the state page, for generated code that needs the exact time. */
  get held(): number {
    return this.state.get32(L.ST_HELD_BUDGET) | 0;
  }
  set held(instructions: number) {
    this.state.set32(L.ST_HELD_BUDGET, instructions);
  }

  /** Budget at the start of the tier's run. In the state page likewise. */
  get startBudget(): number {
    return this.state.get32(L.ST_START_BUDGET) | 0;
  }
  set startBudget(instructions: number) {
    this.state.set32(L.ST_START_BUDGET, instructions);
  }
}
