/**
 * Bits of guest paging-structure entries and the words for accesses and rights.
 * Numbers are 32-bit halves of an entry. Sources: Intel SDM Vol. 3, "Paging".
 */

/** Paging-structure entry, low half: present. */
export const PTE_P = 0x01;
/** Paging-structure entry, low half: writable. */
export const PTE_RW = 0x02;
/** Paging-structure entry, low half: user-mode accesses allowed. */
export const PTE_US = 0x04;
/** Paging-structure entry, low half: accessed. */
export const PTE_A = 0x20;
/** Leaf entry, low half: dirty. */
export const PTE_D = 0x40;
/** Paging-structure entry above level 1, low half: maps a page instead of a table. */
export const PTE_PS = 0x80;
/** Leaf entry, low half: global. */
export const PTE_G = 0x100;
/** Paging-structure entry of the 64-bit formats, **high** half: execute disable (bit 63 of the entry). */
export const PTE_NX_HIGH = 0x8000_0000;

/** Access: data read. */
export const ACCESS_READ = 0;
/** Access: data write. */
export const ACCESS_WRITE = 1;
/** Access: instruction fetch. */
export const ACCESS_EXEC = 2;
/** Access: read-modify-write by one instruction; a write for paging, read and write in an EPT qualification. */
export const ACCESS_RMW = 3;
/**
 * What a processor does with a page: {@link ACCESS_READ}, {@link ACCESS_WRITE}, {@link ACCESS_EXEC},
 * {@link ACCESS_RMW}.
 */
export type Access = 0 | 1 | 2 | 3;

/** Right: data reads. */
export const RIGHT_READ = 1;
/** Right: data writes. */
export const RIGHT_WRITE = 2;
/** Right: instruction fetches. */
export const RIGHT_EXEC = 4;
/** All three rights. */
export const RIGHTS_ALL = 7;

/** Rights that an access needs from guest paging, indexed by {@link Access}. */
export const RIGHTS_FOR_ACCESS: readonly number[] = [RIGHT_READ, RIGHT_WRITE, RIGHT_EXEC, RIGHT_WRITE];

/** 2^32: weight of the high half of an address held in a JavaScript number. */
export const TWO_POW_32 = 0x1_0000_0000;
/** Bytes of a small page. */
export const PAGE_SIZE = 0x1000;
