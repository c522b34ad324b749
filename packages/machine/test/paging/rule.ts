/** What a paging program is as a row, and what the rows are made of. */
import {
  P,
  PAGING_FORMATS,
  type PagingFormat,
  type PagingProgram,
  PS,
  RW,
  type Steps,
  TABLE,
  US,
} from './world.ts';

/** One row of the table. */
export interface PagingRule extends PagingProgram {
  readonly name: string;
  /** The section of the SDM that decides. */
  readonly source: string;
  readonly expected: string;
  /**
   * Where QEMU 7.2's TCG prints something else: what (nothing: it depends on hashes, and is not compared) and why that
   * is no example.
   */
  readonly qemu?: { readonly prints?: string; readonly why: string };
}

export const INVALIDATE = 'Operations that Invalidate TLBs and Paging-Structure Caches';
export const RECOMMENDED = 'Recommended Invalidation';
export const PLAIN = P | RW | US;
export const LARGE = PLAIN | PS;
export const JUMPS =
  'TCG looks jumps up by linear address and forgets those of two 4 KiB pages only: old code may run';
export const CD_NW = 0x6000_0000;
export const WP = 0x1_0000;
export const NXE = 0x800;
export const NX = 0x8000_0000;

/** Bytes of a page that one directory entry maps. */
export const largeSize = (format: PagingFormat): number => (format === '32-bit' ? 0x40_0000 : 0x20_0000);

/** Maps the window's first large page to a table of small pages, of which the first is `gpa`. */
export const small = (g: Steps, gpa: number, flags = PLAIN): string =>
  `${g.set(g.entry(TABLE.spare, 0), gpa + flags)}\n${g.set(g.large(), TABLE.spare + PLAIN)}`;

export const everyFormat = (rule: (format: PagingFormat) => Omit<PagingRule, 'format'>): PagingRule[] =>
  PAGING_FORMATS.map((format) => {
    return { format, ...rule(format) };
  });
