/**
 * One EPT hierarchy: real 4-level tables in host-physical memory, with the walk of the hardware and the edits of KVM.
 *
 * Entries are 64-bit as the SDM lays them out; mapped pages are 4 KiB (2 MiB leaves are walked but never made).
 * Not modelled: mode-based execute control, sub-page permissions, virtualization exceptions, paging-structure caches.
 * Sources: Intel SDM Vol. 3, "EPT Translation Mechanism", "EPT Misconfigurations", "EPT Violations".
 */
import { checkOptions, isFlag, isWhole, type OptionShape } from '@smm/x86-defs';
import { EPT_A, EPT_D, EPT_MEMTYPE_WB, EPT_PS, EPT_QUAL_RIGHTS_SHIFT, EPT_RIGHTS_MMIO } from './ept-bits.ts';
import { PAGE_SIZE, RIGHT_READ, RIGHT_WRITE, RIGHTS_ALL, TWO_POW_32 } from './paging-bits.ts';
import type { HostTablePort } from './table-memory.ts';
import { TableTree } from './table-tree.ts';

/** EPT walk outcome: translated, and the access is allowed. */
export const EPT_OK = 0;
/** EPT walk outcome: EPT violation with `qualification`. */
export const EPT_VIOLATION = 1;
/** EPT walk outcome: EPT misconfiguration. */
export const EPT_MISCONFIG = 2;
/** {@link EPT_OK}, {@link EPT_VIOLATION} or {@link EPT_MISCONFIG}. */
export type EptOutcome = 0 | 1 | 2;

/** The answer of one EPT walk; its owner overwrites it at the next walk. */
export class EptResult {
  /** How the walk ended. */
  outcome: EptOutcome = EPT_OK;
  /** `EPT_OK`: host-physical address of the 4 KiB page. */
  hostPage = 0;
  /** `EPT_OK`: bytes of the page that the tables map. */
  pageSizeBytes = 0x1000;
  /** `EPT_OK`: `RIGHT_*` AND'ed over the walk. */
  rights = 0;
  /** `EPT_OK`: a write needs no further walk (the leaf is dirty, or the tables keep no dirty flags). */
  dirtyOk = false;
  /** `EPT_VIOLATION`: the exit qualification. */
  qualification = 0;
  /** `EPT_MISCONFIG`: the entry that is wrong is an MMIO mark; `mmioGeneration` says of when. */
  mmio = false;
  /** `EPT_MISCONFIG` by an MMIO mark: the generation given to {@link EptTables.markMmio}, modulo 2^20. */
  mmioGeneration = 0;
}

/** Processor features of an EPT hierarchy. */
export interface EptOptions {
  /** EPTP bit 6: keep accessed and dirty flags; guest paging-structure accesses then count as writes. */
  readonly accessedDirty: boolean;
  /** IA32_VMX_EPT_VPID_CAP bit 0: execute-only entries are valid. */
  readonly executeOnly: boolean;
  /** MAXPHYADDR of the host in bits, 32 to 52. */
  readonly hostMaxPhyAddr: number;
}

const EPT_SHAPE: OptionShape<EptOptions> = {
  accessedDirty: isFlag,
  executeOnly: isFlag,
  hostMaxPhyAddr: isWhole(32, 52),
};

/** Plain state of an EPT hierarchy, for snapshots; the entries themselves lie in host memory. */
export interface EptTablesState {
  /** Format of this object. */
  readonly version: 1;
  /** Host-physical addresses of the table pages, the root first. */
  readonly pages: readonly number[];
}

/** One EPT hierarchy. Allocates nothing per walk. */
export class EptTables {
  /** The answer of the last walk; every walk returns this same object. */
  readonly result: EptResult = new EptResult();
  /** See {@link EptOptions}. */
  readonly options: EptOptions;
  readonly #host: HostTablePort;
  readonly #reservedHigh: number;
  readonly #tree: TableTree;
  readonly #entryAddress = new Float64Array(4);

  /**
   * Makes an empty hierarchy, which takes one table page for its root. Throws `SmmError` `OPTION_VALUE` for options
   * that no host has.
   */
  constructor(host: HostTablePort, options: EptOptions) {
    checkOptions('the options of EPT', options, EPT_SHAPE);
    this.#host = host;
    this.options = options;
    this.#reservedHigh = 0xf_ffff & ~((1 << (options.hostMaxPhyAddr - 32)) - 1);
    this.#tree = new TableTree(host, RIGHTS_ALL, RIGHTS_ALL);
  }

  /** Host-physical address of the EPT PML4 table. */
  get rootAddress(): number {
    return this.#tree.rootAddress;
  }

  /** Number of table pages in use, the root included. */
  get tablePageCount(): number {
    return this.#tree.pages.length;
  }

  /**
   * Translates guest-physical `gpa`. `needed` is the access as `RIGHT_*` bits, all of which must be granted (3 for
   * read-modify-write). `origin` is the base of the qualification, `EPT_ORIGIN_*`. `debug` sets no flags.
   */
  walk(gpa: number, needed: number, origin: number, debug: boolean): EptResult {
    const r = this.result;
    const host = this.#host;
    const gpaLow = gpa >>> 0;
    const gpaHigh = (gpa - gpaLow) / TWO_POW_32;
    let table = this.#tree.rootAddress;
    let rights = RIGHTS_ALL;
    for (let level = 4; ; level--) {
      let index: number;
      if (level === 4) index = gpaHigh >>> 7;
      else if (level === 3) index = ((gpaHigh & 0x7f) << 2) | (gpaLow >>> 30);
      else index = gpaLow >>> (level === 2 ? 21 : 12);
      const address = table + (index & 0x1ff) * 8;
      const low = host.read32(address);
      const entryRights = low & RIGHTS_ALL;
      rights &= entryRights;
      if (entryRights === 0) return this.#violation(needed, origin, 0);
      const high = host.read32(address + 4);
      const leaf = level === 1 || (low & EPT_PS) !== 0;
      if (this.#misconfigured(low, high, level, leaf)) return this.#misconfig(low, high, level);
      this.#entryAddress[level - 1] = address;
      const base = (high & 0xf_ffff) * TWO_POW_32 + ((low & 0xffff_f000) >>> 0);
      if (!leaf) {
        table = base;
        continue;
      }
      if ((rights & needed) !== needed) return this.#violation(needed, origin, rights);
      let dirtyOk = true;
      if (this.options.accessedDirty) dirtyOk = this.#accessed(level, needed, debug);
      const size = level === 1 ? PAGE_SIZE : level === 2 ? 0x20_0000 : 0x4000_0000;
      r.outcome = EPT_OK;
      r.hostPage = base + (gpaLow & (size - 1) & 0xffff_f000);
      r.pageSizeBytes = size;
      r.rights = rights;
      r.dirtyOk = dirtyOk;
      return r;
    }
  }

  /** Maps the 4 KiB page at `gpa` onto `hostPage` with `RIGHT_*` rights, replacing what was there. */
  map(gpa: number, hostPage: number, rights: number): void {
    // KVM makes its entries accessed and dirty from the start: it keeps no log that would need the clean state.
    const flags = this.options.accessedDirty ? EPT_A | EPT_D : 0;
    this.#tree.writeEntry(this.#tree.leafAddress(gpa, true), hostPage, EPT_MEMTYPE_WB | flags | rights);
  }

  /**
   * Marks the 4 KiB page at `gpa` as MMIO: rights 110b, so that the next access is an EPT misconfiguration. The
   * generation (20 bits) lies in bits 31:12 of the entry; the layout of the rest of the mark is ours, not KVM's.
   */
  markMmio(gpa: number, generation: number): void {
    const mark = (generation % 0x10_0000) * PAGE_SIZE;
    this.#tree.writeEntry(this.#tree.leafAddress(gpa, true), mark, EPT_RIGHTS_MMIO);
  }

  /** Removes the mappings and MMIO marks of all pages that touch `gpa`..`gpa + sizeBytes - 1`. Tables stay. */
  zapRange(gpa: number, sizeBytes: number): void {
    const end = gpa + sizeBytes;
    for (let page = gpa - (gpa % PAGE_SIZE); page < end; page += PAGE_SIZE) {
      const address = this.#tree.leafAddress(page, false);
      if (address >= 0) {
        this.#tree.clearEntry(address);
      } else {
        // No table covers this 2 MiB region: go to its last page.
        page += 0x20_0000 - PAGE_SIZE - (page % 0x20_0000);
      }
    }
  }

  /** Removes everything and gives all table pages but the root back. */
  zapAll(): void {
    this.#tree.clear();
  }

  /** Copies the state out. The host memory must be in the same snapshot. */
  save(): EptTablesState {
    return { version: 1, pages: [...this.#tree.pages] };
  }

  /** Puts a saved state back, after the host memory and its allocator were restored. */
  restore(state: EptTablesState): void {
    this.#tree.restore(state.pages);
  }

  #misconfigured(low: number, high: number, level: number, leaf: boolean): boolean {
    const rights = low & RIGHTS_ALL;
    if ((rights & RIGHT_READ) === 0 && ((rights & RIGHT_WRITE) !== 0 || !this.options.executeOnly))
      return true;
    if ((high & this.#reservedHigh) !== 0) return true;
    if (!leaf) return (low & 0x78) !== 0;
    if (level === 4) return true;
    if (level === 3 && (low & 0x3fff_f000) !== 0) return true;
    if (level === 2 && (low & 0x001f_f000) !== 0) return true;
    const memoryType = (low >>> 3) & 7;
    return memoryType === 2 || memoryType === 3 || memoryType === 7;
  }

  /** Sets the flags of the entries used and says whether the leaf is dirty afterwards. */
  #accessed(leafLevel: number, needed: number, debug: boolean): boolean {
    const host = this.#host;
    let leaf = 0;
    for (let level = 4; level >= leafLevel; level--) {
      const address = this.#entryAddress[level - 1] as number;
      const old = host.read32(address);
      leaf = old;
      if (debug) continue;
      leaf |= level === leafLevel && (needed & RIGHT_WRITE) !== 0 ? EPT_A | EPT_D : EPT_A;
      if (leaf !== old) host.write32(address, leaf >>> 0);
    }
    return (leaf & EPT_D) !== 0;
  }

  #violation(needed: number, origin: number, rights: number): EptResult {
    this.result.outcome = EPT_VIOLATION;
    this.result.qualification = origin | needed | (rights << EPT_QUAL_RIGHTS_SHIFT);
    return this.result;
  }

  #misconfig(low: number, high: number, level: number): EptResult {
    const r = this.result;
    r.outcome = EPT_MISCONFIG;
    r.mmio = level === 1 && (low & 0xfff) === EPT_RIGHTS_MMIO && high === 0;
    r.mmioGeneration = r.mmio ? low >>> 12 : 0;
    return r;
  }
}
