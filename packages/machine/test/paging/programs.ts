/**
 * What the SDM says that a processor remembers of page tables, and when it must forget, as guest programs. Each prints
 * what it sees; `expected` follows from Intel SDM Vol. 3A, "Caching Translation Information": where that lets a
 * processor choose, no program looks.
 */
import { flagsAndFaults } from './flag-and-fault-rules.ts';
import { invlpg } from './invlpg-rules.ts';
import { pageSizes } from './page-size-rules.ts';
import { pcid } from './pcid-rules.ts';
import { inSmm, pdptes } from './pdpte-and-smm-rules.ts';
import { registers } from './register-rules.ts';
import type { PagingRule } from './rule.ts';

/** All rows. */
export const PAGING_RULES: readonly PagingRule[] = [
  ...invlpg,
  ...pageSizes,
  ...registers,
  ...flagsAndFaults,
  ...pdptes,
  ...inSmm,
  ...pcid,
];
