/**
 * Which instruction forms get a handler of their own in the generated code. Others are executed by TypeScript: right,
 * but slower.
 */
import { Insn, K_IMM, K_MEM, K_NONE, K_REG, K_REL, K_XMM, REG_NONE } from '../../insn.ts';
import { OP, type OpName, opsWith, opTable } from '../../ops.ts';
import type { Addressing } from './convention.ts';
import { type Operand, vectorForms } from './vector-forms.ts';

/**
 * What tells one form of an operation from another: no register numbers, no values. Below {@link SHAPES}: the widths
 * of the instruction and of two operands, three kinds, the condition, three flags.
 */
export function formShape(i: Insn, noFlags: boolean, indexed = i.index !== REG_NONE): number {
  const traits = TRAITS[i.op]!;
  if (traits & T_IDLE) return noFlags ? FORM_NO_FLAGS : 0;
  const { kind0, kind1, kind2 } = i;
  let key = traits & T_SIZELESS ? 0 : log2(i.size);
  key = (key << 3) | (kind0 === K_REG || kind0 === K_MEM ? log2(i.size0) : 0);
  key = (key << 3) | (i.op !== OP.LEA && (kind1 === K_REG || kind1 === K_MEM) ? log2(i.size1) : 0);
  key = (key << 12) | (kind0 << 8) | (kind1 << 4) | kind2;
  key = (key << 4) | (traits & T_CONDITION ? i.cc : 0);
  const memory = kind0 === K_MEM || kind1 === K_MEM || kind2 === K_MEM;
  const imm64 = i.op === OP.MOV && i.size === 8 && kind1 === K_IMM && i.immHigh !== i.imm >> 31;
  return (
    (key << 3) | (memory && indexed ? FORM_INDEXED : 0) | (imm64 ? 2 : 0) | (noFlags ? FORM_NO_FLAGS : 0)
  );
}

/**
 * What tells one handler from another: operation and {@link formShape}. Below 2^44: no bit operation reaches its top.
 */
export function formKey(i: Insn, noFlags: boolean, indexed = i.index !== REG_NONE): number {
  return i.op * SHAPES + formShape(i, noFlags, indexed);
}

/** Bit of a form's shape and key: the handler leaves the flags alone. */
export const FORM_NO_FLAGS = 1;
/** Bit of a form's shape and key: the memory operand has an index register. */
export const FORM_INDEXED = 4;
/** A shape is below this. */
export const SHAPES = 1 << 28;

/** A form key with a bit of its shape set or cleared. */
export function withBit(key: number, bit: number, set: boolean): number {
  return key - (key & bit) + (set ? bit : 0);
}

/** Three bits of a width up to 128 bytes. */
function log2(size: number): number {
  return 31 - Math.clz32(size || 1);
}

const T_IDLE = 1;
const T_SIZELESS = 2;
const T_CONDITION = 4;
const TRAITS = opTable(
  [T_IDLE, opsWith('idle')],
  [T_SIZELESS, opsWith('sizeless')],
  [T_CONDITION, opsWith('condition')],
);

/** One form: an example instruction. */
export interface Form {
  insn: Insn;
  noFlags: boolean;
}

const r = (size: number): Operand => ({ kind: K_REG, size });
const m = (size: number): Operand => ({ kind: K_MEM, size });
const imm: Operand = { kind: K_IMM, size: 0 };
const x: Operand = { kind: K_XMM, size: 16 };

class FormList {
  readonly forms: Form[] = [];
  readonly #indexed: readonly number[];

  /** `indexed`: index registers of the variants of a form with memory; none: there are no such forms. */
  constructor(indexed: readonly number[]) {
    this.#indexed = indexed;
  }

  /** Adds a form; one with a memory operand in both its indexed and its plain variant. */
  add(
    op: OpName,
    size: number,
    operands: readonly Operand[],
    extra: Partial<Insn> = {},
    noFlags = false,
  ): void {
    const memory = operands.some((o) => o.kind === K_MEM) || extra.kind1 === K_MEM;
    for (const index of memory ? this.#indexed : [REG_NONE]) {
      const insn = new Insn();
      insn.op = OP[op];
      insn.size = size;
      insn.operands = operands.length;
      const [a, b, c] = operands;
      insn.kind0 = a?.kind ?? K_NONE;
      insn.kind1 = b?.kind ?? K_NONE;
      insn.kind2 = c?.kind ?? K_NONE;
      insn.size0 = a?.size ?? 0;
      insn.size1 = b?.size ?? 0;
      insn.size2 = c?.size ?? 0;
      insn.index = index;
      Object.assign(insn, extra);
      this.forms.push({ insn, noFlags });
    }
  }
}

/** All forms of an addressing. */
export function formsOf(addressing: Addressing): Form[] {
  const list = new FormList(addressing === 'general' ? [] : [REG_NONE, 0]);
  const general = addressing === 'general';
  const native = addressing === 'flat64' ? 8 : 4;
  const sizes = addressing === 'flat64' ? [1, 4, 8] : general ? [1, 2, 4] : [1, 4];
  const wide = sizes.filter((w) => w > 1);

  const both = (op: OpName, size: number, operands: Operand[]): void => {
    list.add(op, size, operands);
    if (operands.every((o) => o.kind !== K_MEM)) list.add(op, size, operands, {}, true);
  };
  for (const w of sizes) {
    for (const op of ['ADD', 'SUB', 'AND', 'OR', 'XOR'] as const) {
      both(op, w, [r(w), r(w)]);
      both(op, w, [r(w), imm]);
      list.add(op, w, [r(w), m(w)]);
      if (w > 1) {
        list.add(op, w, [m(w), r(w)]);
        list.add(op, w, [m(w), imm]);
      }
    }
    for (const operands of [
      [r(w), r(w)],
      [r(w), imm],
      [m(w), r(w)],
      [m(w), imm],
    ]) {
      list.add('CMP', w, operands);
      list.add('TEST', w, operands);
      list.add('MOV', w, operands);
    }
    list.add('CMP', w, [r(w), m(w)]);
    list.add('MOV', w, [r(w), m(w)]);
    both('NEG', w, [r(w)]);
    list.add('NOT', w, [r(w)]);
  }
  for (const w of wide) {
    list.add('ADC', w, [r(w), r(w)]);
    list.add('ADC', w, [r(w), imm]);
    list.add('SBB', w, [r(w), r(w)]);
    list.add('SBB', w, [r(w), imm]);
    if (w === native && !general) {
      for (const op of ['ADC', 'SBB'] as const) {
        list.add(op, w, [r(w), m(w)]);
        list.add(op, w, [m(w), r(w)]);
      }
    }
    both('INC', w, [r(w)]);
    both('DEC', w, [r(w)]);
    list.add('INC', w, [m(w)]);
    list.add('DEC', w, [m(w)]);
    for (const op of ['SHL', 'SHR', 'SAR'] as const) {
      both(op, w, [r(w), imm]);
      list.add(op, w, [r(w), r(1)]);
    }
    for (const op of ['ROL', 'ROR'] as const) list.add(op, w, [r(w), imm]);
    both('IMUL', w, [r(w), r(w)]);
    both('IMUL', w, [r(w), r(w), imm]);
    if (!general) list.add('IMUL', w, [r(w), m(w)]);
    list.add('MUL', w, [r(w)]);
    list.add('IMUL1', w, [r(w)]);
    if (w === 4) {
      list.add('DIV', w, [r(w)]);
      list.add('IDIV', w, [r(w)]);
    }
    list.add('XCHG', w, [r(w), r(w)]);
    list.add('BSWAP', w, [r(w)]);
    list.add('BSF', w, [r(w), r(w)]);
    list.add('BSR', w, [r(w), r(w)]);
    for (const op of ['BT', 'BTS', 'BTR'] as const) {
      list.add(op, w, [r(w), imm]);
      list.add(op, w, [r(w), r(w)]);
    }
    list.add('CBW', w, []);
    list.add('CWD', w, []);
    for (const from of [1, 2] as const) {
      list.add('MOVZX', w, [r(w), r(from)]);
      list.add('MOVSX', w, [r(w), r(from)]);
      if (general) continue;
      list.add('MOVZX', w, [r(w), m(from)]);
      list.add('MOVSX', w, [r(w), m(from)]);
    }
    for (let cc = 2; cc < 16; cc++) {
      if (cc === 0xa || cc === 0xb) continue;
      list.add('CMOVCC', w, [r(w), r(w)], { cc });
    }
    if (!general) list.add('LEA', w, [r(w), { kind: K_MEM, size: w }]);
  }
  if (addressing === 'flat64') {
    list.add('MOVSX', 8, [r(8), r(4)]);
    list.add('MOVSX', 8, [r(8), m(4)]);
    list.add('MOV', 8, [r(8), imm], { immHigh: 1 });
  }
  for (let cc = 0; cc < 16; cc++) {
    list.add('SETCC', 1, [r(1)], { cc });
    for (const size of general ? [2, 4] : [native]) {
      list.add('JCC', size, [{ kind: K_REL, size }], { cc });
    }
  }
  for (const size of general ? [2, 4] : [native]) list.add('JMP', size, [{ kind: K_REL, size }]);
  if (!general) {
    list.add('PUSH', native, [r(native)]);
    list.add('PUSH', native, [imm]);
    list.add('PUSH', native, [m(native)]);
    list.add('POP', native, [r(native)]);
    list.add('LEAVE', native, []);
    list.add('CALL', native, [{ kind: K_REL, size: native }]);
    list.add('CALL', native, [r(native)]);
    list.add('CALL', native, [m(native)]);
    list.add('JMP', native, [r(native)]);
    list.add('JMP', native, [m(native)]);
    list.add('RET', native, []);
    list.add('RET', native, [imm]);
  }
  if (!general) {
    for (const op of ['MOVAPS', 'MOVUPS', 'MOVDQA', 'MOVDQU'] as const) {
      list.add(op, 16, [x, x]);
      list.add(op, 16, [x, m(16)]);
      list.add(op, 16, [m(16), x]);
    }
    for (const op of ['PXOR', 'XORPS'] as const) list.add(op, 16, [x, x]);
  }
  // The last one is short: V8 puts it ahead of the loop's head, which then lies within one line of the host's cache.
  for (const op of [
    'CLC',
    'STC',
    'CMC',
    'CLD',
    'STD',
    'NOP',
    'PREFETCH',
    'LFENCE',
    'MFENCE',
    'SFENCE',
  ] as const)
    list.add(op, native, []);
  return list.forms;
}

/** A comparison and the conditional jump after it, in one handler. */
export interface Pair {
  first: Form;
  jump: Insn;
}

/** Key of a pair. */
export function pairKey(first: Insn, jump: Insn): number {
  return formKey(first, false) * JUMP_KEYS + jumpKey(jump);
}

/** What tells one conditional jump of a pair from another, below {@link JUMP_KEYS}. */
export function jumpKey(jump: Insn): number {
  return log2(jump.size) * 16 + jump.cc;
}

/** Number of jump keys. */
export const JUMP_KEYS = 64;

/** Conditions that are asked of a comparison, and of a TEST, whose CF and OF are 0. */
const RELATIONS: readonly number[] = [2, 3, 4, 5, 6, 7, 12, 13, 14, 15];
const SIGNS: readonly number[] = [4, 5, 8, 9, 12, 13, 14, 15];
const ZERO_AND_SIGN: readonly number[] = [4, 5, 8, 9];

/** Pairs that get a handler. */
export function pairsOf(addressing: Addressing): Pair[] {
  const pairs: Pair[] = [];
  const sizes = addressing === 'flat64' ? [1, 4, 8] : addressing === 'flat32' ? [1, 4] : [];
  const native = addressing === 'flat64' ? 8 : 4;
  const add = (op: OpName, w: number, operands: readonly Operand[], conditions: readonly number[]): void => {
    const list = new FormList([REG_NONE, 0]);
    list.add(op, w, operands);
    const jumps = new FormList([]);
    for (const cc of conditions) jumps.add('JCC', native, [{ kind: K_REL, size: native }], { cc });
    for (const first of list.forms) for (const { insn } of jumps.forms) pairs.push({ first, jump: insn });
  };
  for (const w of sizes) {
    add('TEST', w, [r(w), r(w)], w === 1 ? ZERO_AND_SIGN : SIGNS);
    add('CMP', w, [r(w), imm], RELATIONS);
    add('TEST', w, [r(w), imm], [4, 5]);
    if (w === 1) {
      add('CMP', w, [m(w), imm], [4, 5]);
      continue;
    }
    add('CMP', w, [r(w), r(w)], RELATIONS);
    for (const op of ['DEC', 'INC'] as const) add(op, w, [r(w)], ZERO_AND_SIGN);
    for (const op of ['SUB', 'ADD', 'AND'] as const) add(op, w, [r(w), imm], [4, 5]);
  }
  return pairs;
}

/** Forms that get a function: those without a handler in the loop that a description can be compiled for. */
export function coldFormsOf(addressing: Addressing): Form[] {
  const list = new FormList([0]);
  const general = addressing === 'general';
  const native = addressing === 'flat64' ? 8 : 4;
  const sizes = addressing === 'flat64' ? [1, 2, 4, 8] : [1, 2, 4];
  const memory = (w: number): Operand[] => [r(w), m(w)];
  for (const w of sizes) {
    for (const x of memory(w)) {
      for (const op of ['ADD', 'OR', 'ADC', 'SBB', 'AND', 'SUB', 'XOR', 'CMP', 'TEST', 'MOV'] as const) {
        list.add(op, w, [x, r(w)]);
        list.add(op, w, [x, imm]);
        if (x.kind === K_MEM) list.add(op, w, [r(w), x]);
      }
      for (const op of ['INC', 'DEC', 'NEG', 'NOT', 'MUL', 'IMUL1', 'DIV', 'IDIV'] as const)
        list.add(op, w, [x]);
      for (const op of ['SHL', 'SHR', 'SAR', 'ROL', 'ROR', 'RCL', 'RCR'] as const) {
        list.add(op, w, [x, imm]);
        list.add(op, w, [x, r(1)]);
      }
      for (const op of ['XADD', 'CMPXCHG', 'XCHG'] as const) list.add(op, w, [x, r(w)]);
      list.add('XCHG', w, [r(w), x]);
      if (w === 1) {
        for (let cc = 0; cc < 16; cc++) list.add('SETCC', 1, [x], { cc });
        continue;
      }
      for (const op of ['BT', 'BTS', 'BTR', 'BTC'] as const) {
        list.add(op, w, [x, imm]);
        if (x.kind === K_REG) list.add(op, w, [x, r(w)]);
      }
      for (const op of ['BSF', 'BSR', 'IMUL'] as const) list.add(op, w, [r(w), x]);
      list.add('IMUL', w, [r(w), x, imm]);
      for (let cc = 0; cc < 16; cc++) list.add('CMOVCC', w, [r(w), x], { cc });
    }
    if (w === 1) continue;
    for (const from of [1, 2] as const) {
      for (const x of memory(from)) {
        list.add('MOVZX', w, [r(w), x]);
        list.add('MOVSX', w, [r(w), x]);
      }
    }
    if (w === 8) for (const x of memory(4)) list.add('MOVSX', 8, [r(8), x]);
    list.add('LEA', w, [r(w), m(w)]);
    if (w > 2) list.add('MOVNTI', w, [m(w), r(w)]);
    list.add('CBW', w, []);
    list.add('CWD', w, []);
    list.add('BSWAP', w, [r(w)]);
  }
  for (const { op, operands } of vectorForms(addressing)) list.add(op, operands[0]!.size, operands);
  for (const op of ['LAHF', 'SAHF'] as const) list.add(op, 1, []);
  for (const op of ['SGDT', 'SIDT'] as const)
    for (const w of general ? [2, 4] : [native]) list.add(op, w, [m(w === 8 ? 10 : 6)]);
  for (const w of [2, native]) {
    for (const x of memory(w)) list.add('PUSH', w, [x]);
    list.add('PUSH', w, [imm]);
    list.add('POP', w, [r(w)]);
  }
  for (const w of general ? [2, 4] : [native]) {
    list.add('CALL', w, [m(w)]);
    list.add('JMP', w, [m(w)]);
    if (!general) continue;
    list.add('CALL', w, [{ kind: K_REL, size: w }]);
    list.add('CALL', w, [r(w)]);
    list.add('JMP', w, [r(w)]);
    list.add('RET', w, []);
    list.add('RET', w, [imm]);
    list.add('LEAVE', w, []);
  }
  if (general) return list.forms;
  for (const op of ['LOOP', 'LOOPE', 'LOOPNE', 'JCXZ'] as const) {
    list.add(op, native, [{ kind: K_REL, size: native }], { addressSize: native });
  }
  return list.forms;
}
