/**
 * Guest page-table walkers, KVM memory slots in two address spaces, EPT and shadow paging.
 * @packageDocumentation
 */
export {
  APIC_ACCESS_EVENT_DELIVERY,
  APIC_ACCESS_GUEST_PHYSICAL,
  apicAccessQualification,
  EPT_ORIGIN_FINAL,
  EPT_ORIGIN_PHYSICAL,
  EPT_ORIGIN_WALK,
  EPT_QUAL_FETCH,
  EPT_QUAL_FINAL,
  EPT_QUAL_LINEAR_VALID,
  EPT_QUAL_READ,
  EPT_QUAL_RIGHTS_SHIFT,
  EPT_QUAL_WRITE,
} from './ept-bits.ts';
export {
  EPT_MISCONFIG,
  EPT_OK,
  EPT_VIOLATION,
  type EptOptions,
  type EptOutcome,
  type EptResult,
  EptTables,
  type EptTablesState,
} from './ept-tables.ts';
export { FlatMemory } from './flat-memory.ts';
export { GuestWalker, pageFaultErrorCode } from './guest-walker.ts';
export {
  type AddressSpaceId,
  APIC_ACCESS_PAGE_PRIVATE_MEMSLOT,
  AS_NORMAL,
  AS_SMM,
  IDENTITY_PAGETABLE_PRIVATE_MEMSLOT,
  KVM_USER_MEM_SLOTS,
  type MemorySlot,
  MemorySlots,
  type MemorySlotsState,
  TSS_PRIVATE_MEMSLOT,
} from './memory-slots.ts';
export { identityMapState, NestedWalker } from './nested-walker.ts';
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
  APIC_ACCESS_PAGE_GPA,
  type HostPageAllocator,
  installPrivateSlots,
  type PrivateSlotOptions,
  type PrivateSlots,
  QEMU_IDENTITY_MAP_GPA,
  QEMU_TSS_GPA,
  writeIdentityMap,
} from './private-slots.ts';
export {
  type ShadowFault,
  type ShadowFaultKind,
  ShadowMmu,
  type ShadowMmuState,
  type ShadowRootState,
} from './shadow-mmu.ts';
export type { ShadowTablesState } from './shadow-tables.ts';
export { SlotTableMemory } from './slot-table-memory.ts';
export {
  type HostMemory,
  type HostTablePort,
  TABLE_ACCESS_FAILED,
  type TableMemory,
} from './table-memory.ts';
export { type TdpFault, type TdpMisconfig, TdpMmu, type TdpMmuState } from './tdp-mmu.ts';
export {
  TRANSLATE_APIC_ACCESS,
  TRANSLATE_EPT_MISCONFIG,
  TRANSLATE_EPT_VIOLATION,
  TRANSLATE_OK,
  TRANSLATE_PAGE_FAULT,
  TRANSLATE_SHADOW_FAULT,
  type TranslateOutcome,
  Translation,
} from './translation.ts';
export { WALK_OK, WALK_PAGE_FAULT, WALK_TABLE_ACCESS, type WalkOutcome, WalkResult } from './walk-result.ts';
