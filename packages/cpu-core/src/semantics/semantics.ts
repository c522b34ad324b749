/** The descriptions of operations, by the names in their rows. An operation without one is a helper's. */
import type { Insn } from '../insn.ts';
import { OPERATIONS, type OpId } from '../ops.ts';
import * as arith from './arith.ts';
import * as bit from './bit.ts';
import type { Builder } from './builder.ts';
import * as control from './control.ts';
import * as float from './float.ts';
import * as logic from './logic.ts';
import * as move from './move.ts';
import * as shift from './shift.ts';
import * as stack from './stack.ts';
import * as vector from './vector.ts';

/** Describes one instruction to a back end. */
export type Semantics = <V, C>(b: Builder<V, C>, insn: Insn) => void;

const MODULES = { arith, bit, control, float, logic, move, shift, stack, vector };
type Modules = typeof MODULES;

/** How a row names a description: file and function. */
export type SemanticsName = {
  [M in keyof Modules]: `${M}.${keyof Modules[M] & string}`;
}[keyof Modules];

function described(name: string): Semantics {
  const [module, member] = name.split('.') as [keyof Modules, string];
  return (MODULES[module] as Readonly<Record<string, Semantics>>)[member]!;
}

/** Names of all descriptions. */
export const DESCRIPTIONS: readonly string[] = Object.entries(MODULES).flatMap(([module, members]) =>
  Object.keys(members).map((member) => `${module}.${member}`),
);

/** Descriptions by operation number. */
export const SEMANTICS: ReadonlyMap<OpId, Semantics> = new Map(
  OPERATIONS.flatMap(({ does }, op): [OpId, Semantics][] => (does ? [[op, described(does)]] : [])),
);
