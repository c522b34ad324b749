/**
 * One hierarchy of shadow page tables: what the processor really walks when EPT is off.
 *
 * Entries have the 4-level format of the SDM, whatever mode the guest is in (KVM takes PAE roots for guests outside
 * long mode; no guest can tell). Beside each level-1 table lies a page with the guest-physical address of each
 * entry. Sources: Intel SDM Vol. 3, "4-Level Paging"; Linux Documentation/virt/kvm/x86/mmu.rst.
 */
import {
  PAGE_SIZE,
  PTE_A,
  PTE_D,
  PTE_NX_HIGH,
  PTE_P,
  PTE_RW,
  PTE_US,
  RIGHT_EXEC,
  RIGHT_WRITE,
  TWO_POW_32,
} from './paging-bits.ts';
import type { HostTablePort } from './table-memory.ts';
import { TableTree } from './table-tree.ts';

/** The high half of an MMIO mark: bit 51, reserved since the processor is told that MAXPHYADDR is 51. */
const MMIO_MARK_HIGH = 1 << 19;
/** MAXPHYADDR for walks of shadow tables, so that bit 51 of an entry is a reserved bit. */
export const SHADOW_MAXPHYADDR = 51;

/** Guest page sizes, by the code kept in the low bits beside a guest-physical address. */
const PAGE_SIZES: readonly number[] = [PAGE_SIZE, 0x20_0000, 0x40_0000, 0x4000_0000];

/** Plain state of one hierarchy. */
export interface ShadowTablesState {
  /** Table pages, the root first. */
  readonly pages: readonly number[];
  /** Pairs of a level-1 table page and the page of its guest-physical addresses. */
  readonly gpaPages: readonly (readonly [number, number])[];
  /** Bytes of the largest guest page that any mapping is a part of. */
  readonly largestPageBytes: number;
  /** Level-1 table pages with a mapping that is a part of a larger page. */
  readonly largeTables: readonly number[];
}

/** One hierarchy of shadow tables in host memory. */
export class ShadowTables {
  readonly #host: HostTablePort;
  readonly #tree: TableTree;
  readonly #gpaPages: Map<number, number>;
  #largestPageBytes: number;
  readonly #largeTables: Set<number>;

  /** An empty hierarchy, or with `state` one whose pages a snapshot has put back. */
  constructor(host: HostTablePort, state?: ShadowTablesState) {
    this.#host = host;
    this.#tree = new TableTree(host, PTE_P, PTE_P | PTE_RW | PTE_US | PTE_A, state?.pages);
    this.#gpaPages = new Map(state?.gpaPages);
    this.#largestPageBytes = state?.largestPageBytes ?? PAGE_SIZE;
    this.#largeTables = new Set(state?.largeTables);
  }

  get rootAddress(): number {
    return this.#tree.rootAddress;
  }

  /**
   * Maps the 4 KiB page of `linear` to `hostPage` with `RIGHT_*` rights. `gpa` is what it stands for, as a part of a
   * guest page of `pageSizeBytes`.
   */
  map(
    linear: number,
    gpa: number,
    pageSizeBytes: number,
    hostPage: number,
    rights: number,
    user: boolean,
  ): void {
    const at = this.#tree.leafAddress(linear, true);
    const writable = (rights & RIGHT_WRITE) !== 0 ? PTE_RW | PTE_D : 0;
    this.#tree.writeEntry(at, hostPage, PTE_P | PTE_A | writable | (user ? PTE_US : 0));
    if ((rights & RIGHT_EXEC) === 0) {
      this.#host.write32(at + 4, (this.#host.read32(at + 4) | PTE_NX_HIGH) >>> 0);
    }
    const table = at - (at % PAGE_SIZE);
    let gpaPage = this.#gpaPages.get(table);
    if (gpaPage === undefined) {
      gpaPage = this.#host.allocateTablePage();
      this.#gpaPages.set(table, gpaPage);
    }
    this.#host.write32(gpaPage + (at - table), ((gpa >>> 0) | PAGE_SIZES.indexOf(pageSizeBytes)) >>> 0);
    this.#host.write32(gpaPage + (at - table) + 4, Math.floor(gpa / TWO_POW_32));
    if (pageSizeBytes === PAGE_SIZE) return;
    this.#largeTables.add(table);
    if (pageSizeBytes > this.#largestPageBytes) this.#largestPageBytes = pageSizeBytes;
  }

  /** Marks the page of `linear` as MMIO: present with a reserved bit, so that every access faults with RSVD. */
  markMmio(linear: number): void {
    const at = this.#tree.leafAddress(linear, true);
    this.#host.write32(at, PTE_P);
    this.#host.write32(at + 4, MMIO_MARK_HIGH);
  }

  /**
   * Removes what is there for the guest page of `linear`. Its old size is unknown once the guest has edited its
   * tables, so the range is that of the largest page seen here.
   */
  unmap(linear: number): void {
    const size = this.#largestPageBytes;
    if (size <= 0x20_0000) {
      // Everything that may go lies in one table.
      const at = this.#tree.leafAddress(linear, false);
      if (at < 0) return;
      const table = at - (at % PAGE_SIZE);
      if (!this.#largeTables.delete(table)) {
        this.#tree.clearEntry(at);
        return;
      }
    }
    const low = linear >>> 0;
    const first = linear - (low % size);
    for (let offset = 0; offset < size; offset += PAGE_SIZE) {
      const at = this.#tree.leafAddress(first + offset, false);
      if (at >= 0) this.#tree.clearEntry(at);
      else offset += 0x20_0000 - PAGE_SIZE - (((first + offset) >>> 0) % 0x20_0000);
    }
  }

  /** Guest-physical page behind the level-1 entry at host address `at`, which {@link ShadowTables.map} wrote. */
  gpaOf(at: number): number {
    const beside = this.#beside(at);
    const low = (this.#host.read32(beside) & 0xffff_f000) >>> 0;
    return this.#host.read32(beside + 4) * TWO_POW_32 + low;
  }

  /** Bytes of the guest page that the entry at host address `at` is a part of. */
  pageSizeOf(at: number): number {
    return PAGE_SIZES[this.#host.read32(this.#beside(at)) & 3] as number;
  }

  /** Gives all pages back; the hierarchy must not be used any more. */
  free(): void {
    for (const page of this.#gpaPages.values()) this.#host.freeTablePage(page);
    this.#gpaPages.clear();
    this.#tree.free();
  }

  save(): ShadowTablesState {
    return {
      pages: [...this.#tree.pages],
      gpaPages: [...this.#gpaPages],
      largestPageBytes: this.#largestPageBytes,
      largeTables: [...this.#largeTables],
    };
  }

  #beside(at: number): number {
    const offset = at % PAGE_SIZE;
    return (this.#gpaPages.get(at - offset) as number) + offset;
  }
}
