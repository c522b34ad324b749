/**
 * Every operation the decoder can name. One name per Intel mnemonic; size, form and addressing are in the `Insn`. Where
 * one mnemonic has meanings that share nothing, the name says which (CALLF, MOV_CR_R, PUSH_SREG ...).
 */
import { CONTROL } from './operations/control.ts';
import { DATA } from './operations/data.ts';
import { FLOAT } from './operations/float.ts';
import { INTEGER } from './operations/integer.ts';
import type { Operation, Trait } from './operations/operation.ts';
import { SSE } from './operations/sse.ts';
import { SYSTEM } from './operations/system.ts';
import { UNMODELLED } from './operations/unmodelled.ts';
import { X87 } from './operations/x87.ts';

const TABLE = { ...CONTROL, ...INTEGER, ...DATA, ...SYSTEM, ...X87, ...SSE, ...FLOAT, ...UNMODELLED };

/** Name of an operation. */
export type OpName = keyof typeof TABLE;
/** Number of an operation: its index in {@link OP_NAMES}. */
export type OpId = number;

/** Operation names by number. */
export const OP_NAMES: readonly OpName[] = Object.keys(TABLE) as OpName[];
/** Rows by number. */
export const OPERATIONS: readonly Operation[] = Object.values(TABLE);
/** Operation numbers by name. */
export const OP: Readonly<Record<OpName, OpId>> = Object.freeze(
  Object.fromEntries(OP_NAMES.map((name, index) => [name, index])),
) as Readonly<Record<OpName, OpId>>;

/** The numbers of the operations whose rows say something. */
export function opsThat(say: (operation: Operation) => unknown): readonly OpId[] {
  return OPERATIONS.flatMap((operation, op) => (say(operation) ? [op] : []));
}

/** The numbers of the operations with a trait. */
export function opsWith(trait: Trait): readonly OpId[] {
  return opsThat(({ traits }) => traits?.includes(trait));
}

/** A byte per operation: the sum of the bits whose list names it. */
export function opTable(...rows: readonly (readonly [bit: number, ops: Iterable<number>])[]): Uint8Array {
  const table = new Uint8Array(OPERATIONS.length);
  for (const [bit, ops] of rows) for (const op of ops) table[op]! |= bit;
  return table;
}

/** Operations that end a decoded block. */
export const ENDS_BLOCK: ReadonlySet<OpId> = new Set(opsThat(({ ends }) => ends));
/** Operations on vector registers. */
export const VECTOR_OPS: ReadonlySet<OpId> = new Set(opsWith('vector'));
