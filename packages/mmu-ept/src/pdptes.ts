/** The PDPTE registers of PAE paging. Intel SDM Vol. 3, "PDPTE Registers". */
import { pdpteReservedHigh } from './guest-walker.ts';
import { PTE_P } from './paging-bits.ts';
import type { TableMemory } from './table-memory.ts';

/** Reserved bits 2:1 and 8:5 in the low half of a present PDPTE. */
const PDPTE_RESERVED_LOW = 0x1e6;

/**
 * What {@link loadPdptes} found: all good, a reserved bit (#GP(0) in the guest), or an entry that cannot be reached.
 */
export type PdpteLoad = 'loaded' | 'reserved' | 'table-access';

/**
 * Reads the four PDPTEs at `cr3` (bits 31:5) into `pdptes` (8 words: low, high, ...), as MOV to CR3 does in PAE
 * paging. `pdptes` changes only if all four are good; the other answers leave it as it was. `maxPhyAddr` is in bits.
 */
export function loadPdptes(
  memory: TableMemory,
  cr3: number,
  maxPhyAddr: number,
  pdptes: Uint32Array,
): PdpteLoad {
  const base = (cr3 & 0xffff_ffe0) >>> 0;
  const loaded = new Uint32Array(8);
  for (let i = 0; i < 4; i++) {
    const at = memory.locate(base + i * 8, false);
    if (at < 0) return 'table-access';
    const low = memory.read32(at);
    const high = memory.read32(at + 4);
    if ((low & PTE_P) !== 0 && ((low & PDPTE_RESERVED_LOW) | (high & pdpteReservedHigh(maxPhyAddr))) !== 0) {
      return 'reserved';
    }
    loaded[i * 2] = low;
    loaded[i * 2 + 1] = high;
  }
  pdptes.set(loaded);
  return 'loaded';
}
