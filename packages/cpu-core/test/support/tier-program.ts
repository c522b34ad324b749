/**
 * Programs of the tier comparison as data: trees of items that can be taken apart one by one, and their rendering as
 * NASM text.
 */
import { assemble } from '@smm/asm';
import type { Bits } from './flat-machine.ts';
import * as M from './tier-map.ts';

/**
 * A piece of code. In its lines `%` stands for a label prefix of its own, `@name` for a label that another item gives,
 * and `#` for the count. An item that needs a label which is no longer in the program renders as nothing.
 */
export interface Item {
  /** Lines before the body. */
  readonly open: readonly string[];
  readonly body?: readonly Item[];
  /** Lines after the body. */
  readonly close?: readonly string[];
  /** Iterations of a loop. */
  readonly count?: number;
  /** Label that it gives: lies on its first line. */
  readonly gives?: string;
  /** Labels that it refers to. */
  readonly needs?: readonly string[];
}

/** A subroutine: an item list under a label, `ret` added. */
export interface Subroutine {
  readonly label: string;
  readonly body: readonly Item[];
}

/** What happens between two slices, before the one it stands at. */
export type Action =
  | { readonly kind: 'irq' | 'smi' | 'nmi' | 'flush' | 'swap' | 'demand' }
  | { readonly kind: 'rights'; readonly rights: M.CodeRights }
  /** Usable, #NM by CR0.TS, or #UD by CR4.OSFXSR. */
  | { readonly kind: 'sse'; readonly state: 'on' | 'switched' | 'off' }
  /** The host writes one of the values that suit a label that can be patched; `index` is taken modulo their number. */
  | { readonly kind: 'poke'; readonly index: number; readonly value: number };

/** A slice of one processor. */
export interface Step {
  readonly cpu: number;
  readonly budget: number;
  readonly action?: Action;
}

/** Everything that a run depends on but the tier. */
export interface TierCase {
  /** Seed of registers and data. */
  readonly seed: number;
  readonly bits: Bits;
  /** Runs at CPL 3. */
  readonly user: boolean;
  /** ES, SS and DS end at 64 KiB. */
  readonly narrow: boolean;
  /** One per processor; each begins anew when it comes to its end. */
  readonly programs: readonly (readonly Item[])[];
  readonly subroutines: readonly Subroutine[];
  readonly steps: readonly Step[];
}

/** A program in memory. */
export interface Image {
  readonly source: string;
  readonly bytes: Uint8Array;
  /** Where each processor starts. */
  readonly entries: readonly number[];
  /** Addresses of labels that can be patched: the first byte may become any of {@link M.HARMLESS}. */
  readonly pokes: readonly number[];
}

function labelsOf(items: readonly Item[], into: Set<string>): void {
  for (const item of items) {
    if (item.gives !== undefined) into.add(item.gives);
    if (item.body) labelsOf(item.body, into);
  }
}

/** NASM text of a case. */
function render({ programs, subroutines }: TierCase): string {
  const known = new Set(subroutines.map(({ label }) => label));
  for (const items of programs) labelsOf(items, known);
  for (const { body } of subroutines) labelsOf(body, known);
  const lines: string[] = [];
  let serial = 0;
  const put = (items: readonly Item[]): void => {
    for (const item of items) {
      if (item.needs?.some((label) => !known.has(label))) continue;
      const prefix = `L${serial++}_`;
      const line = (text: string): void => {
        lines.push(
          text
            .replaceAll('%', prefix)
            .replaceAll('#', String(item.count ?? 0))
            .replaceAll('@', 'X_'),
        );
      };
      if (item.gives !== undefined) lines.push(`X_${item.gives}:`);
      item.open.forEach(line);
      if (item.body) put(item.body);
      item.close?.forEach(line);
    }
  };
  programs.forEach((items, cpu) => {
    lines.push(`start${cpu}:`);
    put(items);
    lines.push(`jmp start${cpu}`);
  });
  for (const { label, body } of subroutines) {
    lines.push(`X_${label}:`);
    put(body);
    lines.push('ret');
  }
  return lines.join('\n');
}

/** Assembles a case. @throws AsmError, or RangeError if the code does not fit its pages. */
export function build(test: TierCase): Image {
  const source = render(test);
  const { bytes, symbols } = assemble(source, { bits: test.bits, org: M.PROGRAM });
  if (bytes.length > M.PROGRAM_BYTES) throw new RangeError('the program does not fit its pages');
  return {
    source,
    bytes,
    entries: test.programs.map((_, cpu) => Number(symbols.get(`start${cpu}`))),
    pokes: [...symbols].flatMap(([name, at]) => (name.startsWith('X_poke') ? [Number(at)] : [])),
  };
}
