/** The table from operations to their descriptions. An operation without a row is a helper's. */
import type { Insn } from '../insn.ts';
import { OP, type OpId, type OpName } from '../ops.ts';
import * as arith from './arith.ts';
import * as bit from './bit.ts';
import type { Builder } from './builder.ts';
import * as control from './control.ts';
import * as logic from './logic.ts';
import * as move from './move.ts';
import * as shift from './shift.ts';
import * as stack from './stack.ts';
import { VECTOR_SEMANTICS } from './vector.ts';

/** Describes one instruction to a back end. */
export type Semantics = <V, C>(b: Builder<V, C>, insn: Insn) => void;

const nothing: Semantics = () => {};

const BY_NAME: Partial<Record<OpName, Semantics>> = {
  ADD: arith.addSub,
  SUB: arith.addSub,
  CMP: arith.addSub,
  ADC: arith.addSubCarry,
  SBB: arith.addSubCarry,
  INC: arith.incDec,
  DEC: arith.incDec,
  NEG: arith.neg,
  MUL: arith.mulWide,
  IMUL1: arith.mulWide,
  IMUL: arith.imul,
  DIV: arith.divide,
  IDIV: arith.divide,
  XADD: arith.xadd,
  CMPXCHG: arith.cmpxchg,
  AND: logic.logic,
  OR: logic.logic,
  XOR: logic.logic,
  TEST: logic.logic,
  NOT: logic.not,
  SHL: shift.shift,
  SHR: shift.shift,
  SAR: shift.shift,
  ROL: shift.rotate,
  ROR: shift.rotate,
  RCL: shift.rotateCarry,
  RCR: shift.rotateCarry,
  BT: bit.bitTest,
  BTS: bit.bitTest,
  BTR: bit.bitTest,
  BTC: bit.bitTest,
  BSF: bit.bitScan,
  BSR: bit.bitScan,
  BSWAP: bit.bswap,
  MOV: move.mov,
  MOVNTI: move.mov,
  MOVZX: move.movzx,
  MOVSX: move.movsx,
  LEA: move.lea,
  XCHG: move.xchg,
  CMOVCC: move.cmov,
  SETCC: move.setcc,
  CBW: move.cbw,
  CWD: move.cwd,
  LAHF: move.ahFlags,
  SAHF: move.ahFlags,
  CLC: move.flagBit,
  STC: move.flagBit,
  CMC: move.flagBit,
  CLD: move.flagBit,
  STD: move.flagBit,
  SGDT: move.storeTable,
  SIDT: move.storeTable,
  NOP: nothing,
  LFENCE: nothing,
  MFENCE: nothing,
  SFENCE: nothing,
  PREFETCH: nothing,
  PUSH: stack.push,
  POP: stack.pop,
  LEAVE: stack.leave,
  JCC: control.jcc,
  JMP: control.jmp,
  CALL: control.call,
  RET: control.ret,
  LOOP: control.loop,
  LOOPE: control.loop,
  LOOPNE: control.loop,
  JCXZ: control.loop,
  ...VECTOR_SEMANTICS,
};

/** Descriptions by operation number. */
export const SEMANTICS: ReadonlyMap<OpId, Semantics> = new Map(
  (Object.entries(BY_NAME) as [OpName, Semantics][]).map(([name, semantics]) => [OP[name], semantics]),
);
