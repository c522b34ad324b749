/** Marks TLB entries of pages that somebody hooked. What the TLB holds, and what needs a walk, stays the same. */
import type { Core } from './core.ts';
import { TLB_ENTRY_SIZE, TLB_READ_TAG, TLB_SIZE, TLB_WATCHED, TLB_WRITE_TAG } from './tlb.ts';

/** Sets or clears {@link TLB_WATCHED} in every tag of a processor, by its linear page. */
export function markWatched({ views, tlb }: Core, isWatched: (page: number) => boolean): void {
  const { i32 } = views;
  const end = tlb + 2 * TLB_SIZE;
  for (let entry = tlb; entry < end; entry += TLB_ENTRY_SIZE) {
    for (const tag of [TLB_READ_TAG, TLB_WRITE_TAG]) {
      const at = (entry + tag) >>> 2;
      const low = i32[at]!;
      if (low & 0xfff & ~TLB_WATCHED) continue; // empty
      const page = i32[at + 1]! * 0x1_0000_0000 + ((low & ~0xfff) >>> 0);
      i32[at] = (low & ~0xfff) | (isWatched(page) ? TLB_WATCHED : 0);
    }
  }
}
