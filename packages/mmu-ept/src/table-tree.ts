/** A 4-level tree of 512-entry tables in host memory: the shape that EPT and shadow page tables share. */
import { PAGE_SIZE, TWO_POW_32 } from './paging-bits.ts';
import type { HostTablePort } from './table-memory.ts';

/** Byte offset of the entry for `address` (48 bits, signed or not) in a table of `level`, 4 to 1. */
function tableOffset(address: number, level: number): number {
  const low = address >>> 0;
  if (level === 1) return ((low >>> 12) & 0x1ff) * 8;
  if (level === 2) return ((low >>> 21) & 0x1ff) * 8;
  const high = (address - low) / TWO_POW_32;
  if (level === 3) return (((high & 0x7f) << 2) | (low >>> 30)) * 8;
  return ((high >>> 7) & 0x1ff) * 8;
}

/** Tables of one hierarchy: makes and frees them, and finds level-1 entries. */
export class TableTree {
  readonly #host: HostTablePort;
  readonly #presentMask: number;
  readonly #tableBits: number;
  /** Table pages in the order they were made, the root first. */
  #pages: number[];

  /**
   * An empty tree of one table page, or a tree of the `pages` of a snapshot. An entry is present when a bit of
   * `presentMask` is set in its low half; entries that point to tables get `tableBits`.
   */
  constructor(host: HostTablePort, presentMask: number, tableBits: number, pages?: readonly number[]) {
    this.#host = host;
    this.#presentMask = presentMask;
    this.#tableBits = tableBits;
    this.#pages = pages === undefined ? [host.allocateTablePage()] : [...pages];
  }

  get rootAddress(): number {
    return this.#pages[0] as number;
  }

  /** Table pages in the order they were made, the root first. */
  get pages(): readonly number[] {
    return this.#pages;
  }

  /** Host address of the level-1 entry of `address`; makes tables on the way, or answers -1 when they are missing. */
  leafAddress(address: number, create: boolean): number {
    const host = this.#host;
    let table = this.#pages[0] as number;
    for (let level = 4; level > 1; level--) {
      const at = table + tableOffset(address, level);
      const low = host.read32(at);
      if ((low & this.#presentMask) !== 0) {
        table = (host.read32(at + 4) & 0xf_ffff) * TWO_POW_32 + ((low & 0xffff_f000) >>> 0);
        continue;
      }
      if (!create) return -1;
      table = host.allocateTablePage();
      this.#pages.push(table);
      this.writeEntry(at, table, this.#tableBits);
    }
    return table + tableOffset(address, 1);
  }

  /** Writes the 64-bit entry at host address `at`: page address and low bits. */
  writeEntry(at: number, page: number, lowBits: number): void {
    this.#host.write32(at, ((page & 0xffff_f000) | lowBits) >>> 0);
    this.#host.write32(at + 4, Math.floor(page / TWO_POW_32));
  }

  /** Clears the 64-bit entry at host address `at`. */
  clearEntry(at: number): void {
    this.#host.write32(at, 0);
    this.#host.write32(at + 4, 0);
  }

  /** Empties the root and gives all other pages back. */
  clear(): void {
    const root = this.rootAddress;
    this.#freeBelowRoot();
    for (let offset = 0; offset < PAGE_SIZE; offset += 8) this.clearEntry(root + offset);
  }

  /** Gives all pages back, the root too; the tree must not be used any more. */
  free(): void {
    const root = this.rootAddress;
    this.#freeBelowRoot();
    this.#host.freeTablePage(root);
    this.#pages = [];
  }

  /** Takes over the pages of a snapshot. */
  restore(pages: readonly number[]): void {
    this.#pages = [...pages];
  }

  #freeBelowRoot(): void {
    const [root, ...rest] = this.#pages;
    for (const page of rest.reverse()) this.#host.freeTablePage(page);
    this.#pages = [root as number];
  }
}
