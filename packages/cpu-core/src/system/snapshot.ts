/** Snapshots of one processor: the state page without the engine's book-keeping, flags evaluated so that equal states are equal bytes. */
import { SmmError } from '@smm/x86-defs';
import * as L from '../layout.ts';
import type { CpuState } from '../state.ts';

/** A processor at rest between two calls of `run`. Plain data: it may be hashed, compared, posted or stored. */
export interface ProcessorSnapshot {
  /** Layout version of this object. */
  version: 1;
  /** The state page up to ST_SCRATCH, engine fields zero, flags in ST_EFLAGS. Little-endian. */
  page: Uint8Array;
}

/** Fields that mean nothing outside a run: name, offset, size in bytes. */
const BOOK_KEEPING: readonly (readonly [offset: number, bytes: number])[] = [
  [L.ST_ZERO, 8],
  [L.ST_CC_RES, 8],
  [L.ST_CC_SRC, 8],
  [L.ST_CC_OP, 4],
  [L.ST_MODE, 4],
  [L.ST_BUDGET, 4],
  [L.ST_EXIT, 4],
  [L.ST_EXIT_REQUEST, 4],
  [L.ST_TLB, 4],
  [L.ST_BLOCK, 4],
  [L.ST_RECORD, 4],
];

/** Copies a processor's state out. */
export function saveProcessor(s: CpuState): ProcessorSnapshot {
  const page = s.views.u8.slice(s.base, s.base + L.ST_SCRATCH);
  new DataView(page.buffer).setUint32(L.ST_EFLAGS, s.rflags, true);
  for (const [offset, bytes] of BOOK_KEEPING) page.fill(0, offset, offset + bytes);
  return { version: 1, page };
}

/** Copies a snapshot in. The caller recomputes the mode word and flushes translations. Throws `SmmError` `SNAPSHOT_VERSION`. */
export function restoreProcessor(s: CpuState, snapshot: ProcessorSnapshot): void {
  const { version, page } = snapshot;
  if (version !== 1 || page.length !== L.ST_SCRATCH) {
    throw new SmmError(
      'SNAPSHOT_VERSION',
      `a processor snapshot of version ${version} with ${page.length} bytes does not fit, this code reads version 1 with ${L.ST_SCRATCH}`,
      'Restore with the release that saved it.',
      { version, bytes: page.length },
    );
  }
  const tlb = s.get32(L.ST_TLB);
  s.views.u8.set(page, s.base);
  s.set32(L.ST_TLB, tlb);
}
