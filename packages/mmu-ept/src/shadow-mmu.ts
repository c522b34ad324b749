/**
 * KVM's paging with EPT off: the processor walks shadow tables that the hypervisor makes from the guest's tables and
 * the memory slots, one page per fault.
 *
 * A hierarchy belongs to a role (SMM, the bits of CR0, CR4 and EFER that shape it) and a CR3; all processors share it.
 * Unlike KVM, which keeps shadow pages in step by write-protecting guest tables, every flush drops the hierarchies of
 * its CR3: the guest sees no difference, a trace shows more page faults after MOV to CR3.
 * Not modelled: large shadow pages, SMAP together with CR0.WP = 0. Sources: Linux Documentation/virt/kvm/x86/mmu.rst;
 * relocation facts, "Fault path and numbers".
 */
import {
  CR0_PE,
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PSE,
  CR4_SMAP,
  CR4_SMEP,
  EFER_LMA,
  EFER_NXE,
  PFERR_PRESENT,
  PFERR_RSVD,
  UnmodelledError,
} from '@smm/x86-defs';
import { apicAccessQualification } from './ept-bits.ts';
import { GuestWalker, pageFaultErrorCode } from './guest-walker.ts';
import { AS_NORMAL, AS_SMM, type MemorySlots } from './memory-slots.ts';
import { ACCESS_EXEC, ACCESS_READ, type Access, RIGHT_EXEC, RIGHT_WRITE } from './paging-bits.ts';
import { type PagingState, unpagedState } from './paging-state.ts';
import { SHADOW_MAXPHYADDR, ShadowTables, type ShadowTablesState } from './shadow-tables.ts';
import { SlotTableMemory } from './slot-table-memory.ts';
import type { HostTablePort, TableMemory } from './table-memory.ts';
import {
  TRANSLATE_APIC_ACCESS,
  TRANSLATE_OK,
  TRANSLATE_PAGE_FAULT,
  TRANSLATE_SHADOW_FAULT,
  Translation,
} from './translation.ts';
import { WALK_OK, WALK_PAGE_FAULT, type WalkResult } from './walk-result.ts';

/**
 * What the hypervisor does after a shadow fault: `mapped`, enter the guest again; `page-fault`, reflect #PF with
 * `errorCode` to the guest; `mmio` and `readonly-write`, emulate the instruction, whose operand is at `gpa`.
 */
export type ShadowFaultKind = 'mapped' | 'page-fault' | 'mmio' | 'readonly-write';

/** The answer of {@link ShadowMmu.handleFault}; overwritten by the next. */
export interface ShadowFault {
  /** What to do. */
  kind: ShadowFaultKind;
  /** `page-fault`: error code for the guest. */
  errorCode: number;
  /** All but `page-fault`: full guest-physical address of the access. */
  gpa: number;
}

/** Plain state of one hierarchy and what it stands for. */
export interface ShadowRootState {
  /** Role bits; their meaning is private to this version. */
  readonly role: number;
  /** CR3 of the guest; -1 with paging off. */
  readonly cr3: number;
  /** PDPTE registers of a PAE guest that has them, else null. */
  readonly pdptes: readonly number[] | null;
  /** Where the tables lie. */
  readonly tables: ShadowTablesState;
}

/** Plain state, for snapshots; the entries themselves lie in host memory. */
export interface ShadowMmuState {
  /** Format of this object. */
  readonly version: 1;
  /** Hierarchies in the order they were made. */
  readonly roots: readonly ShadowRootState[];
}

/** One hierarchy and what it stands for. */
interface ShadowRoot {
  readonly role: number;
  /** CR3 of the guest; -1 with paging off. */
  readonly cr3: number;
  /** PDPTE registers of a PAE guest that has them: two processors may have loaded different ones from one CR3. */
  readonly pdptes: readonly number[] | null;
  readonly tables: ShadowTables;
}

/** Role bits. The low bits of CR4 and EFER that matter do not collide with these. */
const ROLE_SMM = 0x1;
const ROLE_PAGING = 0x2;
const ROLE_WP = 0x4;
const ROLE_LONG = 0x8;
const ROLE_NXE = 0x40;
/** CR4 bits that are part of a role as they stand. */
const ROLE_CR4 = CR4_PSE | CR4_PAE | CR4_SMEP | CR4_SMAP;
/** Hierarchies with paging on that are kept; making one more drops the oldest. */
const MAX_PAGED_ROOTS = 32;

/** The role bits of PAE paging among the three that tell. */
const ROLE_PAE_PAGING = ROLE_PAGING | CR4_PAE;

/** The root serves processors of this role, CR3 and PDPTE registers. */
function matches(root: ShadowRoot, role: number, cr3: number, pdptes: Uint32Array | null): boolean {
  if (root.role !== role || root.cr3 !== cr3) return false;
  if (pdptes === null || root.pdptes === null) return pdptes === root.pdptes;
  for (let i = 0; i < pdptes.length; i++) if (pdptes[i] !== root.pdptes[i]) return false;
  return true;
}

/** The role of a processor; 0 or {@link ROLE_SMM} with paging off. */
function roleOf(paging: PagingState, smm: boolean): number {
  const role = smm ? ROLE_SMM : 0;
  if ((paging.cr0 & CR0_PG) === 0) return role;
  return (
    role |
    ROLE_PAGING |
    ((paging.cr0 & CR0_WP) !== 0 ? ROLE_WP : 0) |
    ((paging.efer & EFER_LMA) !== 0 ? ROLE_LONG : 0) |
    ((paging.efer & EFER_NXE) !== 0 ? ROLE_NXE : 0) |
    (paging.cr4 & ROLE_CR4)
  );
}

/** Shadow tables as the processor reads them; they lie in host memory, and their flags are all set beforehand. */
class ShadowTableMemory implements TableMemory {
  readonly #host: HostTablePort;
  constructor(host: HostTablePort) {
    this.#host = host;
  }
  locate(address: number): number {
    return address;
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

/** The shadow page tables of one machine. */
export class ShadowMmu {
  /** The answer of the last {@link ShadowMmu.translate}; every call returns this same object. */
  readonly result: Translation = new Translation();
  /** APIC_ACCESS_ADDR of the VMCS, a host page; -1 turns the check off. See {@link NestedWalker.apicAccessHostPage}. */
  apicAccessHostPage = -1;
  readonly #slots: MemorySlots;
  readonly #host: HostTablePort;
  readonly #guestMemory: SlotTableMemory;
  readonly #guestWalker: GuestWalker;
  readonly #shadowWalker: GuestWalker;
  #roots: ShadowRoot[] = [];
  #last: ShadowRoot | null = null;
  readonly #fault: ShadowFault = { kind: 'mapped', errorCode: 0, gpa: 0 };
  /** Registers that the processor really runs with; KVM keeps CR0.PG, CR0.WP and EFER.NXE set. */
  readonly #hardware: PagingState = {
    ...unpagedState(),
    cr0: (CR0_PG | CR0_WP | CR0_PE) >>> 0,
    efer: EFER_LMA | EFER_NXE,
    maxPhyAddr: SHADOW_MAXPHYADDR,
  };

  /** Shadow tables in `host`, made from guest tables and pages behind `slots`. */
  constructor(slots: MemorySlots, host: HostTablePort) {
    this.#slots = slots;
    this.#host = host;
    this.#guestMemory = new SlotTableMemory(slots, host, AS_NORMAL);
    this.#guestWalker = new GuestWalker(this.#guestMemory);
    this.#shadowWalker = new GuestWalker(new ShadowTableMemory(host));
  }

  /**
   * Translates as the processor does, by the shadow tables alone. Answers `OK`, `APIC_ACCESS` (with `gpa`) or
   * `SHADOW_FAULT`, whose `errorCode` is the one of the processor's #PF exit; `PFERR_RSVD` in it is an MMIO mark.
   * A VCPU that runs real mode as virtual-8086 mode is `user`. A debug call goes to the guest's tables instead and
   * also answers `PAGE_FAULT`; it changes nothing.
   */
  translate(
    paging: PagingState,
    smm: boolean,
    linear: number,
    access: Access,
    user: boolean,
    debug: boolean,
  ): Translation {
    if (debug) return this.#debug(paging, smm, linear, access, user);
    const r = this.result;
    const root = this.#root(paging, smm);
    const hardware = this.#hardware;
    const guestPaging = root.cr3 >= 0;
    hardware.cr3 = root.tables.rootAddress;
    hardware.cr4 = guestPaging ? CR4_PAE | (paging.cr4 & (CR4_SMEP | CR4_SMAP)) : CR4_PAE;
    hardware.rflagsAc = paging.rflagsAc;
    const w = this.#shadowWalker.walk(hardware, linear, access, user, false);
    if (w.outcome !== WALK_OK) {
      r.outcome = TRANSLATE_SHADOW_FAULT;
      r.errorCode = w.errorCode;
      return r;
    }
    r.gpa = root.tables.gpaOf(w.leafGpa);
    r.hostPage = w.gpa;
    if (w.gpa === this.apicAccessHostPage) {
      r.outcome = TRANSLATE_APIC_ACCESS;
      r.gpa += (linear >>> 0) & 0xfff;
      r.qualification = apicAccessQualification(linear & 0xfff, access);
      return r;
    }
    this.#answer(w, root.tables.pageSizeOf(w.leafGpa), w.tlbRights);
    return r;
  }

  /**
   * Handles a shadow fault: walks the guest's tables (setting their accessed and dirty flags), and either maps the
   * page or says what else to do. Call it with the arguments of the translation that faulted.
   */
  handleFault(
    paging: PagingState,
    smm: boolean,
    linear: number,
    access: Access,
    user: boolean,
  ): Readonly<ShadowFault> {
    const fault = this.#fault;
    this.#guestMemory.asId = smm ? AS_SMM : AS_NORMAL;
    const g = this.#guestWalker.walk(paging, linear, access, user, false);
    if (g.outcome !== WALK_OK) {
      this.invlpg(paging, linear); // as a page fault does in the processor's own caches
      fault.kind = 'page-fault';
      // KVM reflects a table outside the slots as a fault of a page that is not present.
      fault.errorCode =
        g.outcome === WALK_PAGE_FAULT ? g.errorCode : pageFaultErrorCode(paging, access, user, 0);
      return fault;
    }
    fault.gpa = g.gpa + ((linear >>> 0) & 0xfff);
    const slot = this.#slots.find(smm ? AS_SMM : AS_NORMAL, g.gpa);
    const tables = this.#root(paging, smm).tables;
    if (slot === undefined) {
      tables.markMmio(linear);
      fault.kind = 'mmio';
      return fault;
    }
    const write = access !== ACCESS_READ && access !== ACCESS_EXEC;
    if (slot.readonly && write) {
      fault.kind = 'readonly-write';
      return fault;
    }
    let rights = g.entryRights;
    let userPage = g.userPage;
    if (write && (rights & RIGHT_WRITE) === 0) {
      // CR0.WP = 0 lets a supervisor write here, but the processor runs with CR0.WP = 1. So the page becomes a
      // writable supervisor page until user mode wants it; SMEP would no longer see that it is a user page.
      if (userPage && (paging.cr4 & CR4_SMAP) !== 0) {
        throw new UnmodelledError(
          'MMU_SHADOW_SMAP_WITHOUT_WP',
          'with shadow paging, a supervisor wrote to a read-only user page with CR4.SMAP = 1 and CR0.WP = 0',
          'Turn EPT on, or hide SMAP from the guest.',
          { linear, cr0: paging.cr0, cr4: paging.cr4 },
        );
      }
      rights |= RIGHT_WRITE;
      if (userPage && (paging.cr4 & CR4_SMEP) !== 0) rights &= ~RIGHT_EXEC;
      userPage = false;
    }
    if (slot.readonly || !g.dirtyOk) rights &= ~RIGHT_WRITE;
    const hostPage = slot.hostOffset + (g.gpa - slot.gpa);
    tables.map(linear, g.gpa, g.pageSizeBytes, hostPage, rights, userPage);
    fault.kind = 'mapped';
    return fault;
  }

  /**
   * Drops what was made from the tables at the CR3 of `paging`. Call it, with the state after the event, whenever the
   * architecture flushes a processor's TLB: MOV to CR3, a change of CR0.PG, of paging bits in CR4 or EFER, RSM.
   * Mappings of unpaged code stay: they depend on the slots alone.
   */
  flush(paging: PagingState): void {
    if ((paging.cr0 & CR0_PG) === 0) return;
    this.#drop((root) => root.cr3 === paging.cr3);
  }

  /** INVLPG: drops the page of `linear` from every hierarchy of this CR3. */
  invlpg(paging: PagingState, linear: number): void {
    if ((paging.cr0 & CR0_PG) === 0) return;
    for (const root of this.#roots) if (root.cr3 === paging.cr3) root.tables.unmap(linear);
  }

  /** Drops everything: after a change of the slots. The processors' TLBs are the caller's. */
  zapAll(): void {
    this.#drop(() => true);
  }

  /** Copies the state out. The host memory must be in the same snapshot. */
  save(): ShadowMmuState {
    const roots = this.#roots.map(({ role, cr3, pdptes, tables }) => ({
      role,
      cr3,
      pdptes,
      tables: tables.save(),
    }));
    return { version: 1, roots };
  }

  /** Puts a saved state back, after the host memory and its allocator were restored. */
  restore(state: ShadowMmuState): void {
    this.#last = null;
    this.#roots = state.roots.map(({ role, cr3, pdptes, tables }) => ({
      role,
      cr3,
      pdptes,
      tables: new ShadowTables(this.#host, tables),
    }));
  }

  /** The hierarchy for this state, made if it is missing. */
  #root(paging: PagingState, smm: boolean): ShadowRoot {
    const role = roleOf(paging, smm);
    const cr3 = (role & ROLE_PAGING) !== 0 ? paging.cr3 : -1;
    const pdptes = (role & (ROLE_PAGING | ROLE_LONG | CR4_PAE)) === ROLE_PAE_PAGING ? paging.pdptes : null;
    const last = this.#last;
    if (last !== null && matches(last, role, cr3, pdptes)) return last;
    let root = this.#roots.find((candidate) => matches(candidate, role, cr3, pdptes));
    if (root === undefined) {
      const paged = this.#roots.filter((candidate) => candidate.cr3 >= 0);
      if (paged.length >= MAX_PAGED_ROOTS) this.#drop((candidate) => candidate === paged[0]);
      root = { role, cr3, pdptes: pdptes && [...pdptes], tables: new ShadowTables(this.#host) };
      this.#roots.push(root);
    }
    this.#last = root;
    return root;
  }

  #drop(which: (root: ShadowRoot) => boolean): void {
    this.#last = null;
    for (const root of this.#roots) if (which(root)) root.tables.free();
    this.#roots = this.#roots.filter((root) => !which(root));
  }

  /** Answers from the guest's tables and the slots, without exits. */
  #debug(paging: PagingState, smm: boolean, linear: number, access: Access, user: boolean): Translation {
    const r = this.result;
    this.#guestMemory.asId = smm ? AS_SMM : AS_NORMAL;
    const g = this.#guestWalker.walk(paging, linear, access, user, true);
    if (g.outcome !== WALK_OK) {
      r.outcome = TRANSLATE_PAGE_FAULT;
      r.errorCode = g.outcome === WALK_PAGE_FAULT ? g.errorCode : pageFaultErrorCode(paging, access, user, 0);
      return r;
    }
    r.gpa = g.gpa;
    r.hostPage = this.#slots.hostAddress(this.#guestMemory.asId, g.gpa);
    if (r.hostPage < 0) {
      r.outcome = TRANSLATE_SHADOW_FAULT;
      r.errorCode = PFERR_PRESENT | PFERR_RSVD;
      return r;
    }
    this.#answer(g, g.pageSizeBytes, 0);
    return r;
  }

  #answer(w: WalkResult, pageSizeBytes: number, tlbRights: number): void {
    const r = this.result;
    r.outcome = TRANSLATE_OK;
    r.pageSizeBytes = pageSizeBytes;
    r.rights = w.rights;
    r.tlbRights = tlbRights;
    r.dirtyOk = w.dirtyOk;
    r.global = w.global;
    r.dependsOnAc = w.dependsOnAc;
  }
}
