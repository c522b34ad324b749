/**
 * Translation with EPT on: guest tables, each of whose entries is itself reached through EPT, then the final access.
 *
 * Without unrestricted guest, unpaged code runs on KVM's identity-map page table: see {@link identityMapState}.
 * Sources: Intel SDM Vol. 3, "Extended Page-Table Mechanism (EPT)", "Virtualizing APIC Accesses".
 */
import { CR0_PE, CR0_PG, CR4_PSE } from '@smm/x86-defs';
import {
  APIC_ACCESS_GUEST_PHYSICAL,
  apicAccessQualification,
  EPT_ORIGIN_FINAL,
  EPT_ORIGIN_PHYSICAL,
  EPT_ORIGIN_WALK,
} from './ept-bits.ts';
import { EPT_OK, EPT_VIOLATION, type EptResult, type EptTables } from './ept-tables.ts';
import { GuestWalker } from './guest-walker.ts';
import { type Access, PAGE_SIZE, RIGHT_EXEC, RIGHT_READ, RIGHT_WRITE } from './paging-bits.ts';
import { type PagingState, unpagedState } from './paging-state.ts';
import { loadPdptes, type PdpteLoad } from './pdptes.ts';
import { type HostMemory, TABLE_ACCESS_FAILED, type TableMemory } from './table-memory.ts';
import {
  TRANSLATE_APIC_ACCESS,
  TRANSLATE_EPT_MISCONFIG,
  TRANSLATE_EPT_VIOLATION,
  TRANSLATE_OK,
  TRANSLATE_PAGE_FAULT,
  Translation,
} from './translation.ts';
import { WALK_OK, WALK_PAGE_FAULT } from './walk-result.ts';

/** EPT rights that an access needs, indexed by {@link Access}. */
const EPT_NEEDED: readonly number[] = [RIGHT_READ, RIGHT_WRITE, RIGHT_EXEC, RIGHT_READ | RIGHT_WRITE];

/** Guest paging structures as the processor reaches them: through EPT into host memory. */
class EptTableMemory implements TableMemory {
  ept: EptTables | null = null;
  debug = false;
  origin = EPT_ORIGIN_WALK;
  apicAccessHostPage = -1;
  readonly #host: HostMemory;
  readonly #result: Translation;

  constructor(host: HostMemory, result: Translation) {
    this.#host = host;
    this.#result = result;
  }

  locate(gpa: number, write: boolean): number {
    const ept = this.ept as EptTables;
    // With EPT accessed and dirty flags, the processor treats every guest paging-structure access as a write.
    const asWrite = write || (ept.options.accessedDirty && !this.debug);
    const e = ept.walk(gpa, asWrite ? RIGHT_READ | RIGHT_WRITE : RIGHT_READ, this.origin, this.debug);
    if (e.outcome !== EPT_OK) {
      eptExit(this.#result, e, gpa);
      return TABLE_ACCESS_FAILED;
    }
    if (e.hostPage === this.apicAccessHostPage && !this.debug) {
      this.#result.outcome = TRANSLATE_APIC_ACCESS;
      this.#result.hostPage = e.hostPage;
      this.#result.gpa = gpa;
      this.#result.qualification = APIC_ACCESS_GUEST_PHYSICAL << 12;
      return TABLE_ACCESS_FAILED;
    }
    return e.hostPage + (gpa & (PAGE_SIZE - 1));
  }

  read32(location: number): number {
    return this.#host.read32(location);
  }

  compareExchange32(location: number, expected: number, desired: number): boolean {
    if (this.#host.read32(location) !== expected) return false;
    this.#host.write32(location, desired);
    return true;
  }
}

/** Copies a failed EPT walk into a translation. */
function eptExit(result: Translation, e: EptResult, gpa: number): void {
  result.gpa = gpa;
  if (e.outcome === EPT_VIOLATION) {
    result.outcome = TRANSLATE_EPT_VIOLATION;
    result.qualification = e.qualification;
  } else {
    result.outcome = TRANSLATE_EPT_MISCONFIG;
    result.mmio = e.mmio;
    result.mmioGeneration = e.mmioGeneration;
  }
}

/** Translates linear addresses of processors that run on EPT. Allocates nothing per walk. */
export class NestedWalker {
  /** The answer of the last walk; every walk returns this same object. */
  readonly result: Translation = new Translation();
  readonly #tables: EptTableMemory;
  readonly #walker: GuestWalker;

  /** A walker whose EPT hierarchies and guest pages lie in `host`. */
  constructor(host: HostMemory) {
    this.#tables = new EptTableMemory(host, this.result);
    this.#walker = new GuestWalker(this.#tables);
  }

  /**
   * APIC_ACCESS_ADDR of the VMCS: a final translation to this **host** page is an APIC access, not memory. -1 turns
   * the check off. Another host page at guest-physical FEE00000h is plain memory: that is the 2015 defect.
   */
  get apicAccessHostPage(): number {
    return this.#tables.apicAccessHostPage;
  }
  /** Sets the host page, or -1. */
  set apicAccessHostPage(hostPage: number) {
    this.#tables.apicAccessHostPage = hostPage;
  }

  /**
   * Translates `linear` for `access` by user or supervisor mode, as {@link GuestWalker.walk} describes them. A debug
   * walk sets no flags and looks through the APIC-access page. Answers `OK`, `PAGE_FAULT`, `EPT_VIOLATION`,
   * `EPT_MISCONFIG` or `APIC_ACCESS`.
   */
  walk(
    ept: EptTables,
    paging: PagingState,
    linear: number,
    access: Access,
    user: boolean,
    debug: boolean,
  ): Translation {
    const r = this.result;
    const tables = this.#tables;
    tables.ept = ept;
    tables.debug = debug;
    tables.origin = EPT_ORIGIN_WALK;
    r.tableAccess = true;
    const g = this.#walker.walk(paging, linear, access, user, debug);
    if (g.outcome !== WALK_OK) {
      if (g.outcome === WALK_PAGE_FAULT) {
        r.outcome = TRANSLATE_PAGE_FAULT;
        r.errorCode = g.errorCode;
      }
      return r; // else the port has written the exit
    }
    r.tableAccess = false;
    const gpa = g.gpa + ((linear >>> 0) & 0xfff);
    const e = ept.walk(gpa, EPT_NEEDED[access] as number, EPT_ORIGIN_FINAL, debug);
    if (e.outcome !== EPT_OK) {
      eptExit(r, e, gpa);
      return r;
    }
    r.hostPage = e.hostPage;
    if (e.hostPage === tables.apicAccessHostPage && !debug) {
      r.outcome = TRANSLATE_APIC_ACCESS;
      r.gpa = gpa;
      r.qualification = apicAccessQualification(gpa & 0xfff, access);
      return r;
    }
    r.outcome = TRANSLATE_OK;
    r.gpa = g.gpa;
    r.pageSizeBytes = g.pageSizeBytes;
    r.rights = g.rights & e.rights;
    r.dirtyOk = g.dirtyOk && e.dirtyOk;
    r.tlbRights = g.tlbRights & e.rights & (e.dirtyOk ? -1 : ~RIGHT_WRITE);
    r.global = g.global;
    r.dependsOnAc = g.dependsOnAc;
    return r;
  }

  /**
   * Loads the PDPTE registers through EPT, as MOV to CR3 does in PAE paging. On `table-access` the exit is in
   * {@link NestedWalker.result}; its qualification has no linear-address bits. See {@link loadPdptes}.
   */
  loadPdptes(ept: EptTables, cr3: number, maxPhyAddr: number, pdptes: Uint32Array): PdpteLoad {
    this.#tables.ept = ept;
    this.#tables.debug = false;
    this.#tables.origin = EPT_ORIGIN_PHYSICAL;
    return loadPdptes(this.#tables, cr3, maxPhyAddr, pdptes);
  }
}

/**
 * The paging state in which a processor **without unrestricted guest** runs a guest that has paging off: CR0.PG set
 * by the hypervisor, CR3 at KVM's identity-map page table (guest-physical `identityMapGpa`), 4 MiB pages. If that table
 * is all zeros, as address space 1 had it before Linux f0d648bdf0a5, every access is a page fault.
 */
export function identityMapState(identityMapGpa: number): PagingState {
  return { ...unpagedState(), cr0: (CR0_PG | CR0_PE) >>> 0, cr3: identityMapGpa, cr4: CR4_PSE };
}
