/**
 * String instructions. One iteration is one unit of budget; registers are exact after every iteration, so that a fault or the
 * end of the budget in the middle leaves RIP on the instruction and the rest to do. Intel SDM Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ".
 */
import { RFLAGS_DF, RFLAGS_ZF, SEG_ES } from '@smm/x86-defs';
import { type Insn, REP_F2, REP_F3, REP_NONE } from '../insn.ts';
import * as L from '../layout.ts';
import { OP } from '../ops.ts';
import { ACCESS_READ, ACCESS_WRITE } from '../ports.ts';
import type { Processor } from '../processor.ts';
import { isUser, loadSized, segmentedAddress, storeSized, withinLimit } from './operands.ts';
import { checkPort, type PortSize } from './port-io.ts';

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RSI = 6;
const RDI = 7;
const PAGE = 0x1000;

/** Register cut to the address size. */
function pointer(cpu: Processor, register: number, addressSize: number): bigint {
  return BigInt.asUintN(addressSize * 8, cpu.state.gpr64(register));
}

/** Adds to a register in the address size: 16 bit keeps the rest, 32 bit clears the upper half. */
function advance(cpu: Processor, register: number, addressSize: number, by: number): void {
  const s = cpu.state;
  if (addressSize === 2) s.setGpr16(register, s.gpr16(register) + by);
  else if (addressSize === 4) s.setGpr32(register, (s.gpr32(register) + by) >>> 0);
  else s.setGpr64(register, BigInt.asUintN(64, s.gpr64(register) + BigInt(by)));
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

/** Does many iterations at once in plain RAM and returns how many (0: not possible here). Registers but the count are advanced. */
type Bulk = (cpu: Processor, insn: Insn, wanted: number) => number;

/** Iterations of `size` bytes from `offset` that stay in a segment, in the address size and in one page of `linear`. */
function roomFor(
  cpu: Processor,
  segment: number,
  offset: bigint,
  linear: number,
  insn: Insn,
  wanted: number,
): number {
  let bytes = PAGE - (linear & (PAGE - 1));
  if (insn.addressSize < 8) bytes = Math.min(bytes, Number((1n << BigInt(insn.addressSize * 8)) - offset));
  const iterations = Math.min(wanted, Math.floor(bytes / insn.size));
  if (cpu.code64 || iterations === 0) return iterations;
  const s = cpu.state;
  const fits = withinLimit(s.segAttr(segment), s.segLimit(segment), Number(offset), iterations * insn.size);
  return fits ? iterations : 0;
}

function bulkMove(cpu: Processor, insn: Insn, wanted: number): number {
  const { addressSize, size } = insn;
  const from = source(cpu, insn);
  const to = destination(cpu, insn, true);
  let n = roomFor(cpu, insn.segment, pointer(cpu, RSI, addressSize), from, insn, wanted);
  n = roomFor(cpu, SEG_ES, pointer(cpu, RDI, addressSize), to, insn, n);
  if (n < 2) return 0;
  const user = isUser(cpu);
  const src = cpu.memory.hostOffset(from, ACCESS_READ, user);
  if (src < 0) return 0;
  const dst = cpu.memory.hostOffset(to, ACCESS_WRITE, user);
  if (dst < 0) return 0;
  const { u8 } = cpu.state.views;
  const bytes = n * size;
  const distance = dst - src;
  if (distance <= 0 || distance >= bytes) u8.copyWithin(dst, src, src + bytes);
  else {
    // the copy reads what it wrote: the pattern of `distance` bytes repeats
    const step = Math.floor(distance / size) * size;
    if (step === 0) return 0;
    for (let done = 0; done < bytes; done += step) {
      const end = Math.min(done + step, bytes);
      u8.copyWithin(dst + done, src + done, src + end);
    }
  }
  advance(cpu, RSI, addressSize, bytes);
  advance(cpu, RDI, addressSize, bytes);
  return n;
}

function bulkStore(cpu: Processor, insn: Insn, wanted: number): number {
  const { addressSize, size } = insn;
  const to = destination(cpu, insn, true);
  const n = roomFor(cpu, SEG_ES, pointer(cpu, RDI, addressSize), to, insn, wanted);
  if (n < 2) return 0;
  const dst = cpu.memory.hostOffset(to, ACCESS_WRITE, isUser(cpu));
  if (dst < 0) return 0;
  const { u8 } = cpu.state.views;
  const bytes = n * size;
  if (size === 1) u8.fill(cpu.state.gpr8(0), dst, dst + bytes);
  else {
    const value = cpu.state.gpr64(RAX);
    for (let i = 0; i < size; i++) u8[dst + i] = Number((value >> BigInt(8 * i)) & 0xffn);
    for (let done = size; done < bytes; done *= 2) {
      u8.copyWithin(dst + done, dst, dst + Math.min(done, bytes - done));
    }
  }
  advance(cpu, RDI, addressSize, bytes);
  return n;
}

const BULK = new Map<number, Bulk>([
  [OP.MOVS, bulkMove],
  [OP.STOS, bulkStore],
]);

/** Any string instruction, with or without REP. */
export function execString(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const down = (s.get32(L.ST_EFLAGS) & RFLAGS_DF) !== 0;
  const step = down ? -insn.size : insn.size;
  const element = ELEMENTS.get(insn.op)!;
  if (insn.rep === REP_NONE) {
    element(cpu, insn, step);
    return;
  }
  const { addressSize } = insn;
  if (pointer(cpu, RCX, addressSize) === 0n) {
    if (addressSize === 4) s.setGpr32(RCX, 0);
    return;
  }
  const bulk = down ? undefined : BULK.get(insn.op);
  const compares = insn.op === OP.CMPS || insn.op === OP.SCAS;
  for (;;) {
    let done = 0;
    const left = s.get32(L.ST_BUDGET) | 0;
    if (bulk && left > 1) {
      const count = pointer(cpu, RCX, addressSize);
      done = bulk(cpu, insn, count < BigInt(left) ? Number(count) : left);
    }
    if (done === 0) {
      element(cpu, insn, step);
      done = 1;
    }
    advance(cpu, RCX, addressSize, -done);
    if (done > 1) s.set32(L.ST_BUDGET, left - (done - 1));
    if (pointer(cpu, RCX, addressSize) === 0n) return;
    if (compares) {
      const equal = (s.rflags & RFLAGS_ZF) !== 0;
      if ((insn.rep === REP_F3 && !equal) || (insn.rep === REP_F2 && equal)) return;
    }
    const now = s.get32(L.ST_BUDGET) | 0;
    if (now <= 1 || s.get32(L.ST_EXIT_REQUEST)) {
      s.rip = cpu.insnRip;
      return;
    }
    s.set32(L.ST_BUDGET, now - 1);
  }
}
