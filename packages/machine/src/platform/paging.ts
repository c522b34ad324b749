/** Paging features of a processor model, in the walkers' form. */
import type { TranslateRequest } from '@smm/cpu-core';
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

/** Fills in what a request says of the processor. */
export function takeRegisters(paging: PagingState, request: TranslateRequest): void {
  paging.cr0 = request.cr0;
  paging.cr3 = request.cr3;
  paging.cr4 = request.cr4;
  paging.efer = request.efer;
  paging.rflagsAc = request.rflagsAc;
  paging.pdptes = request.pdptes;
}
