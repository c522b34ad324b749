/**
 * x87 control instructions: control word, status word, environment, whole state.
 * Intel SDM Vol. 2, FNINIT, FLDCW, FNSTCW, FNSTSW, FNCLEX, FNSTENV, FLDENV, FNSAVE, FRSTOR, FINCSTP, FDECSTP, WAIT;
 * Vol. 1, "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE".
 */
import { CR0_MP, CR0_PE, CR0_TS, NM_VECTOR, RFLAGS_VM } from '@smm/x86-defs';
import { type Insn, K_MEM } from '../../insn.ts';
import * as L from '../../layout.ts';
import { OP } from '../../ops.ts';
import type { Processor } from '../../processor.ts';
import { isUser, loadSized, operandAddress, storeSized } from '../operands.ts';
import {
  checkPending,
  FSW_B,
  FSW_ES,
  FSW_SF,
  instruction,
  isEmpty,
  raise,
  readSt,
  requireX87,
  rotate,
  setTag,
  tagOf,
  updateSummary,
  writeContents,
  X87_EXCEPTIONS,
} from './fpu.ts';
import { load80, store80 } from './transfer.ts';

/** Control-word bits that keep what is written; bit 6 reads 1. */
const FCW_WRITABLE = 0x1f3f;
const FCW_FIXED = 0x40;

/** Sets the control word the way every load does. */
export function setControlWord(cpu: Processor, value: number): void {
  cpu.state.fcw = (value & FCW_WRITABLE) | FCW_FIXED;
}

function initialize(cpu: Processor): void {
  const s = cpu.state;
  s.fcw = 0x37f;
  s.fsw = 0;
  s.ftw = 0xffff;
  s.fip = 0n;
  s.fdp = 0n;
  s.fop = 0;
  s.fcsFds = 0;
}

/** FNINIT. */
export function execFninit(cpu: Processor): void {
  requireX87(cpu);
  initialize(cpu);
}

/** FLDCW. */
export function execFldcw(cpu: Processor, insn: Insn): void {
  requireX87(cpu);
  checkPending(cpu);
  setControlWord(cpu, Number(loadSized(cpu, operandAddress(cpu, insn, 2, false), 2)));
  updateSummary(cpu);
}

/** FNSTCW. */
export function execFnstcw(cpu: Processor, insn: Insn): void {
  requireX87(cpu);
  storeSized(cpu, operandAddress(cpu, insn, 2, true), 2, BigInt(cpu.state.fcw));
}

/** FNSTSW to memory or AX. */
export function execFnstsw(cpu: Processor, insn: Insn): void {
  requireX87(cpu);
  const value = cpu.state.fsw;
  if (insn.kind0 === K_MEM) storeSized(cpu, operandAddress(cpu, insn, 2, true), 2, BigInt(value));
  else cpu.state.setGpr16(0, value);
}

/** FNCLEX. */
export function execFnclex(cpu: Processor): void {
  requireX87(cpu);
  const s = cpu.state;
  s.fsw &= ~(X87_EXCEPTIONS | FSW_SF | FSW_ES | FSW_B);
}

/** FWAIT. */
export function execFwait(cpu: Processor): void {
  const both = CR0_MP | CR0_TS;
  if ((cpu.state.cr0 & both) === both) cpu.fault(NM_VECTOR);
  checkPending(cpu);
}

/** FNOP, and FNENI, FNDISI and FNSETPM, which do nothing since the 80387. */
export function execNothing(cpu: Processor, insn: Insn): void {
  requireX87(cpu);
  if (insn.bytes[insn.length - 2] === 0xd9) checkPending(cpu);
}

/** FINCSTP and FDECSTP. */
export const execRotate = instruction((cpu, insn) => {
  raise(cpu, 0, false);
  rotate(cpu, insn.op === OP.FINCSTP ? 1 : -1);
});

/** Real-address and virtual-8086 mode images hold linear pointers and the opcode. */
function realImage(cpu: Processor): boolean {
  return !(cpu.state.cr0 & CR0_PE) || (cpu.state.eflags & RFLAGS_VM) !== 0;
}

/** The seven words of the environment, 16 or 32 bit each. */
function environmentWords(cpu: Processor, wide: boolean): number[] {
  const s = cpu.state;
  const selectors = s.fcsFds;
  const fip = s.get32(L.ST_FIP);
  const fdp = s.get32(L.ST_FDP);
  const opcode = s.fop;
  const upper = wide ? 0xffff_0000 : 0;
  const head = [s.fcw, s.fsw, s.ftw].map((word) => word | upper);
  if (!realImage(cpu)) {
    const codeSelector = selectors & 0xffff;
    const dataSelector = (selectors >>> 16) | upper;
    return [...head, fip, wide ? codeSelector | (opcode << 16) : codeSelector, fdp, dataSelector];
  }
  const code = ((selectors & 0xffff) * 16 + fip) >>> 0;
  const data = ((selectors >>> 16) * 16 + fdp) >>> 0;
  const high = (linear: number): number => (wide ? linear >>> 16 : (linear >>> 16) & 15) << 12;
  return [...head, code & 0xffff, high(code) | opcode, data & 0xffff, high(data)];
}

function loadEnvironmentWords(cpu: Processor, words: readonly number[], wide: boolean): void {
  const s = cpu.state;
  const [fcw, fsw, ftw, word3, word4, word5, word6] = words as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  setControlWord(cpu, fcw);
  s.fsw = fsw & 0xffff;
  s.ftw = ftw & 0xffff;
  updateSummary(cpu);
  if (realImage(cpu)) {
    const mask = wide ? 0xffff_0000 : 0xf_0000;
    s.fip = BigInt((((word4 << 4) & mask) | (word3 & 0xffff)) >>> 0);
    s.fdp = BigInt((((word6 << 4) & mask) | (word5 & 0xffff)) >>> 0);
    s.fop = word4 & 0x7ff;
    s.fcsFds = 0;
    return;
  }
  s.fip = BigInt(word3);
  s.fdp = BigInt(word5);
  s.fop = wide ? (word4 >>> 16) & 0x7ff : 0;
  s.fcsFds = (word4 & 0xffff) | (word6 << 16);
}

/** Non-empty registers have the tag of their contents, whatever was loaded. */
function refreshTags(cpu: Processor): void {
  for (let i = 0; i < 8; i++) if (!isEmpty(cpu, i)) setTag(cpu, i, tagOf(readSt(cpu, i)));
}

const ENVIRONMENT_WORDS = 7;
const wordSize = (insn: Insn): 2 | 4 => (insn.size === 2 ? 2 : 4);

/** Writes the environment, and with `all` the registers. */
function store(cpu: Processor, insn: Insn, all: boolean): void {
  requireX87(cpu);
  const size = wordSize(insn);
  const length = ENVIRONMENT_WORDS * size + (all ? 80 : 0);
  const at = operandAddress(cpu, insn, length, true);
  cpu.memory.probeWrite(at, length, isUser(cpu));
  environmentWords(cpu, size === 4).forEach((word, i) => {
    storeSized(cpu, at + i * size, size, BigInt(word >>> 0));
  });
  if (!all) return;
  for (let i = 0; i < 8; i++) store80(cpu, at + ENVIRONMENT_WORDS * size + i * 10, readSt(cpu, i));
}

/** FNSTENV: stores the environment, then masks all exceptions. */
export function execFnstenv(cpu: Processor, insn: Insn): void {
  store(cpu, insn, false);
  cpu.state.fcw |= X87_EXCEPTIONS;
  updateSummary(cpu);
}

/** FNSAVE: stores the whole state, then initializes. */
export function execFnsave(cpu: Processor, insn: Insn): void {
  store(cpu, insn, true);
  initialize(cpu);
}

/** FLDENV and FRSTOR. */
export function execRestore(cpu: Processor, insn: Insn): void {
  requireX87(cpu);
  checkPending(cpu);
  const all = insn.op === OP.FRSTOR;
  const size = wordSize(insn);
  const at = operandAddress(cpu, insn, ENVIRONMENT_WORDS * size + (all ? 80 : 0), false);
  const words = Array.from({ length: ENVIRONMENT_WORDS }, (_, i) =>
    Number(loadSized(cpu, at + i * size, size)),
  );
  const registers = all
    ? Array.from({ length: 8 }, (_, i) => load80(cpu, at + ENVIRONMENT_WORDS * size + i * 10))
    : [];
  loadEnvironmentWords(cpu, words, size === 4);
  registers.forEach((value, i) => {
    writeContents(cpu, i, value);
  });
  refreshTags(cpu);
}
