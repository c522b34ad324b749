/** What a walk of guest page tables found. */

/** Walk outcome: the access is allowed. */
export const WALK_OK = 0;
/** Walk outcome: a page fault with `errorCode` must be delivered to the guest. */
export const WALK_PAGE_FAULT = 1;
/** Walk outcome: the memory port refused the entry at `tableGpa`; nothing was decided about the access. */
export const WALK_TABLE_ACCESS = 2;
/** {@link WALK_OK}, {@link WALK_PAGE_FAULT} or {@link WALK_TABLE_ACCESS}. */
export type WalkOutcome = 0 | 1 | 2;

/** The answer of one walk. A walker owns one and overwrites it: copy what must outlive the next walk. */
export class WalkResult {
  /** How the walk ended; the other members are valid only where they say so. */
  outcome: WalkOutcome = WALK_OK;
  /** `WALK_OK`: guest-physical address of the 4 KiB page that holds the linear address. */
  gpa = 0;
  /** `WALK_OK`: bytes of the page that the tables map (4 KiB, 2 MiB, 4 MiB, 1 GiB); 4096 with paging off. */
  pageSizeBytes = 0x1000;
  /**
   * `WALK_OK`: rights of this privilege class (user or supervisor, as walked) by paging, whatever the dirty flag says.
   */
  rights = 0;
  /**
   * `WALK_OK`: rights that a TLB may grant to this privilege class without another walk: {@link WalkResult.rights}
   * less the write right of a clean page; none after a debug walk, since that set no accessed flag.
   */
  tlbRights = 0;
  /** `WALK_OK`: the leaf's dirty flag is set (or there is none), so a write needs no further walk. */
  dirtyOk = false;
  /**
   * `WALK_OK`: what the entries say, whoever asks: `RIGHT_READ`, `RIGHT_WRITE` if R/W is set at every level,
   * `RIGHT_EXEC` if no level has execute-disable. Together with `userPage`, what a shadow page table is made from.
   */
  entryRights = 0;
  /** `WALK_OK`: guest-physical address of the leaf entry; -1 with paging off. */
  leafGpa = 0;
  /** `WALK_OK`: the page is a user-mode address (U/S set at every level). */
  userPage = false;
  /** `WALK_OK`: the leaf is global and CR4.PGE is set. */
  global = false;
  /** `WALK_OK`: `rights` would differ with another RFLAGS.AC (SMAP), so a TLB must not keep them over a change. */
  dependsOnAc = false;
  /** `WALK_PAGE_FAULT`: the error code, `PFERR_*` of @smm/x86-defs. */
  errorCode = 0;
  /** `WALK_TABLE_ACCESS`: guest-physical address of the entry that could not be reached. */
  tableGpa = 0;
  /** `WALK_TABLE_ACCESS`: the access was the update of an accessed or dirty flag. */
  tableWrite = false;
}
