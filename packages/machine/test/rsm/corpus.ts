/** Save states that once gave an internal error, made small. */
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
];
