/** Save states that once gave an internal error or no end, made small, and what lies beside them. */
import type { RsmEdit } from './bench.ts';

/** One of them. */
export interface RsmFinding {
  readonly why: string;
  /** Mode that the SMI interrupted: the start of the names of its benches. */
  readonly mode: string;
  readonly edits: readonly RsmEdit[];
}

/** All, oldest first. */
export const RSM_CORPUS: readonly RsmFinding[] = [
  { why: 'CS base with bit 63 set', mode: '4-level', edits: [[0x1c, 4, 0x8000_0000n]] },
  { why: 'CS base with bit 63 set, in real mode', mode: 'real', edits: [[0x1c, 4, 0x8000_0000n]] },
  { why: 'CS limit 0 in real mode: an exception at every instruction', mode: 'real', edits: [[0x14, 4, 0n]] },
  { why: 'FS base that is not canonical', mode: '4-level', edits: [[0x4c, 4, 0x8000_0000n]] },
  { why: 'RFLAGS.VM in long mode', mode: '4-level', edits: [[0x172, 1, 0x02n]] },
  { why: 'EFER.SVME', mode: '4-level', edits: [[0xd1, 1, 0x15n]] },
  { why: 'a PDPTE with a reserved bit', mode: 'pae', edits: [[0x150, 8, 0xa000n]] },
];
