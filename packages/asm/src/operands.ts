/** Operands as written: registers, immediates, memory and far pointers. */
import { AsmError } from './errors.ts';
import { parseExpression, type SymbolLookup, type Value } from './expression.ts';
import { REGISTERS, type Register } from './registers.ts';
import type { TokenReader } from './tokens.ts';

/** A size keyword or distance in front of an operand. */
interface OperandHints {
  /** Width in bits from byte, word, dword, qword, oword; 0 when none was written. */
  readonly size: number;
  /** `short`, `near`, `far` or none. */
  readonly distance: 'short' | 'near' | 'far' | '';
  /** `strict`: the written size must be encoded. */
  readonly strict: boolean;
}

/** A register operand. */
interface RegisterOperand extends OperandHints {
  readonly kind: 'register';
  readonly register: Register;
}

/** A number or a jump target. */
interface ImmediateOperand extends OperandHints {
  readonly kind: 'immediate';
  readonly value: Value;
}

/** An effective address in brackets. */
export interface MemoryOperand extends OperandHints {
  readonly kind: 'memory';
  readonly address: Value;
  /** Segment override, or undefined. */
  readonly segment: Register | undefined;
  /** Size keyword inside the brackets: width of the displacement in bits, or 0. */
  readonly displacementSize: number;
  /** `rel`, `abs`, or as `default` says. */
  readonly relative: 'rel' | 'abs' | '';
}

/** `selector:offset`. */
interface FarOperand extends OperandHints {
  readonly kind: 'far';
  readonly selector: Value;
  readonly offset: Value;
}

/** Any operand. */
export type Operand = RegisterOperand | ImmediateOperand | MemoryOperand | FarOperand;

const SIZES: Readonly<Record<string, number>> = { byte: 8, word: 16, dword: 32, qword: 64, oword: 128 };

function sizeKeyword(reader: TokenReader): number | undefined {
  const token = reader.peek();
  if (token?.kind !== 'name') return undefined;
  const size = SIZES[token.text.toLowerCase()];
  if (size !== undefined) reader.next();
  return size;
}

function parseHints(reader: TokenReader): OperandHints {
  let size = 0;
  let distance: OperandHints['distance'] = '';
  let strict = false;
  for (;;) {
    const keyword = sizeKeyword(reader);
    if (keyword !== undefined) size = keyword;
    else if (reader.acceptWord('strict')) strict = true;
    else if (reader.acceptWord('short')) distance = 'short';
    else if (reader.acceptWord('near')) distance = 'near';
    else if (reader.acceptWord('far')) distance = 'far';
    else return { size, distance, strict };
  }
}

function parseMemory(reader: TokenReader, lookup: SymbolLookup, hints: OperandHints): MemoryOperand {
  let displacementSize = 0;
  let relative: MemoryOperand['relative'] = '';
  let segment: Register | undefined;
  for (;;) {
    const size = sizeKeyword(reader);
    if (size !== undefined) displacementSize = size;
    else if (reader.acceptWord('rel')) relative = 'rel';
    else if (reader.acceptWord('abs')) relative = 'abs';
    else {
      const token = reader.peek();
      const register = token?.kind === 'name' ? REGISTERS.get(token.text.toLowerCase()) : undefined;
      if (register?.class !== 'segment') break;
      reader.next();
      reader.expect(':');
      segment = register;
    }
  }
  const address = parseExpression(reader, lookup);
  reader.expect(']');
  return { kind: 'memory', ...hints, address, segment, displacementSize, relative };
}

/** Reads one operand. Throws {@link AsmError}. */
export function parseOperand(reader: TokenReader, lookup: SymbolLookup): Operand {
  const hints = parseHints(reader);
  if (reader.accept('[')) return parseMemory(reader, lookup, hints);
  const value = parseExpression(reader, lookup);
  if (value.terms.length > 0) {
    const [term, ...others] = value.terms;
    if (term === undefined || others.length > 0 || term.scale !== 1 || value.number !== 0n) {
      throw new AsmError('ASM_SYNTAX', 'registers can be added and scaled only inside brackets');
    }
    if (hints.size !== 0 && hints.size !== term.register.size) {
      throw new AsmError('ASM_OPERANDS', `${term.register.name} does not have ${hints.size} bits`);
    }
    return { kind: 'register', ...hints, register: term.register };
  }
  if (reader.accept(':')) {
    return { kind: 'far', ...hints, selector: value, offset: parseExpression(reader, lookup) };
  }
  return { kind: 'immediate', ...hints, value };
}
