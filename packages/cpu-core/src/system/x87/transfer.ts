/** x87 loads and stores. Intel SDM Vol. 2, FLD, FST, FILD, FIST, FISTTP, FBLD, FBSTP and the constants. */
import { type Insn, K_MEM } from '../../insn.ts';
import { OP } from '../../ops.ts';
import type { Processor } from '../../processor.ts';
import { isUser, loadSized, operandAddress, storeSized } from '../operands.ts';
import { roundToInteger } from './arithmetic.ts';
import {
  controlWord,
  instruction,
  isEmpty,
  pop,
  push,
  raise,
  readSt,
  stackFault,
  unmasked,
  writeSt,
} from './fpu.ts';
import {
  type Float80,
  FORMAT32,
  FORMAT64,
  INDEFINITE,
  isNan,
  type Operand,
  pack80,
  quietNan,
  ROUND_DOWN,
  ROUND_UP,
  ROUND_ZERO,
  roundingOf,
  roundToShort,
  unpack80,
  unpackInteger,
  unpackShort,
  X87_DE,
  X87_IE,
  X87_OE,
  X87_PE,
  X87_UE,
} from './number.ts';

/** Pushes a value, or the indefinite if the stack is full and that is masked. */
function pushChecked(cpu: Processor, value: Float80, flags = 0): void {
  if (!isEmpty(cpu, 7)) {
    if (stackFault(cpu, true)) push(cpu, INDEFINITE);
    return;
  }
  raise(cpu, flags, false);
  // An unmasked denormal operand does not keep the value out.
  if (!unmasked(cpu, flags & X87_IE)) push(cpu, value);
}

/** Reads 10 bytes as a register value. */
export function load80(cpu: Processor, linear: number): Float80 {
  const significand = loadSized(cpu, linear, 8);
  const head = Number(loadSized(cpu, linear + 8, 2));
  return { sign: head >> 15, exponent: head & 0x7fff, significand };
}

/** Writes a register value as 10 bytes; the caller has probed them. */
export function store80(cpu: Processor, linear: number, value: Float80): void {
  storeSized(cpu, linear, 8, value.significand);
  storeSized(cpu, linear + 8, 2, BigInt((value.sign << 15) | value.exponent));
}

/** FLD. */
export const execLoad = instruction((cpu, insn) => {
  const size = insn.size0;
  if (insn.kind0 !== K_MEM) {
    if (!isEmpty(cpu, insn.val0)) pushChecked(cpu, readSt(cpu, insn.val0));
    else if (stackFault(cpu, false)) push(cpu, INDEFINITE);
    return;
  }
  const at = operandAddress(cpu, insn, size, false);
  if (size === 10) {
    pushChecked(cpu, load80(cpu, at));
    return;
  }
  const bits = loadSized(cpu, at, size);
  const x = unpackShort(bits, size === 4 ? FORMAT32 : FORMAT64);
  const flags = x.kind === 'signaling' ? X87_IE : x.kind === 'denormal' ? X87_DE : 0;
  pushChecked(cpu, isNan(x) ? quietNan(x) : pack80(x), flags);
});

/** FILD. */
export const execLoadInteger = instruction((cpu, insn) => {
  const size = insn.size0;
  const bits = loadSized(cpu, operandAddress(cpu, insn, size, false), size);
  pushChecked(cpu, pack80(unpackInteger(BigInt.asIntN(size * 8, bits))));
});

interface Constant {
  readonly exponent: number;
  readonly low: bigint;
  /** What is beyond `low` is more than half of its last bit: rounding to nearest goes up. */
  readonly nearestUp: boolean;
}

const CONSTANTS: ReadonlyMap<number, Constant> = new Map([
  [OP.FLDL2T, { exponent: 0x4000, low: 0xd49a_784b_cd1b_8afen, nearestUp: false }],
  [OP.FLDL2E, { exponent: 0x3fff, low: 0xb8aa_3b29_5c17_f0bbn, nearestUp: true }],
  [OP.FLDPI, { exponent: 0x4000, low: 0xc90f_daa2_2168_c234n, nearestUp: true }],
  [OP.FLDLG2, { exponent: 0x3ffd, low: 0x9a20_9a84_fbcf_f798n, nearestUp: true }],
  [OP.FLDLN2, { exponent: 0x3ffe, low: 0xb172_17f7_d1cf_79abn, nearestUp: true }],
]);

/** FLD1 FLDZ FLDPI FLDL2E FLDL2T FLDLG2 FLDLN2: irrational ones rounded as the control word says, without PE. */
export const execLoadConstant = instruction((cpu, insn) => {
  const constant = CONSTANTS.get(insn.op);
  if (!constant) {
    pushChecked(cpu, pack80(unpackInteger(insn.op === OP.FLD1 ? 1n : 0n)));
    return;
  }
  const rounding = roundingOf(controlWord(cpu));
  const down = rounding === ROUND_DOWN || rounding === ROUND_ZERO;
  const up = !down && (rounding === ROUND_UP || constant.nearestUp);
  pushChecked(cpu, { sign: 0, exponent: constant.exponent, significand: constant.low + (up ? 1n : 0n) });
});

/** Checked address of the destination; faults as the write would. */
function destination(cpu: Processor, insn: Insn, size: number): number {
  const at = operandAddress(cpu, insn, size, true);
  cpu.memory.probeWrite(at, size, isUser(cpu));
  return at;
}

function toRegister(cpu: Processor, insn: Insn): boolean {
  if (isEmpty(cpu, 0)) {
    if (!stackFault(cpu, false)) return false;
    writeSt(cpu, insn.val0, INDEFINITE);
    return true;
  }
  raise(cpu, 0, false);
  writeSt(cpu, insn.val0, readSt(cpu, 0));
  return true;
}

function toMemory(cpu: Processor, insn: Insn): boolean {
  const size = insn.size0;
  const at = destination(cpu, insn, size);
  const empty = isEmpty(cpu, 0);
  if (empty && !stackFault(cpu, false)) return false;
  const value = empty ? INDEFINITE : readSt(cpu, 0);
  if (size === 10) {
    if (!empty) raise(cpu, 0, false);
    store80(cpu, at, value);
    return true;
  }
  const { bits, flags, up } = roundToShort(
    unpack80(value),
    size === 4 ? FORMAT32 : FORMAT64,
    controlWord(cpu),
  );
  if (!empty && !raiseStore(cpu, flags, up)) return false;
  storeSized(cpu, at, size, bits);
  return true;
}

/** Raises what a store to memory found. False if it must not store: anything but inexactness is unmasked. */
function raiseStore(cpu: Processor, flags: number, up: boolean): boolean {
  const blocking = flags & (X87_IE | X87_OE | X87_UE);
  if (!unmasked(cpu, blocking)) {
    raise(cpu, flags, up);
    return true;
  }
  raise(cpu, blocking, false);
  return false;
}

/** FST and FSTP. */
export const execStore = instruction((cpu, insn) => {
  const done = insn.kind0 === K_MEM ? toMemory(cpu, insn) : toRegister(cpu, insn);
  if (done && insn.op === OP.FSTP) pop(cpu);
});

/** Operand as an integer from `lowest` to `highest`, or undefined: invalid. */
function asInteger(
  x: Operand,
  rounding: number,
  lowest: bigint,
  highest: bigint,
): { value: bigint; lost: boolean; up: boolean } | undefined {
  if (isNan(x) || x.kind === 'infinity' || x.kind === 'unsupported') return undefined;
  const rounded = roundToInteger(x, rounding);
  const value = x.sign ? -rounded.value : rounded.value;
  return value < lowest || value > highest ? undefined : { ...rounded, value };
}

/** FIST FISTP FISTTP. */
function storeInteger(cpu: Processor, insn: Insn): void {
  const size = insn.size0;
  const at = destination(cpu, insn, size);
  const limit = 1n << BigInt(size * 8 - 1);
  const rounding = insn.op === OP.FISTTP ? ROUND_ZERO : roundingOf(controlWord(cpu));
  let bits = limit; // integer indefinite
  if (isEmpty(cpu, 0)) {
    if (!stackFault(cpu, false)) return;
  } else {
    const result = asInteger(unpack80(readSt(cpu, 0)), rounding, -limit, limit - 1n);
    if (!result) {
      if (raise(cpu, X87_IE, false)) return;
    } else {
      raise(cpu, result.lost ? X87_PE : 0, result.up);
      bits = result.value;
    }
  }
  storeSized(cpu, at, size, bits);
  if (insn.op !== OP.FIST) pop(cpu);
}

/** FIST, FISTP and FISTTP. */
export const execStoreInteger = instruction(storeInteger);

const DIGITS = 18;
const BCD_LIMIT = 10n ** BigInt(DIGITS) - 1n;
const BCD_INDEFINITE: Float80 = { sign: 1, exponent: 0x7fff, significand: 3n << 62n };

/** FBLD. */
export const execLoadDecimal = instruction((cpu, insn) => {
  const { sign, exponent, significand } = load80(cpu, operandAddress(cpu, insn, 10, false));
  const packed = (BigInt(exponent & 0xff) << 64n) | significand;
  let magnitude = 0n;
  for (let digit = DIGITS - 1; digit >= 0; digit--) {
    magnitude = magnitude * 10n + ((packed >> BigInt(digit * 4)) & 15n);
  }
  pushChecked(cpu, { ...pack80(unpackInteger(magnitude)), sign });
});

/** FBSTP. */
export const execStoreDecimal = instruction((cpu, insn) => {
  const at = destination(cpu, insn, 10);
  let image = BCD_INDEFINITE;
  if (isEmpty(cpu, 0)) {
    if (!stackFault(cpu, false)) return;
  } else {
    const x = unpack80(readSt(cpu, 0));
    const result = asInteger(x, roundingOf(controlWord(cpu)), -BCD_LIMIT, BCD_LIMIT);
    if (!result) {
      if (raise(cpu, X87_IE, false)) return;
    } else {
      raise(cpu, result.lost ? X87_PE : 0, result.up);
      let rest = x.sign ? -result.value : result.value;
      let packed = 0n;
      for (let digit = 0; digit < DIGITS; digit++, rest /= 10n) {
        packed |= (rest % 10n) << BigInt(digit * 4);
      }
      image = { sign: x.sign, exponent: Number(packed >> 64n), significand: BigInt.asUintN(64, packed) };
    }
  }
  store80(cpu, at, image);
  pop(cpu);
});
