/**
 * Walks a guest's own page tables: paging off, 32-bit, PAE and 4-level.
 *
 * Accessed and dirty flags are written only when the access is allowed (the SDM lets a processor set accessed flags
 * of a walk that faults; KVM's walker does not). Not modelled: 5-level paging, protection keys, shadow stacks,
 * paging-structure caches. Sources: Intel SDM Vol. 3, "Paging" and "Interrupt 14 - Page-Fault Exception (#PF)".
 */
import {
  CR0_PG,
  CR0_WP,
  CR4_PAE,
  CR4_PGE,
  CR4_PSE,
  CR4_SMAP,
  CR4_SMEP,
  EFER_LMA,
  EFER_NXE,
  PFERR_FETCH,
  PFERR_PRESENT,
  PFERR_RSVD,
  PFERR_USER,
  PFERR_WRITE,
} from '@smm/x86-defs';
import {
  ACCESS_EXEC,
  ACCESS_READ,
  type Access,
  PAGE_SIZE,
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
  RIGHTS_FOR_ACCESS,
  TWO_POW_32,
} from './paging-bits.ts';
import { checkModelled, type PagingState } from './paging-state.ts';
import type { TableMemory } from './table-memory.ts';
import { WALK_OK, WALK_PAGE_FAULT, WALK_TABLE_ACCESS, WalkResult } from './walk-result.ts';

/**
 * Walks of one access over entries that change under it: memory does not do that here, registers may. The last one
 * writes no flags.
 */
const MAX_TRIES = 16;
/** Reserved bits 20:13 of a page-directory entry that maps 2 MiB. */
const RESERVED_2M = 0x001f_e000;
/** Reserved bits 29:13 of a page-directory-pointer entry that maps 1 GiB. */
const RESERVED_1G = 0x3fff_e000;

/** Mask over the high half: address bits at or above MAXPHYADDR, below bit 52. `maxPhyAddr` is 32 to 52. */
function addressReservedHigh(maxPhyAddr: number): number {
  return 0xf_ffff & ~((1 << (maxPhyAddr - 32)) - 1);
}

/**
 * Reserved bits in the high half of a present PDPTE of PAE paging (bits 63:MAXPHYADDR).
 * Intel SDM Vol. 3, "PAE Paging", format of a page-directory-pointer-table entry.
 */
export function pdpteReservedHigh(maxPhyAddr: number): number {
  return addressReservedHigh(maxPhyAddr) | 0xfff0_0000;
}

/**
 * Error code of a page fault by `access`: `cause` (`PFERR_PRESENT`, `PFERR_RSVD` or 0) and the bits of the access.
 * The fetch bit shows only when execute-disable or SMEP can cause faults.
 */
export function pageFaultErrorCode(
  paging: PagingState,
  access: Access,
  user: boolean,
  cause: number,
): number {
  let code = cause;
  if (user) code |= PFERR_USER;
  if (access === ACCESS_EXEC) {
    const executeDisable = (paging.cr4 & CR4_PAE) !== 0 && (paging.efer & EFER_NXE) !== 0;
    if (executeDisable || (paging.cr4 & CR4_SMEP) !== 0) code |= PFERR_FETCH;
  } else if (access !== ACCESS_READ) {
    code |= PFERR_WRITE;
  }
  return code;
}

/** Walks guest page tables of one processor's memory view. Allocates nothing per walk. */
export class GuestWalker {
  /** The answer of the last walk; every walk returns this same object. */
  readonly result: WalkResult = new WalkResult();
  readonly #memory: TableMemory;
  /** Entries used by the current walk, in walking order: where, and the low half as read. */
  readonly #entryGpa = new Float64Array(4);
  readonly #entryLow = new Uint32Array(4);

  /** A walker that reads its tables through `memory`. */
  constructor(memory: TableMemory) {
    this.#memory = memory;
  }

  /**
   * Translates `linear` (canonical signed number in 4-level paging, 0 to 2^32 - 1 otherwise) for an access by
   * user mode (CPL 3 and not an implicit system access) or supervisor mode. `debug` changes no memory.
   * Throws `UnmodelledError` for paging features that the model does not have.
   */
  walk(paging: PagingState, linear: number, access: Access, user: boolean, debug: boolean): WalkResult {
    if ((paging.cr0 & CR0_PG) === 0) return this.#unpaged(linear, debug);
    checkModelled(paging);
    for (let tries = 1; ; tries++) {
      const last = debug || tries === MAX_TRIES;
      const retry =
        (paging.cr4 & CR4_PAE) === 0
          ? this.#walk32(paging, linear, access, user, last)
          : this.#walk64(paging, linear, access, user, last);
      if (!retry) return this.result;
    }
  }

  #unpaged(linear: number, debug: boolean): WalkResult {
    const r = this.result;
    r.outcome = WALK_OK;
    r.gpa = linear - (linear & (PAGE_SIZE - 1));
    r.pageSizeBytes = PAGE_SIZE;
    r.rights = RIGHTS_ALL;
    r.tlbRights = debug ? 0 : RIGHTS_ALL;
    r.dirtyOk = true;
    r.entryRights = RIGHTS_ALL;
    r.leafGpa = -1;
    r.userPage = true;
    r.global = false;
    r.dependsOnAc = false;
    return r;
  }

  /** One try in the 4-byte format. True: an entry changed under the walk, walk again. */
  #walk32(paging: PagingState, linear: number, access: Access, user: boolean, debug: boolean): boolean {
    const memory = this.#memory;
    const pdeGpa = ((paging.cr3 & 0xffff_f000) | ((linear >>> 20) & 0xffc)) >>> 0;
    const pdeAt = memory.locate(pdeGpa, false);
    if (pdeAt < 0) return this.#tableFailed(pdeGpa, false);
    const pde = memory.read32(pdeAt);
    if ((pde & PTE_P) === 0) return this.#fault(paging, access, user, 0);
    this.#entryGpa[0] = pdeGpa;
    this.#entryLow[0] = pde;
    if ((pde & PTE_PS) !== 0 && (paging.cr4 & CR4_PSE) !== 0) {
      const highBits = paging.pse36 ? Math.min(paging.maxPhyAddr, 40) - 32 : 0;
      const addressHigh = (1 << highBits) - 1;
      if ((pde & 0x003f_e000 & ~(addressHigh << 13)) !== 0) {
        return this.#fault(paging, access, user, PFERR_PRESENT | PFERR_RSVD);
      }
      const base = ((pde & 0xffc0_0000) | (linear & 0x003f_f000)) >>> 0;
      const gpa = base + ((pde >>> 13) & addressHigh) * TWO_POW_32;
      return this.#finish(paging, access, user, debug, 1, pde & (PTE_RW | PTE_US), false, gpa, 0x40_0000);
    }
    const pteGpa = ((pde & 0xffff_f000) | ((linear >>> 10) & 0xffc)) >>> 0;
    const pteAt = memory.locate(pteGpa, false);
    if (pteAt < 0) return this.#tableFailed(pteGpa, false);
    const pte = memory.read32(pteAt);
    if ((pte & PTE_P) === 0) return this.#fault(paging, access, user, 0);
    this.#entryGpa[1] = pteGpa;
    this.#entryLow[1] = pte;
    const rights = pde & pte & (PTE_RW | PTE_US);
    return this.#finish(paging, access, user, debug, 2, rights, false, (pte & 0xffff_f000) >>> 0, PAGE_SIZE);
  }

  /** One try in the 8-byte formats. True: an entry changed under the walk, walk again. */
  #walk64(paging: PagingState, linear: number, access: Access, user: boolean, debug: boolean): boolean {
    const memory = this.#memory;
    const low = linear >>> 0;
    const long = (paging.efer & EFER_LMA) !== 0;
    const nxe = (paging.efer & EFER_NXE) !== 0;
    let reservedHigh = addressReservedHigh(paging.maxPhyAddr);
    if (!long) reservedHigh |= 0x7ff0_0000;
    if (!nxe) reservedHigh |= PTE_NX_HIGH;

    let table: number;
    let level: number;
    let linearHigh = 0;
    if (long) {
      level = 4;
      table = paging.cr3 - (paging.cr3 & (PAGE_SIZE - 1));
      linearHigh = (linear - low) / TWO_POW_32;
    } else {
      level = 2;
      table = this.#pdpte(paging, low, access, user);
      if (table < 0) return false;
    }

    let rights = PTE_RW | PTE_US;
    let noExecute = false;
    for (let depth = 0; ; depth++) {
      let index: number;
      if (level === 4) index = (linearHigh >>> 7) & 0x1ff;
      else if (level === 3) index = ((linearHigh & 0x7f) << 2) | (low >>> 30);
      else index = (low >>> (level === 2 ? 21 : 12)) & 0x1ff;
      const gpa = table + index * 8;
      const at = memory.locate(gpa, false);
      if (at < 0) return this.#tableFailed(gpa, false);
      const entry = memory.read32(at);
      if ((entry & PTE_P) === 0) return this.#fault(paging, access, user, 0);
      const entryHigh = memory.read32(at + 4);
      if ((entryHigh & reservedHigh) !== 0) {
        return this.#fault(paging, access, user, PFERR_PRESENT | PFERR_RSVD);
      }
      this.#entryGpa[depth] = gpa;
      this.#entryLow[depth] = entry;
      rights &= entry;
      if ((entryHigh & PTE_NX_HIGH) !== 0) noExecute = true;
      const base = (entryHigh & 0xf_ffff) * TWO_POW_32;

      if (level === 1) {
        const page = base + ((entry & 0xffff_f000) >>> 0);
        return this.#finish(paging, access, user, debug, depth + 1, rights, noExecute, page, PAGE_SIZE);
      }
      if ((entry & PTE_PS) !== 0) {
        if (level === 4 || (level === 3 && !paging.pages1GiB)) {
          return this.#fault(paging, access, user, PFERR_PRESENT | PFERR_RSVD);
        }
        if ((entry & (level === 3 ? RESERVED_1G : RESERVED_2M)) !== 0) {
          return this.#fault(paging, access, user, PFERR_PRESENT | PFERR_RSVD);
        }
        const size = level === 3 ? 0x4000_0000 : 0x20_0000;
        const inPage = low & (size - 1) & 0xffff_f000;
        const page = base + (((entry & ~(size - 1)) | inPage) >>> 0);
        return this.#finish(paging, access, user, debug, depth + 1, rights, noExecute, page, size);
      }
      table = base + ((entry & 0xffff_f000) >>> 0);
      level--;
    }
  }

  /** Address of the page directory that a PAE walk starts from, or -1 when the result is already a fault. */
  #pdpte(paging: PagingState, linear: number, access: Access, user: boolean): number {
    const index = linear >>> 30;
    let entry: number;
    let entryHigh: number;
    if (paging.pdptes !== null) {
      entry = paging.pdptes[index * 2] ?? 0;
      entryHigh = paging.pdptes[index * 2 + 1] ?? 0;
    } else {
      const gpa = ((paging.cr3 & 0xffff_ffe0) >>> 0) + index * 8;
      const at = this.#memory.locate(gpa, false);
      if (at < 0) {
        this.#tableFailed(gpa, false);
        return -1;
      }
      entry = this.#memory.read32(at);
      entryHigh = this.#memory.read32(at + 4);
      if ((entry & PTE_P) !== 0 && (entryHigh & pdpteReservedHigh(paging.maxPhyAddr)) !== 0) {
        this.#fault(paging, access, user, PFERR_PRESENT | PFERR_RSVD);
        return -1;
      }
    }
    if ((entry & PTE_P) === 0) {
      this.#fault(paging, access, user, 0);
      return -1;
    }
    return (entryHigh & 0xf_ffff) * TWO_POW_32 + ((entry & 0xffff_f000) >>> 0);
  }

  /** Checks rights, writes accessed and dirty flags, fills the result. True: walk again. */
  #finish(
    paging: PagingState,
    access: Access,
    user: boolean,
    debug: boolean,
    depth: number,
    entryRights: number,
    noExecute: boolean,
    gpa: number,
    pageSizeBytes: number,
  ): boolean {
    const r = this.result;
    const userPage = (entryRights & PTE_US) !== 0;
    const writable = (entryRights & PTE_RW) !== 0;
    const smap = userPage && !user && (paging.cr4 & CR4_SMAP) !== 0;
    let rights = 0;
    if (user) {
      if (userPage) rights = RIGHT_READ | (writable ? RIGHT_WRITE : 0) | (noExecute ? 0 : RIGHT_EXEC);
    } else {
      if (!smap || paging.rflagsAc) {
        rights = RIGHT_READ | (writable || (paging.cr0 & CR0_WP) === 0 ? RIGHT_WRITE : 0);
      }
      if (!noExecute && !(userPage && (paging.cr4 & CR4_SMEP) !== 0)) rights |= RIGHT_EXEC;
    }
    const needed = RIGHTS_FOR_ACCESS[access] as number;
    if ((rights & needed) === 0) return this.#fault(paging, access, user, PFERR_PRESENT);

    const last = depth - 1;
    let leaf = this.#entryLow[last] as number;
    if (!debug) {
      for (let i = 0; i < depth; i++) {
        const old = this.#entryLow[i] as number;
        const flags = i === last && needed === RIGHT_WRITE ? PTE_A | PTE_D : PTE_A;
        if ((old & flags) === flags) continue;
        const entryGpa = this.#entryGpa[i] as number;
        const at = this.#memory.locate(entryGpa, true);
        if (at < 0) return this.#tableFailed(entryGpa, true);
        if (!this.#memory.compareExchange32(at, old, (old | flags) >>> 0)) return true;
        if (i === last) leaf = old | flags;
      }
    }

    r.outcome = WALK_OK;
    r.gpa = gpa;
    r.pageSizeBytes = pageSizeBytes;
    r.rights = rights;
    r.dirtyOk = (leaf & PTE_D) !== 0;
    r.tlbRights = debug ? 0 : r.dirtyOk ? rights : rights & ~RIGHT_WRITE;
    r.entryRights = RIGHT_READ | (writable ? RIGHT_WRITE : 0) | (noExecute ? 0 : RIGHT_EXEC);
    r.leafGpa = this.#entryGpa[last] as number;
    r.userPage = userPage;
    r.global = (leaf & PTE_G) !== 0 && (paging.cr4 & CR4_PGE) !== 0;
    r.dependsOnAc = smap;
    return false;
  }

  #fault(paging: PagingState, access: Access, user: boolean, cause: number): false {
    this.result.outcome = WALK_PAGE_FAULT;
    this.result.errorCode = pageFaultErrorCode(paging, access, user, cause);
    return false;
  }

  #tableFailed(gpa: number, write: boolean): false {
    this.result.outcome = WALK_TABLE_ACCESS;
    this.result.tableGpa = gpa;
    this.result.tableWrite = write;
    return false;
  }
}
