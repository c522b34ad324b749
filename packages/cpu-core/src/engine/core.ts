/** What the engine knows about one processor beside its architectural state. */
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { CpuState, Views } from '../state.ts';
import { FilledEntries } from './filled-entries.ts';
import { JUMP_CACHE_ENTRY_SIZE, JUMP_CACHE_SIZE } from './jump-cache.ts';
import { TLB_ENTRY_SIZE, TLB_SIZE } from './tlb.ts';

/** Bytes of engine memory per processor: state page, two TLBs, jump cache. */
export const CORE_SIZE: number = 4096 + 2 * TLB_SIZE + JUMP_CACHE_SIZE;

/** Engine-side context of a processor. */
export interface Core {
  readonly views: Views;
  readonly state: CpuState;
  cpu: Processor;
  /** Host offset of the supervisor TLB; the user TLB follows. */
  readonly tlb: number;
  /** Entries of both TLBs that are in use: who fills one names it here. */
  readonly tlbFilled: FilledEntries;
  /** Host offset of the jump cache. */
  readonly jumpCache: number;
  /** Its entries that are in use: who fills one names it here. */
  readonly jumpFilled: FilledEntries;
  /** A device was accessed, or code was written, since this was last cleared: the block must end. */
  leaveBlock: boolean;
  /** Budget not in ST_BUDGET but still this run's. */
  held: number;
  /** Budget at the start of the tier's run. */
  startBudget: number;
}

/** Lays out a processor's part of the engine memory at `base` (page aligned). `cpu` is filled in by the caller. */
export function createCore(views: Views, state: CpuState): Core {
  const tlb = state.base + 4096;
  const jumpCache = tlb + 2 * TLB_SIZE;
  return {
    views,
    state,
    cpu: undefined as unknown as Processor,
    tlb,
    tlbFilled: new FilledEntries(views.i32, tlb, 2 * TLB_SIZE, TLB_ENTRY_SIZE, -1),
    jumpCache,
    jumpFilled: new FilledEntries(views.i32, jumpCache, JUMP_CACHE_SIZE, JUMP_CACHE_ENTRY_SIZE, 0),
    leaveBlock: false,
    // In the state page, for generated code that needs the exact time.
    get held() {
      return state.get32(L.ST_HELD_BUDGET) | 0;
    },
    set held(value) {
      state.set32(L.ST_HELD_BUDGET, value);
    },
    get startBudget() {
      return state.get32(L.ST_START_BUDGET) | 0;
    },
    set startBudget(value) {
      state.set32(L.ST_START_BUDGET, value);
    },
  };
}
