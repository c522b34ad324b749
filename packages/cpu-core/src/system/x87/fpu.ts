/**
 * The x87 register stack, status word and exceptions of a processor.
 * Intel SDM Vol. 1, "x87 FPU Execution Environment", "x87 FPU Floating-Point Exception Handling"; Vol. 3, CR0.NE.
 */
import { CR0_EM, CR0_NE, CR0_TS, MF_VECTOR, NM_VECTOR, UD_VECTOR, UnmodelledError } from '@smm/x86-defs';
import { type Insn, K_MEM } from '../../insn.ts';
import * as L from '../../layout.ts';
import type { Processor } from '../../processor.ts';
import { effectiveOffset } from '../operands.ts';
import { type Float80, kindOf, X87_IE } from './number.ts';

/** Status word: stack fault. */
export const FSW_SF = 0x40;
/** Status word: exception summary, an unmasked exception is pending. */
export const FSW_ES = 0x80;
/** Status word: top of stack. */
export const FSW_TOP = 0x3800;
/** Status word: condition code 0. */
export const FSW_C0 = 0x100;
/** Status word: condition code 1. */
const FSW_C1 = 0x200;
/** Status word: condition code 2. */
export const FSW_C2 = 0x400;
/** Status word: condition code 3. */
export const FSW_C3 = 0x4000;
/** Status word: busy, a copy of ES. */
export const FSW_B = 0x8000;
/** The six exception flags, in the status word and (as masks) in the control word. */
export const X87_EXCEPTIONS = 0x3f;
const TAG_EMPTY = 3;

/** Top of stack: the physical register that is ST(0). */
const topOf = (cpu: Processor): number => (cpu.state.fsw >> 11) & 7;

/** Sets the top of stack. */
export function setTop(cpu: Processor, top: number): void {
  const s = cpu.state;
  s.fsw = (s.fsw & ~FSW_TOP) | ((top & 7) << 11);
}

/** Turns the stack without touching tags: by 1 for FINCSTP, by -1 for FDECSTP. */
export function rotate(cpu: Processor, by: number): void {
  setTop(cpu, topOf(cpu) + by);
}

/** Tag of register contents: 0 valid, 1 zero, 2 special. */
export function tagOf(value: Float80): number {
  const kind = kindOf(value);
  if (kind === 'normal') return 0;
  return kind === 'zero' ? 1 : 2;
}

const physical = (cpu: Processor, register: number): number => (topOf(cpu) + register) & 7;

/** Sets the tag of ST(register). */
export function setTag(cpu: Processor, register: number, tag: number): void {
  const s = cpu.state;
  const shift = physical(cpu, register) * 2;
  s.ftw = (s.ftw & ~(3 << shift)) | (tag << shift);
}

/** Marks ST(register) empty. */
export function free(cpu: Processor, register: number): void {
  setTag(cpu, register, TAG_EMPTY);
}

/** True if ST(register) is empty. */
export function isEmpty(cpu: Processor, register: number): boolean {
  return ((cpu.state.ftw >> (physical(cpu, register) * 2)) & 3) === TAG_EMPTY;
}

/** Contents of ST(register), whatever its tag. */
export function readSt(cpu: Processor, register: number): Float80 {
  const at = L.ST_X87 + physical(cpu, register) * 16;
  const head = cpu.state.get32(at + 8);
  return { sign: (head >> 15) & 1, exponent: head & 0x7fff, significand: cpu.state.get64(at) };
}

/** Writes ST(register) without its tag. */
export function writeContents(cpu: Processor, register: number, value: Float80): void {
  const at = L.ST_X87 + physical(cpu, register) * 16;
  cpu.state.set64(at, value.significand);
  cpu.state.set64(at + 8, BigInt((value.sign << 15) | value.exponent));
}

/** Writes ST(register) and its tag. */
export function writeSt(cpu: Processor, register: number, value: Float80): void {
  writeContents(cpu, register, value);
  setTag(cpu, register, tagOf(value));
}

/** Pushes; the caller has checked for overflow. */
export function push(cpu: Processor, value: Float80): void {
  setTop(cpu, topOf(cpu) - 1);
  writeSt(cpu, 0, value);
}

/** Pops: ST(0) becomes empty. */
export function pop(cpu: Processor): void {
  free(cpu, 0);
  setTop(cpu, topOf(cpu) + 1);
}

/** Control word. */
export const controlWord = (cpu: Processor): number => cpu.state.fcw;

/** True if any of these exceptions is not masked. */
export const unmasked = (cpu: Processor, flags: number): boolean =>
  (flags & ~controlWord(cpu) & X87_EXCEPTIONS) !== 0;

/** Makes ES and B agree with flags and masks. */
export function updateSummary(cpu: Processor): void {
  const s = cpu.state;
  const fsw = s.fsw;
  s.fsw = unmasked(cpu, fsw) ? fsw | FSW_ES | FSW_B : fsw & ~(FSW_ES | FSW_B);
}

/** Raises exceptions and sets C1. True if one of `flags` is unmasked. */
export function raise(cpu: Processor, flags: number, c1: boolean): boolean {
  const s = cpu.state;
  s.fsw = (s.fsw & ~FSW_C1) | flags | (c1 ? FSW_C1 : 0);
  updateSummary(cpu);
  if (!unmasked(cpu, flags)) return false;
  const { bytes } = cpu.insn;
  let at = 0;
  while (bytes[at]! < 0xd8 || bytes[at]! > 0xdf) at++;
  s.fop = ((bytes[at]! & 7) << 8) | bytes[at + 1]!;
  return true;
}

/** Stack overflow or underflow. True if the invalid-operation exception is masked: go on with the indefinite. */
export function stackFault(cpu: Processor, overflow: boolean): boolean {
  return !raise(cpu, X87_IE | FSW_SF, overflow);
}

/** Sets C0, C2 and C3 to `conditions` (`FSW_C*`). */
export function setConditions(cpu: Processor, conditions: number): void {
  const s = cpu.state;
  s.fsw = (s.fsw & ~(FSW_C0 | FSW_C2 | FSW_C3)) | conditions;
}

/** #NM as CR0 asks, #UD without an FPU. */
export function requireX87(cpu: Processor): void {
  if (cpu.state.cr0 & (CR0_EM | CR0_TS)) cpu.fault(NM_VECTOR);
  if (!cpu.model.features.has('fpu')) cpu.fault(UD_VECTOR);
}

/** #MF if an unmasked exception is pending. With CR0.NE clear it would be an interrupt through the FERR# pin: loud. */
export function checkPending(cpu: Processor): void {
  if (!(cpu.state.fsw & FSW_ES)) return;
  if (cpu.state.cr0 & CR0_NE) cpu.fault(MF_VECTOR);
  throw new UnmodelledError(
    'CPU_FERR_UNMODELLED',
    `processor ${cpu.index} at RIP ${cpu.insnRip.toString(16)}h: an unmasked x87 exception is pending and CR0.NE is clear`,
    'External x87 error reporting (FERR#, IGNNE#, interrupt request 13) is not modelled: set CR0.NE in the guest.',
    { rip: cpu.insnRip, fsw: cpu.state.fsw },
  );
}

/** Notes the instruction and data pointers of a non-control instruction that has executed. */
function notePointers(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  s.fip = cpu.insnRip;
  let selectors = s.fcsFds;
  selectors = (selectors & 0xffff_0000) | s.segSelector(1);
  if (insn.kind0 === K_MEM) {
    s.fdp = effectiveOffset(cpu, insn);
    selectors = (selectors & 0xffff) | (s.segSelector(insn.segment) << 16);
  }
  s.fcsFds = selectors;
}

/** Wraps the body of a non-control instruction: checks before it, pointers after it. */
export function instruction(
  body: (cpu: Processor, insn: Insn) => void,
): (cpu: Processor, insn: Insn) => void {
  return (cpu, insn) => {
    requireX87(cpu);
    checkPending(cpu);
    body(cpu, insn);
    notePointers(cpu, insn);
  };
}
