/** The registers that decide how a linear address is translated. Intel SDM Vol. 3, "Paging Modes and Control Bits". */
import { CR0_PG, CR4_LA57, CR4_PAE, EFER_LMA, UnmodelledError } from '@smm/x86-defs';

/**
 * Register values that one walk reads. Keep one mutable object per processor and pass it to every walk.
 * All values are unsigned 32-bit numbers except `cr3`.
 */
export interface PagingState {
  /** CR0; PG and WP matter. */
  cr0: number;
  /** CR3, up to 2^52 - 1; PCID bits are ignored. */
  cr3: number;
  /** CR4; PSE, PAE, PGE, SMEP, SMAP matter; LA57, PKE and PKS are not modelled. */
  cr4: number;
  /** IA32_EFER; LMA and NXE matter. */
  efer: number;
  /**
   * RFLAGS.AC, which lifts SMAP for explicit supervisor data accesses. Give false for implicit ones (descriptor
   * tables).
   */
  rflagsAc: boolean;
  /** MAXPHYADDR in bits, 32 to 52: higher address bits of 64-bit entries are reserved. */
  maxPhyAddr: number;
  /** CPUID: 1 GiB pages in 4-level paging; else bit 7 of a page-directory-pointer entry is reserved. */
  pages1GiB: boolean;
  /**
   * CPUID PSE-36: 4 MiB pages of 32-bit paging reach 40-bit addresses; else bits 21:13 of such an entry are reserved.
   */
  pse36: boolean;
  /**
   * The four PDPTE registers of PAE paging as {low, high} pairs of halves, filled by {@link loadPdptes} at MOV to CR3
   * (Intel SDM Vol. 3, "PDPTE Registers"). With null, PAE walks read the entries from memory each time, as QEMU's TCG
   * does; reserved bits 2:1 and 8:5 of an entry are then ignored and a reserved address bit is a page fault.
   */
  pdptes: Uint32Array | null;
}

/** How linear addresses are translated: not at all, or by one of three table formats. */
export type PagingMode = 'none' | '32-bit' | 'pae' | '4-level';

/** CR4.PKE and CR4.PKS: protection keys for user and supervisor pages. */
const CR4_PKE_PKS = 0x0140_0000;

/** The paging mode that the control registers select. */
export function pagingMode(paging: PagingState): PagingMode {
  if ((paging.cr0 & CR0_PG) === 0) return 'none';
  if ((paging.cr4 & CR4_PAE) === 0) return '32-bit';
  return (paging.efer & EFER_LMA) !== 0 ? '4-level' : 'pae';
}

/** A state with paging off, MAXPHYADDR 36 and no optional features: a start for tests and wiring. */
export function unpagedState(): PagingState {
  return {
    cr0: 0,
    cr3: 0,
    cr4: 0,
    efer: 0,
    rflagsAc: false,
    maxPhyAddr: 36,
    pages1GiB: false,
    pse36: false,
    pdptes: null,
  };
}

/**
 * Refuses what the walkers do not have, so that no guest is walked wrongly in silence.
 * Throws `UnmodelledError` `MMU_LA57` or `MMU_PROTECTION_KEYS`.
 */
export function checkModelled(paging: PagingState): void {
  if ((paging.cr4 & (CR4_LA57 | CR4_PKE_PKS)) === 0 || (paging.cr0 & CR0_PG) === 0) return;
  if ((paging.cr4 & CR4_LA57) !== 0) {
    if ((paging.efer & EFER_LMA) === 0) return;
    throw new UnmodelledError(
      'MMU_LA57',
      'the guest turned on 5-level paging (CR4.LA57), which this model does not walk',
      'Hide the LA57 feature from the guest (CPUID leaf 7, ECX bit 16).',
      { cr4: paging.cr4 },
    );
  }
  throw new UnmodelledError(
    'MMU_PROTECTION_KEYS',
    'the guest turned on protection keys (CR4.PKE or CR4.PKS), which this model does not check',
    'Hide the PKU and PKS features from the guest (CPUID leaf 7, ECX bits 3 and 31).',
    { cr4: paging.cr4 },
  );
}
