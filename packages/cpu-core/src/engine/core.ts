/** What the engine knows about one processor beside its architectural state. */
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { CpuState, Views } from '../state.ts';
import { JUMP_CACHE_SIZE } from './jump-cache.ts';
import { TLB_SIZE } from './tlb.ts';

/** Bytes of engine memory per processor: state page, two TLBs, jump cache. */
export const CORE_SIZE: number = 4096 + 2 * TLB_SIZE + JUMP_CACHE_SIZE;

/** Engine-side context of a processor. */
export interface Core {
  readonly views: Views;
  readonly state: CpuState;
  cpu: Processor;
  /** Host offset of the supervisor TLB; the user TLB follows. */
  readonly tlb: number;
  /** Host offset of the jump cache. */
  readonly jumpCache: number;
  /** A device was accessed, or code was written, since this was last cleared: the block must end. */
  leaveBlock: boolean;
  /** Budget not in ST_BUDGET but still this run's. */
  held: number;
  /** Budget at the start of the tier's run. */
  startBudget: number;
}

/** Lays out a processor's part of the engine memory at `base` (page aligned). `cpu` is filled in by the caller. */
export function createCore(views: Views, state: CpuState): Core {
  return {
    views,
    state,
    cpu: undefined as unknown as Processor,
    tlb: state.base + 4096,
    jumpCache: state.base + 4096 + 2 * TLB_SIZE,
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
