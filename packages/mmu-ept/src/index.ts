/**
 * Guest page-table walkers, KVM memory slots in two address spaces, EPT and shadow paging.
 * @packageDocumentation
 */
export { FlatMemory } from './flat-memory.ts';
export { GuestWalker } from './guest-walker.ts';
export {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_RMW,
  ACCESS_WRITE,
  type Access,
  PTE_A,
  PTE_D,
  PTE_G,
  PTE_NX_HIGH,
  PTE_P,
  PTE_PS,
  PTE_RW,
  PTE_US,
  RIGHT_EXEC,
  RIGHT_READ,
  RIGHT_WRITE,
  RIGHTS_ALL,
} from './paging-bits.ts';
export { type PagingMode, type PagingState, pagingMode, unpagedState } from './paging-state.ts';
export { loadPdptes, type PdpteLoad } from './pdptes.ts';
export {
  type HostMemory,
  type HostTablePort,
  TABLE_ACCESS_FAILED,
  type TableMemory,
} from './table-memory.ts';
export { WALK_OK, WALK_PAGE_FAULT, WALK_TABLE_ACCESS, type WalkOutcome, WalkResult } from './walk-result.ts';
