/**
 * String instructions. One iteration is one unit of budget; registers are exact after every iteration, so that a fault
 * or the end of the budget in the middle leaves RIP on the instruction and the rest to do. Intel SDM Vol. 2,
 * "REP/REPE/REPZ/REPNE/REPNZ".
 */
import { RFLAGS_DF, SEG_ES } from '@smm/x86-defs';
import { type Insn, REP_F2, REP_NONE } from '../insn.ts';
import * as L from '../layout.ts';
import { OP, opTable } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { isUser, loadSized, segmentedAddress, storeSized } from './operands.ts';
import { checkPort, type PortSize } from './port-io.ts';
import { advance, bulk, countOf } from './string-bulk.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;

/** Register cut to the address size. */
function pointer(cpu: Processor, register: number, addressSize: number): bigint {
  return BigInt.asUintN(addressSize * 8, cpu.state.gpr64(register));
}

/** Flags of a comparison, left to be evaluated lazily. */
function compare(cpu: Processor, left: bigint, right: bigint, size: number): void {
  const s = cpu.state;
  const shift = BigInt(64 - size * 8);
  s.set64(L.ST_CC_RES, BigInt.asUintN(64, (left - right) << shift));
  s.set64(L.ST_CC_SRC, BigInt.asUintN(64, right << shift));
  s.set32(L.ST_CC_OP, L.CC_SUB | (Math.log2(size) << 8));
}

function source(cpu: Processor, insn: Insn): number {
  return segmentedAddress(cpu, insn.segment, pointer(cpu, RSI, insn.addressSize), insn.size, false);
}

function destination(cpu: Processor, insn: Insn, write: boolean): number {
  return segmentedAddress(cpu, SEG_ES, pointer(cpu, RDI, insn.addressSize), insn.size, write);
}

/** One iteration without the counting. `step` is the signed element size. */
type Element = (cpu: Processor, insn: Insn, step: number) => void;

const ELEMENTS = new Map<number, Element>([
  [
    OP.MOVS,
    (cpu, insn, step) => {
      const value = loadSized(cpu, source(cpu, insn), insn.size);
      storeSized(cpu, destination(cpu, insn, true), insn.size, value);
      advance(cpu, RSI, insn.addressSize, step);
      advance(cpu, RDI, insn.addressSize, step);
    },
  ],
  [
    OP.STOS,
    (cpu, insn, step) => {
      storeSized(cpu, destination(cpu, insn, true), insn.size, cpu.state.gpr64(RAX));
      advance(cpu, RDI, insn.addressSize, step);
    },
  ],
  [
    OP.LODS,
    (cpu, insn, step) => {
      const value = loadSized(cpu, source(cpu, insn), insn.size);
      const s = cpu.state;
      if (insn.size === 8) s.setGpr64(RAX, value);
      else if (insn.size === 4) s.setGpr32(RAX, Number(value));
      else if (insn.size === 2) s.setGpr16(RAX, Number(value));
      else s.setGpr8(0, Number(value));
      advance(cpu, RSI, insn.addressSize, step);
    },
  ],
  [
    OP.CMPS,
    (cpu, insn, step) => {
      const left = loadSized(cpu, source(cpu, insn), insn.size);
      const right = loadSized(cpu, destination(cpu, insn, false), insn.size);
      compare(cpu, left, right, insn.size);
      advance(cpu, RSI, insn.addressSize, step);
      advance(cpu, RDI, insn.addressSize, step);
    },
  ],
  [
    OP.SCAS,
    (cpu, insn, step) => {
      const right = loadSized(cpu, destination(cpu, insn, false), insn.size);
      compare(cpu, BigInt.asUintN(insn.size * 8, cpu.state.gpr64(RAX)), right, insn.size);
      advance(cpu, RDI, insn.addressSize, step);
    },
  ],
  [
    OP.INS,
    (cpu, insn, step) => {
      const port = cpu.state.gpr16(RDX);
      checkPort(cpu, port, insn.size);
      const at = destination(cpu, insn, true);
      cpu.memory.probeWrite(at, insn.size, isUser(cpu));
      const value = cpu.ports.io.in(port, insn.size as PortSize, cpu.attrs());
      storeSized(cpu, at, insn.size, BigInt(value >>> 0));
      advance(cpu, RDI, insn.addressSize, step);
    },
  ],
  [
    OP.OUTS,
    (cpu, insn, step) => {
      const port = cpu.state.gpr16(RDX);
      checkPort(cpu, port, insn.size);
      const value = Number(loadSized(cpu, source(cpu, insn), insn.size));
      cpu.ports.io.out(port, insn.size as PortSize, value, cpu.attrs());
      advance(cpu, RSI, insn.addressSize, step);
    },
  ],
]);

/** Operations that {@link bulk} knows, and those that compare. */
const T_BULK = 1;
const T_COMPARES = 2;
const TRAITS = opTable([T_BULK, [OP.MOVS, OP.STOS, OP.CMPS, OP.SCAS]], [T_COMPARES, [OP.CMPS, OP.SCAS]]);

/** Any string instruction, with or without REP. */
export function execString(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const { addressSize } = insn;
  const traits = TRAITS[insn.op]!;
  const down = (s.eflags & RFLAGS_DF) !== 0;
  if (insn.rep === REP_NONE) {
    if (!(traits & T_BULK) || bulk(cpu, insn, 1, down) === 0) single(cpu, insn, down);
    return;
  }
  let count = countOf(cpu, RCX, addressSize);
  if (count === 0) {
    if (addressSize === 4) s.setGpr32(RCX, 0);
    return;
  }
  for (;;) {
    const left = s.get32(L.ST_BUDGET) | 0;
    let done = 0;
    if (traits & T_BULK) done = bulk(cpu, insn, Math.max(1, Math.min(count, left)), down);
    if (done === 0) {
      single(cpu, insn, down);
      done = 1;
    }
    advance(cpu, RCX, addressSize, -done);
    if (done > 1) s.set32(L.ST_BUDGET, left - (done - 1));
    count = countOf(cpu, RCX, addressSize);
    if (count === 0) return;
    if (traits & T_COMPARES) {
      const equal = s.get32(L.ST_CC_RES) === 0 && s.get32(L.ST_CC_RES + 4) === 0;
      if (equal === (insn.rep === REP_F2)) return;
    }
    const now = s.get32(L.ST_BUDGET) | 0;
    if (now <= 1 || s.get32(L.ST_EXIT_REQUEST)) {
      s.rip = cpu.insnRip;
      return;
    }
    s.set32(L.ST_BUDGET, now - 1);
  }
}

/** One iteration, whatever it touches. */
function single(cpu: Processor, insn: Insn, down: boolean): void {
  ELEMENTS.get(insn.op)!(cpu, insn, down ? -insn.size : insn.size);
}
