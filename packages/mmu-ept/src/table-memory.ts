/** The port through which a walker reaches paging-structure entries. */

/** {@link TableMemory.locate}: the access cannot be made; the walk stops with {@link WALK_TABLE_ACCESS}. */
export const TABLE_ACCESS_FAILED = -1;

/**
 * Memory that holds paging structures, as one processor sees it.
 *
 * Finding an entry and reading it are two steps, so that a 64-bit entry costs one translation, and a nested walk
 * (guest tables behind EPT) fits the same port as plain memory.
 */
export interface TableMemory {
  /**
   * Finds the entry at guest-physical address `gpa` (aligned to its size, so it never crosses a page).
   * `write` is set before an accessed or dirty flag is written. Returns a non-negative location that the two other
   * members understand (its byte offsets are contiguous inside the entry), or {@link TABLE_ACCESS_FAILED}.
   */
  locate(gpa: number, write: boolean): number;
  /** Reads 32 bits, little-endian, as an unsigned number. */
  read32(location: number): number;
  /**
   * Writes `desired` if the memory still holds `expected` (both unsigned) and says whether it did. Memory that
   * ignores writes (ROM) returns true, else the walk would repeat for ever.
   */
  compareExchange32(location: number, expected: number, desired: number): boolean;
}

/** Host-physical memory as 32-bit little-endian words; `address` is 4-byte aligned. */
export interface HostMemory {
  /** Reads 32 bits as an unsigned number. */
  read32(address: number): number;
  /** Writes the low 32 bits of `value`. */
  write32(address: number, value: number): void;
}

/** Host memory plus pages for tables, outside the guest's RAM. */
export interface HostTablePort extends HostMemory {
  /** Returns the host-physical address of a **zeroed**, page-aligned 4 KiB page. Throws if there is none left. */
  allocateTablePage(): number;
  /** Takes back a page from {@link HostTablePort.allocateTablePage}. */
  freeTablePage(address: number): void;
}
