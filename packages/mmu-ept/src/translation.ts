/** The answer of a translation from linear to host-physical address, by EPT or by shadow tables. */

/** Translated; the access may go to `hostPage`. */
export const TRANSLATE_OK = 0;
/** The guest gets #PF with `errorCode`; under EPT without a VM exit. */
export const TRANSLATE_PAGE_FAULT = 1;
/** VM exit: EPT violation at `gpa` with `qualification`. */
export const TRANSLATE_EPT_VIOLATION = 2;
/** VM exit: EPT misconfiguration at `gpa`; MMIO when `mmio` is set. */
export const TRANSLATE_EPT_MISCONFIG = 3;
/** VM exit: APIC access with `qualification`; nothing was read or written. */
export const TRANSLATE_APIC_ACCESS = 4;
/**
 * VM exit: #PF from a shadow table, with the processor's `errorCode`; the hypervisor must look at the guest's tables.
 */
export const TRANSLATE_SHADOW_FAULT = 5;
/** One of the `TRANSLATE_*` outcomes. */
export type TranslateOutcome = 0 | 1 | 2 | 3 | 4 | 5;

/** One translation. Its owner overwrites it at the next: copy what must live longer. */
export class Translation {
  /** How the translation ended; the other members are valid only where they say so. */
  outcome: TranslateOutcome = TRANSLATE_OK;
  /** `OK`, `APIC_ACCESS`: host-physical address of the 4 KiB page. */
  hostPage = 0;
  /**
   * `OK`: guest-physical address of the 4 KiB page. EPT exits and `APIC_ACCESS`: the full guest-physical address of
   * the access that exited, which is that of a paging-structure entry when the exit came from the page walk.
   */
  gpa = 0;
  /** EPT exits and `APIC_ACCESS`: the access was to a paging-structure entry, not the one that is translated. */
  tableAccess = false;
  /** `OK`: bytes of the page in the guest's tables; INVLPG must drop all of it from a TLB. */
  pageSizeBytes = 0x1000;
  /**
   * `OK`: `RIGHT_*` of this privilege class, whatever the dirty flags say. From shadow tables: what the shadow entry
   * grants, which lacks the write right of a page that is clean in the guest's tables.
   */
  rights = 0;
  /** `OK`: `RIGHT_*` that a TLB may grant to this privilege class without another walk; 0 after a debug walk. */
  tlbRights = 0;
  /** `OK`: a write needs no further walk. */
  dirtyOk = false;
  /** `OK`: the mapping is global in the guest's tables. */
  global = false;
  /** `OK`: the rights depend on RFLAGS.AC (SMAP). */
  dependsOnAc = false;
  /** `PAGE_FAULT`, `SHADOW_FAULT`: the #PF error code. */
  errorCode = 0;
  /** `EPT_VIOLATION`, `APIC_ACCESS`: the exit qualification. */
  qualification = 0;
  /** `EPT_MISCONFIG`: the entry is an MMIO mark. */
  mmio = false;
  /** `EPT_MISCONFIG` by an MMIO mark: slot generation of the mark, modulo 2^20. */
  mmioGeneration = 0;
}
