/** Decides whether the operands of a line fit a row of the instruction table. */
import { isPlain, type Value } from './expression.ts';
import type { InstructionRow } from './instructions/row.ts';
import type { MemoryOperand, Operand } from './operands.ts';
import { REGISTERS, type Register } from './registers.ts';

/** How a row fits: where each operand goes. */
export interface Match {
  /** Effective operand size in bits, 0 when the instruction has none. */
  readonly operandSize: number;
  /** Register for ModRM.reg. */
  readonly reg: Register | undefined;
  /** Register or memory for ModRM.rm. */
  readonly rm: Register | MemoryOperand | undefined;
  /** Register for the low opcode bits. */
  readonly opcodeRegister: Register | undefined;
  /** Immediates in order, with widths in bits; `signed` ones must fit a sign-extended field. */
  readonly immediates: readonly { readonly value: Value; readonly size: number; readonly signed: boolean }[];
  /** Relative branch target and the width of its field. */
  readonly target: { readonly value: Value; readonly size: number; readonly forced: boolean } | undefined;
  /** Offset without ModRM. */
  readonly direct: MemoryOperand | undefined;
}

const FIXED: Readonly<Record<string, number>> = { b: 8, w: 16, d: 32, q: 64, dq: 128 };

interface Draft {
  size: number;
  reg: Register | undefined;
  rm: Register | MemoryOperand | undefined;
  opcodeRegister: Register | undefined;
  immediates: Match['immediates'][number][];
  target: Match['target'];
  direct: MemoryOperand | undefined;
  untied: boolean;
}

function fitsSignedByte(value: Value, size: number): boolean {
  if (value.unknown) return true;
  if (!isPlain(value)) return false;
  const { number } = value;
  if (number >= -128n && number <= 127n) return true;
  if (size === 64 || number < 0n || number >= 1n << BigInt(size)) return false;
  const wrapped = BigInt.asIntN(size, number);
  return wrapped >= -128n && wrapped <= 127n;
}

function setSize(draft: Draft, size: number, bits: number): boolean {
  if (size !== 16 && size !== 32 && !(size === 64 && bits === 64)) return false;
  if (draft.size !== 0 && draft.size !== size) return false;
  draft.size = size;
  return true;
}

function registerFits(register: Register, place: string, size: string, draft: Draft, bits: number): boolean {
  const kinds: Readonly<Record<string, string>> = {
    S: 'segment',
    C: 'control',
    D: 'debug',
    V: 'xmm',
    W: 'xmm',
    U: 'xmm',
  };
  if (register.class !== (kinds[place] ?? 'general')) return false;
  if (register.code >= 8 && bits !== 64) return false;
  if (register.class !== 'general') return true;
  if (size === 'v') return setSize(draft, register.size, bits);
  if (size === 'm') return register.size === (bits === 64 ? 64 : 32);
  if (register.size === 64 && bits !== 64) return false;
  return register.size === FIXED[size];
}

function memoryFits(
  memory: MemoryOperand,
  place: string,
  size: string,
  row: InstructionRow,
  draft: Draft,
  bits: number,
): boolean {
  if (size === '' || size === 'p') return true;
  const wanted = size === 'v' ? draft.size : FIXED[size];
  if (memory.size !== 0) return size === 'v' ? setSize(draft, memory.size, bits) : memory.size === wanted;
  if (row.flags.has('modesize')) return setSize(draft, bits, bits);
  const tied = row.operands.some(
    (code) =>
      (/^[GVB]/.test(code) && code.slice(1) === size) ||
      ((code === 'al' || code === 'rAX') && (code === 'al' ? 'b' : 'v') === size),
  );
  if (!tied && place !== 'M' && place !== 'W' && !row.flags.has('any')) {
    draft.untied = true;
    return false;
  }
  return true;
}

function place(operand: Operand, code: string, row: InstructionRow, draft: Draft, bits: number): boolean {
  if (code === 'rAX') {
    return (
      operand.kind === 'register' &&
      operand.register.class === 'general' &&
      operand.register.code === 0 &&
      operand.register.size !== 8 &&
      setSize(draft, operand.register.size, bits)
    );
  }
  if (code === '1') {
    return (
      operand.kind === 'immediate' &&
      isPlain(operand.value) &&
      operand.value.number === 1n &&
      operand.size === 0
    );
  }
  const literal = REGISTERS.get(code);
  if (literal !== undefined) return operand.kind === 'register' && operand.register === literal;
  const where = code.replace(/[a-z]+$/, '').replace(/^[su]/, '');
  const size = /[a-z]*$/.exec(code)?.[0] ?? '';
  switch (operand.kind) {
    case 'register': {
      if (!'ERGBZSCDVWU'.includes(where) || !registerFits(operand.register, where, size, draft, bits))
        return false;
      if (where === 'Z') draft.opcodeRegister = operand.register;
      else if ('ERWU'.includes(where)) draft.rm = operand.register;
      else draft.reg = operand.register;
      if (where === 'B') draft.rm = operand.register;
      return true;
    }
    case 'memory': {
      if (where === 'O') {
        if (operand.address.terms.length > 0 || (bits === 64 && operand.displacementSize !== 64))
          return false;
        if (operand.relative === 'rel') return false;
        if (operand.size !== 0 && !(size === 'b' ? operand.size === 8 : setSize(draft, operand.size, bits)))
          return false;
        draft.direct = operand;
        return true;
      }
      if (!'EMW'.includes(where) || operand.displacementSize === 64) return false;
      if (size === 'p' && row.operands.length === 1) {
        if (operand.distance !== 'far') return false;
        if (!setSize(draft, operand.size === 0 ? bits : operand.size, bits)) return false;
      } else if (operand.distance === 'far') return false;
      if (!memoryFits(operand, where, size, row, draft, bits)) return false;
      draft.rm = operand;
      return true;
    }
    case 'far':
      if (where !== 'A' || !setSize(draft, operand.size === 0 ? bits : operand.size, bits)) return false;
      draft.immediates.push({ value: operand.offset, size: draft.size, signed: false });
      draft.immediates.push({ value: operand.selector, size: 16, signed: false });
      return true;
    case 'immediate':
      if (where === 'J') return placeTarget(operand, size, draft, bits);
      return where === 'I' && placeImmediate(operand, code, row, draft, bits);
  }
}

function placeTarget(
  operand: Operand & { kind: 'immediate' },
  size: string,
  draft: Draft,
  bits: number,
): boolean {
  const { value, distance } = operand;
  if (size === 'b') {
    if (distance === 'near' || operand.size !== 0 || distance === 'far') return false;
    draft.target = { value, size: 8, forced: distance === 'short' };
    return true;
  }
  if (distance === 'short' || distance === 'far') return false;
  if (!setSize(draft, operand.size === 0 ? bits : operand.size, bits)) return false;
  draft.target = { value, size: draft.size === 16 ? 16 : 32, forced: true };
  return true;
}

function placeImmediate(
  operand: Operand & { kind: 'immediate' },
  code: string,
  row: InstructionRow,
  draft: Draft,
  bits: number,
): boolean {
  const { value, strict } = operand;
  if (row.flags.has('immsize')) {
    const size = operand.size === 0 || operand.size === 8 ? bits : operand.size;
    if (!setSize(draft, size, bits)) return false;
  }
  if (row.operandSize !== 0 && draft.size === 0) draft.size = row.operandSize;
  const size = draft.size;
  switch (code) {
    case 'sIb':
      if (strict && operand.size !== 8) return false;
      if (!fitsSignedByte(value, size) && operand.size !== 8) return false;
      draft.immediates.push({ value: wrap(value, size), size: 8, signed: true });
      return true;
    case 'uId':
      if (strict || operand.size === 32 || (!value.unknown && !isPlain(value))) return false;
      if (!value.unknown && (value.number < 0n || value.number > 0xffff_ffffn)) return false;
      draft.immediates.push({ value, size: 32, signed: false });
      return true;
    case 'sId':
      if (strict && operand.size !== 32) return false;
      if (operand.size !== 32 && (!isPlain(value) || BigInt.asIntN(32, value.number) !== value.number))
        return false;
      draft.immediates.push({ value, size: 32, signed: true });
      return true;
    case 'Iz':
      if (operand.size === 8) return false;
      draft.immediates.push({ value, size: size === 16 ? 16 : 32, signed: size === 64 });
      return true;
    default: {
      const width = FIXED[code.slice(1)] ?? size;
      if (operand.size !== 0 && operand.size !== width) return false;
      draft.immediates.push({ value, size: width, signed: false });
      return true;
    }
  }
}

function wrap(value: Value, size: number): Value {
  if (!isPlain(value) || size === 0 || size === 64) return value;
  return value.number >= 0n && value.number < 1n << BigInt(size)
    ? { ...value, number: BigInt.asIntN(size, value.number) }
    : value;
}

/** An `add [x], byte 5` style line: the immediate's size keyword also sizes the memory operand. */
function sizeFromImmediate(operands: readonly Operand[]): readonly Operand[] {
  const [first, second] = operands;
  if (operands.length !== 2 || first?.kind !== 'memory' || first.size !== 0) return operands;
  if (second?.kind !== 'immediate' || second.size === 0) return operands;
  return [{ ...first, size: second.size }, second];
}

/**
 * Tries `row` on `written` in code of `bits`. Returns the placement, or why not: `size` when only a size keyword is
 * missing, `other` for everything else.
 */
export function matchRow(
  row: InstructionRow,
  written: readonly Operand[],
  bits: number,
): Match | 'size' | 'other' {
  if (row.operands.length !== written.length) return 'other';
  if (bits === 64 ? row.flags.has('!64') : row.flags.has('64') || row.operandSize === 64) return 'other';
  const operands = sizeFromImmediate(written);
  const draft: Draft = {
    size: 0,
    reg: undefined,
    rm: undefined,
    opcodeRegister: undefined,
    immediates: [],
    target: undefined,
    direct: undefined,
    untied: false,
  };
  for (const [index, operand] of operands.entries()) {
    if (!place(operand, row.operands[index] ?? '', row, draft, bits)) return draft.untied ? 'size' : 'other';
  }
  if (row.flags.has('d64') && bits === 64 && draft.size === 32) return 'other';
  if (row.flags.has('modesize') && bits === 64 && draft.size === 16) return 'other';
  return {
    operandSize: row.operandSize === 0 ? draft.size : row.operandSize,
    reg: draft.reg,
    rm: draft.rm,
    opcodeRegister: draft.opcodeRegister,
    immediates: draft.immediates,
    target: draft.target,
    direct: draft.direct,
  };
}
