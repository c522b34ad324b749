/** Expressions: 64-bit integers, labels and, inside brackets, registers. */
import { AsmError } from './errors.ts';
import { REGISTERS, type Register } from './registers.ts';
import type { TokenReader } from './tokens.ts';

/** A register inside an effective address. */
export interface RegisterTerm {
  /** The register. */
  readonly register: Register;
  /** How often it is added. */
  readonly scale: number;
  /** Written with a multiplication, so it prefers to be the index. */
  readonly multiplied: boolean;
}

/** Value of an expression. */
export interface Value {
  /** The number, wrapped to 64 bits and seen as signed. */
  readonly number: bigint;
  /** 1 for an address of this program, 0 for a plain number; anything else cannot be used. */
  readonly relocatable: number;
  /** A symbol in it is not known yet (a forward reference in the first pass). */
  readonly unknown: boolean;
  /** Registers, only inside brackets. */
  readonly terms: readonly RegisterTerm[];
}

/** What a name in an expression means. */
export type SymbolLookup = (name: string) => Value;

/** A plain number as a {@link Value}. */
export function constant(number: bigint): Value {
  return { number: BigInt.asIntN(64, number), relocatable: 0, unknown: false, terms: [] };
}

/** True for a number that does not move with the program: NASM optimises only those. */
export function isPlain(value: Value): boolean {
  return value.relocatable === 0 && value.terms.length === 0;
}

function mergeTerms(a: readonly RegisterTerm[], b: readonly RegisterTerm[], sign: number): RegisterTerm[] {
  const merged = [...a];
  for (const term of b) {
    const at = merged.findIndex((other) => other.register === term.register);
    const other = merged[at];
    if (other === undefined) merged.push({ ...term, scale: sign * term.scale });
    else merged[at] = { ...other, scale: other.scale + sign * term.scale };
  }
  return merged.filter((term) => term.scale !== 0);
}

function add(a: Value, b: Value, sign: 1 | -1): Value {
  return {
    number: BigInt.asIntN(64, a.number + BigInt(sign) * b.number),
    relocatable: a.relocatable + sign * b.relocatable,
    unknown: a.unknown || b.unknown,
    terms: mergeTerms(a.terms, b.terms, sign),
  };
}

function scalar(value: Value, operator: string): bigint {
  if (!isPlain(value) && !value.unknown) {
    throw new AsmError(
      'ASM_SYNTAX',
      `'${operator}' works on plain numbers only, not on addresses or registers`,
    );
  }
  return value.number;
}

function multiply(a: Value, b: Value): Value {
  const [registers, factor] = a.terms.length > 0 ? [a, b] : [b, a];
  const by = scalar(factor, '*');
  if (registers.terms.length > 0) {
    return {
      number: BigInt.asIntN(64, registers.number * by),
      relocatable: registers.relocatable * Number(by),
      unknown: a.unknown || b.unknown,
      terms: registers.terms.map((term) => ({ ...term, scale: term.scale * Number(by), multiplied: true })),
    };
  }
  return { ...constant(scalar(registers, '*') * by), unknown: a.unknown || b.unknown };
}

function divide(a: bigint, b: bigint, unknown: boolean): bigint {
  if (b === 0n) {
    if (unknown) return 0n;
    throw new AsmError('ASM_RANGE', 'division by zero');
  }
  return BigInt.asUintN(64, a) / BigInt.asUintN(64, b);
}

type ScalarOperator = (a: bigint, b: bigint, unknown: boolean) => bigint;

const SCALAR: Readonly<Record<string, ScalarOperator>> = {
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '&': (a, b) => a & b,
  '<<': (a, b) => a << (b & 63n),
  '>>': (a, b) => BigInt.asUintN(64, a) >> (b & 63n),
  '/': divide,
  '%': (a, b, unknown) => a - divide(a, b, unknown) * b,
};

/** Weakest first; operators of one row associate to the left. */
const LEVELS: readonly (readonly string[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
];

/** Parentheses and signs within each other; what is deeper is refused before the host's stack ends. */
const MOST_NESTED = 100;

/** Reads one expression from `reader`, `depth` parentheses and signs deep. Throws {@link AsmError}. */
export function parseExpression(reader: TokenReader, lookup: SymbolLookup, level = 0, depth = 0): Value {
  const operators = LEVELS[level];
  if (operators === undefined) return parseUnary(reader, lookup, depth);
  let left = parseExpression(reader, lookup, level + 1, depth);
  for (;;) {
    const token = reader.peek();
    if (token?.kind !== 'punctuation' || !operators.includes(token.text)) return left;
    reader.next();
    const right = parseExpression(reader, lookup, level + 1, depth);
    if (token.text === '+' || token.text === '-') left = add(left, right, token.text === '+' ? 1 : -1);
    else if (token.text === '*') left = multiply(left, right);
    else {
      const unknown = left.unknown || right.unknown;
      const operator = SCALAR[token.text] as ScalarOperator;
      left = { ...constant(operator(scalar(left, token.text), scalar(right, token.text), unknown)), unknown };
    }
  }
}

function parseUnary(reader: TokenReader, lookup: SymbolLookup, depth: number): Value {
  if (depth > MOST_NESTED)
    throw new AsmError('ASM_SYNTAX', `an expression is nested more than ${MOST_NESTED} deep`);
  const inner = depth + 1;
  if (reader.accept('-')) return add(constant(0n), parseUnary(reader, lookup, inner), -1);
  if (reader.accept('+')) return parseUnary(reader, lookup, inner);
  if (reader.accept('~')) {
    const value = parseUnary(reader, lookup, inner);
    return { ...constant(~scalar(value, '~')), unknown: value.unknown };
  }
  if (reader.accept('(')) {
    const value = parseExpression(reader, lookup, 0, inner);
    reader.expect(')');
    return value;
  }
  const token = reader.next();
  if (token.kind === 'number') return constant(token.value);
  if (token.kind === 'string') {
    if (token.bytes.length > 8)
      throw new AsmError('ASM_RANGE', `character constant ${token.text} is longer than 8`);
    return constant(token.bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n));
  }
  if (token.kind === 'punctuation')
    throw new AsmError('ASM_SYNTAX', `a value expected before '${token.text}'`);
  const register = REGISTERS.get(token.text.toLowerCase());
  if (register !== undefined) {
    return { ...constant(0n), terms: [{ register, scale: 1, multiplied: false }] };
  }
  return lookup(token.text);
}
