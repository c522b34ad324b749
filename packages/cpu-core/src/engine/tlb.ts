/**
 * Software TLBs: direct-mapped, two per processor (supervisor, user). An entry is 32 bytes: read, write and execute tag
 * (the linear page address, 64 bit), the addend from linear address to host offset (32 bit, wrapping), and whether the
 * page is guarded. A tag of -1 never matches.
 */

/** Entries of one TLB: 16 MiB of pages. */
export const TLB_ENTRIES = 4096;
/** Bytes of an entry. */
export const TLB_ENTRY_SIZE = 32;
/** Bytes of one TLB. */
export const TLB_SIZE: number = TLB_ENTRIES * TLB_ENTRY_SIZE;
/** Offset of the read tag in an entry; the write tag follows, then the execute tag. By `ACCESS_*` times 8. */
export const TLB_READ_TAG = 0;
/** Offset of the write tag in an entry. */
export const TLB_WRITE_TAG = 8;
/** Offset of the execute tag in an entry. */
export const TLB_EXEC_TAG = 16;
/** Offset of the addend in an entry. */
export const TLB_ADDEND = 24;
/**
 * Offset of a word in an entry: 1 if the page of its read tag may be written, but has no write tag because it holds
 * decoded code.
 */
export const TLB_GUARDED = 28;

/**
 * Set in a read or write tag whose page somebody hooked: generated code never finds it, `GuestMemory` does. Everything
 * else about the entry is as without.
 */
export const TLB_WATCHED = 1;

/** Low 32 bits of a linear address as a signed number. */
export function low32(linear: number): number {
  return linear | 0;
}

/** High 32 bits of a linear address (sign included) as a signed number. */
export function high32(linear: number): number {
  return Math.floor(linear / 0x1_0000_0000) | 0;
}

/** Host offset of the entry of a linear address. */
export function tlbEntry(tlb: number, linear: number): number {
  return tlb + ((linear >>> 12) & (TLB_ENTRIES - 1)) * TLB_ENTRY_SIZE;
}
