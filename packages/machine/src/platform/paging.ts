/** Paging features of a processor model, in the walkers' form. */
import { type PagingState, unpagedState } from '@smm/mmu-ept';

/** What CPUID says about paging. */
export interface PagingFeatures {
  /** MAXPHYADDR in bits. */
  readonly maxPhyAddr: number;
  /** 1 GiB pages. */
  readonly pages1GiB: boolean;
  /** PSE-36. */
  readonly pse36: boolean;
}

/** A paging state with the features filled in. */
export function pagingStateOf(features: PagingFeatures): PagingState {
  return { ...unpagedState(), ...features };
}
