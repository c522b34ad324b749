/** x87 arithmetic, comparisons, exchanges and conditional moves. Intel SDM Vol. 2, the instructions' pages. */
import { RFLAGS_AF, RFLAGS_CF, RFLAGS_OF, RFLAGS_PF, RFLAGS_SF, RFLAGS_ZF } from '@smm/x86-defs';
import { type Insn, K_MEM } from '../../insn.ts';
import { OP } from '../../ops.ts';
import type { Processor } from '../../processor.ts';
import { loadSized, operandAddress } from '../operands.ts';
import * as arithmetic from './arithmetic.ts';
import {
  controlWord,
  FSW_C0,
  FSW_C2,
  FSW_C3,
  free,
  instruction,
  isEmpty,
  pop,
  push,
  raise,
  readSt,
  setConditions,
  stackFault,
  unmasked,
  writeSt,
} from './fpu.ts';
import {
  FORMAT32,
  FORMAT64,
  INDEFINITE,
  isNan,
  kindOf,
  type Operand,
  type Result,
  unpack80,
  unpackInteger,
  unpackShort,
  X87_DE,
  X87_IE,
  X87_ZE,
} from './number.ts';

/** Exceptions found before computing: unmasked, they leave the destination as it is. */
const BEFORE = X87_IE | X87_DE | X87_ZE;

interface BinaryRow {
  readonly compute: arithmetic.Binary;
  readonly pops?: boolean;
  readonly integer?: boolean;
}

const { add, multiply, subtract, subtractReverse, divide, divideReverse } = arithmetic;
const BINARY: ReadonlyMap<number, BinaryRow> = new Map(
  (
    [
      ['ADD', add],
      ['MUL', multiply],
      ['SUB', subtract],
      ['SUBR', subtractReverse],
      ['DIV', divide],
      ['DIVR', divideReverse],
    ] as const
  ).flatMap(([stem, compute]): [number, BinaryRow][] => [
    [OP[`F${stem}`], { compute }],
    [OP[`F${stem}P`], { compute, pops: true }],
    [OP[`FI${stem}`], { compute, integer: true }],
  ]),
);

/** The memory operand of an arithmetic instruction. */
function memoryOperand(cpu: Processor, insn: Insn, integer: boolean): Operand {
  const size = insn.size0;
  const bits = loadSized(cpu, operandAddress(cpu, insn, size, false), size);
  if (integer) return unpackInteger(BigInt.asIntN(size * 8, bits));
  return unpackShort(bits, size === 4 ? FORMAT32 : FORMAT64);
}

/** Raises what a computation found and, if it may be, writes its value to ST(register). False if it may not. */
function deliver(cpu: Processor, register: number, result: Result): boolean {
  const before = result.flags & BEFORE;
  if (unmasked(cpu, before)) {
    raise(cpu, before, false);
    return false;
  }
  raise(cpu, result.flags, result.up);
  writeSt(cpu, register, result.value);
  return true;
}

/** FADD FMUL FSUB FSUBR FDIV FDIVR, their popping and their integer forms. */
export const execBinary = instruction((cpu, insn) => {
  const row = BINARY.get(insn.op)!;
  const memory = insn.kind0 === K_MEM;
  const target = memory ? 0 : insn.val0;
  const second = memory ? memoryOperand(cpu, insn, row.integer === true) : undefined;
  if (isEmpty(cpu, target) || (!memory && isEmpty(cpu, insn.val1))) {
    if (!stackFault(cpu, false)) return;
    writeSt(cpu, target, INDEFINITE);
  } else {
    const a = unpack80(readSt(cpu, target));
    const b = second ?? unpack80(readSt(cpu, insn.val1));
    if (!deliver(cpu, target, row.compute(a, b, controlWord(cpu)))) return;
  }
  if (row.pops) pop(cpu);
});

/** Makes a helper of an operation on ST(0) alone. */
const unary = (compute: arithmetic.Unary): ReturnType<typeof instruction> =>
  instruction((cpu) => {
    if (!isEmpty(cpu, 0)) deliver(cpu, 0, compute(unpack80(readSt(cpu, 0)), controlWord(cpu)));
    else if (stackFault(cpu, false)) writeSt(cpu, 0, INDEFINITE);
  });

/** FSQRT. */
export const execSquareRoot = unary(arithmetic.squareRoot);
/** FRNDINT. */
export const execRoundInteger = unary(arithmetic.roundInteger);

/** FCHS and FABS. */
export const execSign = instruction((cpu, insn) => {
  if (isEmpty(cpu, 0)) {
    if (stackFault(cpu, false)) writeSt(cpu, 0, INDEFINITE);
    return;
  }
  const value = readSt(cpu, 0);
  raise(cpu, 0, false);
  writeSt(cpu, 0, { ...value, sign: insn.op === OP.FABS ? 0 : value.sign ^ 1 });
});

/** FSCALE. */
export const execScale = instruction((cpu) => {
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    if (stackFault(cpu, false)) writeSt(cpu, 0, INDEFINITE);
    return;
  }
  const b = unpack80(readSt(cpu, 1));
  deliver(cpu, 0, arithmetic.scale(unpack80(readSt(cpu, 0)), b, controlWord(cpu)));
});

/** C2 = 0, C0 and C3 kept: there is no quotient. */
function clearIncomplete(cpu: Processor): void {
  setConditions(cpu, cpu.state.fsw & (FSW_C0 | FSW_C3));
}

/** FPREM and FPREM1. */
export const execRemainder = instruction((cpu, insn) => {
  if (isEmpty(cpu, 0) || isEmpty(cpu, 1)) {
    if (stackFault(cpu, false)) writeSt(cpu, 0, INDEFINITE);
    clearIncomplete(cpu);
    return;
  }
  const a = unpack80(readSt(cpu, 0));
  const b = unpack80(readSt(cpu, 1));
  const result = arithmetic.remainder(a, b, insn.op === OP.FPREM1, controlWord(cpu));
  const { quotient } = result;
  const low = typeof quotient === 'number' && (quotient & 1) !== 0;
  const done = deliver(cpu, 0, { ...result, up: low });
  if (!done || quotient === 'none') clearIncomplete(cpu);
  else if (quotient === 'incomplete') setConditions(cpu, FSW_C2);
  else setConditions(cpu, (quotient & 4 ? FSW_C0 : 0) | (quotient & 2 ? FSW_C3 : 0));
});

/** FXTRACT. */
export const execExtract = instruction((cpu) => {
  const overflow = !isEmpty(cpu, 7);
  if (isEmpty(cpu, 0) || overflow) {
    if (!stackFault(cpu, overflow && !isEmpty(cpu, 0))) return;
    writeSt(cpu, 0, INDEFINITE);
    push(cpu, INDEFINITE);
    return;
  }
  const { exponent, significand, flags } = arithmetic.extract(unpack80(readSt(cpu, 0)));
  if (raise(cpu, flags, false)) return;
  writeSt(cpu, 0, exponent);
  push(cpu, significand);
});

interface CompareRow {
  readonly pops?: number;
  readonly integer?: boolean;
  /** Quiet NaNs are no invalid operation. */
  readonly quiet?: boolean;
  /** The result goes to ZF, PF and CF. */
  readonly flags?: boolean;
}

const COMPARE: ReadonlyMap<number, CompareRow> = new Map([
  [OP.FCOM, {}],
  [OP.FCOMP, { pops: 1 }],
  [OP.FCOMPP, { pops: 2 }],
  [OP.FICOM, { integer: true }],
  [OP.FICOMP, { integer: true, pops: 1 }],
  [OP.FUCOM, { quiet: true }],
  [OP.FUCOMP, { quiet: true, pops: 1 }],
  [OP.FUCOMPP, { quiet: true, pops: 2 }],
  [OP.FCOMI, { flags: true }],
  [OP.FCOMIP, { flags: true, pops: 1 }],
  [OP.FUCOMI, { flags: true, quiet: true }],
  [OP.FUCOMIP, { flags: true, quiet: true, pops: 1 }],
  [OP.FTST, {}],
]);

const UNORDERED = FSW_C0 | FSW_C2 | FSW_C3;

/** a compared with b as condition codes; both ordered. */
function order(a: Operand, b: Operand): number {
  const signum = (x: Operand): number => (x.kind === 'zero' ? 0 : x.sign ? -1 : 1);
  const left = signum(a);
  const right = signum(b);
  if (left !== right) return left < right ? FSW_C0 : 0;
  if (left === 0) return FSW_C3;
  let larger: number;
  if (a.kind === 'infinity' || b.kind === 'infinity') {
    larger = a.kind === b.kind ? 0 : a.kind === 'infinity' ? 1 : -1;
  } else {
    const scale = Math.min(a.scale, b.scale);
    const x = a.magnitude << BigInt(a.scale - scale);
    const y = b.magnitude << BigInt(b.scale - scale);
    larger = x === y ? 0 : x > y ? 1 : -1;
  }
  if (larger === 0) return FSW_C3;
  return larger === left ? 0 : FSW_C0;
}

function setFlags(cpu: Processor, conditions: number): void {
  const status = RFLAGS_OF | RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF | RFLAGS_CF;
  cpu.state.rflags =
    (cpu.state.rflags & ~status) |
    (conditions & FSW_C3 ? RFLAGS_ZF : 0) |
    (conditions & FSW_C2 ? RFLAGS_PF : 0) |
    (conditions & FSW_C0 ? RFLAGS_CF : 0);
}

/** FCOM FUCOM FICOM FCOMI FUCOMI FTST and their popping forms. */
export const execCompare = instruction((cpu, insn) => compare(cpu, insn, COMPARE.get(insn.op)!));

function compare(cpu: Processor, insn: Insn, row: CompareRow): void {
  const other = insn.operands === 2 ? insn.val1 : 1; // FCOMPP and FUCOMPP name none
  const memory = insn.kind0 === K_MEM;
  const constant = insn.op === OP.FTST ? unpackInteger(0n) : undefined;
  const second = memory ? memoryOperand(cpu, insn, row.integer === true) : constant;
  let conditions: number;
  let blocked = false; // an unmasked denormal operand keeps from popping, not from comparing
  if (isEmpty(cpu, 0) || (!second && isEmpty(cpu, other))) {
    if (!stackFault(cpu, false)) return;
    conditions = UNORDERED;
  } else {
    const a = unpack80(readSt(cpu, 0));
    const b = second ?? unpack80(readSt(cpu, other));
    let flags = a.kind === 'denormal' || b.kind === 'denormal' ? X87_DE : 0;
    if (a.kind === 'unsupported' || b.kind === 'unsupported') {
      flags = X87_IE;
      conditions = UNORDERED;
    } else if (isNan(a) || isNan(b)) {
      flags = !row.quiet || a.kind === 'signaling' || b.kind === 'signaling' ? X87_IE : 0;
      conditions = UNORDERED;
    } else conditions = order(a, b);
    blocked = raise(cpu, flags, false);
    if (blocked && flags & X87_IE) return;
  }
  if (row.flags) setFlags(cpu, conditions);
  else setConditions(cpu, conditions);
  if (blocked) return;
  for (let i = 0; i < (row.pops ?? 0); i++) pop(cpu);
}

const CLASS = {
  unsupported: 0,
  quiet: FSW_C0,
  signaling: FSW_C0,
  normal: FSW_C2,
  infinity: FSW_C2 | FSW_C0,
  zero: FSW_C3,
  denormal: FSW_C3 | FSW_C2,
} as const;

/** FXAM. */
export const execExamine = instruction((cpu) => {
  const value = readSt(cpu, 0);
  const conditions = isEmpty(cpu, 0) ? FSW_C3 | FSW_C0 : CLASS[kindOf(value)];
  raise(cpu, 0, value.sign === 1);
  setConditions(cpu, conditions);
});

/** FXCH. */
export const execExchange = instruction((cpu, insn) => {
  const other = insn.val1;
  if (isEmpty(cpu, 0) || isEmpty(cpu, other)) {
    if (!stackFault(cpu, false)) return;
    if (isEmpty(cpu, 0)) writeSt(cpu, 0, INDEFINITE);
    if (isEmpty(cpu, other)) writeSt(cpu, other, INDEFINITE);
  } else raise(cpu, 0, false);
  const value = readSt(cpu, 0);
  writeSt(cpu, 0, readSt(cpu, other));
  writeSt(cpu, other, value);
});

const CONDITION_FLAGS: ReadonlyMap<number, readonly [flags: number, set: boolean]> = new Map([
  [OP.FCMOVB, [RFLAGS_CF, true]],
  [OP.FCMOVE, [RFLAGS_ZF, true]],
  [OP.FCMOVBE, [RFLAGS_CF | RFLAGS_ZF, true]],
  [OP.FCMOVU, [RFLAGS_PF, true]],
  [OP.FCMOVNB, [RFLAGS_CF, false]],
  [OP.FCMOVNE, [RFLAGS_ZF, false]],
  [OP.FCMOVNBE, [RFLAGS_CF | RFLAGS_ZF, false]],
  [OP.FCMOVNU, [RFLAGS_PF, false]],
]);

/** FCMOVcc. */
export const execConditionalMove = instruction((cpu, insn) => {
  const [flags, set] = CONDITION_FLAGS.get(insn.op)!;
  const taken = ((cpu.state.rflags & flags) !== 0) === set;
  if (isEmpty(cpu, 0) || isEmpty(cpu, insn.val1)) {
    if (stackFault(cpu, false)) writeSt(cpu, 0, INDEFINITE);
    return;
  }
  if (taken) writeSt(cpu, 0, readSt(cpu, insn.val1));
});

/** FFREE and FFREEP. */
export const execFree = instruction((cpu, insn) => {
  raise(cpu, 0, false);
  free(cpu, insn.val0);
  if (insn.op === OP.FFREEP) pop(cpu);
});
