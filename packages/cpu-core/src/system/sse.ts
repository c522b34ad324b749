/**
 * The part of SSE that TypeScript executes: FXSAVE, stores by mask, checks.
 * Intel SDM Vol. 1, "FXSAVE and FXRSTOR Instructions"; Vol. 2.
 */
import { CR0_EM, CR0_TS, CR4_OSFXSR, GP_VECTOR, NM_VECTOR } from '@smm/x86-defs';
import { type Insn, K_MM, K_XMM } from '../insn.ts';
import * as L from '../layout.ts';
import { OP, opsThat } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { isUser, loadSized, operandAddress, segmentedAddress, storeSized } from './operands.ts';
import { checkMmx, checkSse } from './unmodelled.ts';
import { setControlWord } from './x87/environment.ts';
import { checkPending, free, updateSummary, writeSt } from './x87/fpu.ts';
import { enterMmx, leaveMmx, readMmx } from './x87/mmx.ts';

/** MXCSR bits that exist. */
export const MXCSR_BITS = 0xffff;
const RDI = 7;
const FXSAVE_SIZE = 512;
const FXSAVE_ST = 32;
const FXSAVE_XMM = 160;

function xmm(cpu: Processor, register: number, half: 0 | 1): bigint {
  return cpu.state.get64(L.ST_XMM + register * 16 + half * 8);
}

function setXmm(cpu: Processor, register: number, low: bigint, high: bigint): void {
  cpu.state.set64(L.ST_XMM + register * 16, low);
  cpu.state.set64(L.ST_XMM + register * 16 + 8, high);
}

function fxAddress(cpu: Processor, insn: Insn, write: boolean): number {
  if (cpu.state.cr0 & (CR0_EM | CR0_TS)) cpu.fault(NM_VECTOR);
  const at = operandAddress(cpu, insn, FXSAVE_SIZE, write);
  if (at & 15) cpu.fault(GP_VECTOR, 0);
  return at;
}

/** FXSAVE and FXSAVE64 (64-bit pointers instead of 32-bit pointers with selectors). */
export function execFxsave(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const at = fxAddress(cpu, insn, true);
  cpu.memory.probeWrite(at, FXSAVE_SIZE, isUser(cpu));
  const tags = s.ftw;
  let abridged = 0;
  for (let i = 0; i < 8; i++) if (((tags >> (2 * i)) & 3) !== 3) abridged |= 1 << i;
  const head = s.fcw | (s.fsw << 16);
  const opcode = BigInt(s.fop);
  storeSized(cpu, at, 8, BigInt(head >>> 0) | (BigInt(abridged) << 32n) | (opcode << 48n));
  const selectors = s.fcsFds;
  [s.fip, s.fdp].forEach((pointer, i) => {
    const selector = BigInt((selectors >>> (16 * i)) & 0xffff);
    const short = (pointer & 0xffff_ffffn) | (selector << 32n);
    storeSized(cpu, at + 8 + i * 8, 8, insn.size === 8 ? pointer : short);
  });
  const sse = (s.cr4 & CR4_OSFXSR) !== 0;
  storeSized(cpu, at + 24, 4, sse ? BigInt(s.mxcsr) : 0n);
  storeSized(cpu, at + 28, 4, BigInt(MXCSR_BITS));
  const top = (s.fsw >> 11) & 7;
  for (let i = 0; i < 8; i++) {
    const from = L.ST_X87 + ((top + i) & 7) * 16;
    storeSized(cpu, at + FXSAVE_ST + i * 16, 8, s.get64(from));
    storeSized(cpu, at + FXSAVE_ST + i * 16 + 8, 8, s.get64(from + 8) & 0xffffn);
  }
  if (!sse) return;
  for (let i = 0; i < (cpu.code64 ? 16 : 8); i++) {
    storeSized(cpu, at + FXSAVE_XMM + i * 16, 8, xmm(cpu, i, 0));
    storeSized(cpu, at + FXSAVE_XMM + i * 16 + 8, 8, xmm(cpu, i, 1));
  }
}

/** FXRSTOR and FXRSTOR64. */
export function execFxrstor(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const at = fxAddress(cpu, insn, false);
  const words = Array.from({ length: 52 }, (_, i) => loadSized(cpu, at + i * 8, 8));
  const sse = (s.cr4 & CR4_OSFXSR) !== 0;
  const mxcsr = Number(words[3]! & 0xffff_ffffn);
  if (sse && mxcsr & ~MXCSR_BITS) cpu.fault(GP_VECTOR, 0);
  const head = words[0]!;
  const fsw = Number((head >> 16n) & 0xffffn);
  setControlWord(cpu, Number(head & 0xffffn));
  s.fsw = fsw;
  updateSummary(cpu);
  s.fop = Number((head >> 48n) & 0x7ffn);
  const [fip, fdp] = [words[1]!, words[2]!];
  const short = (pointer: bigint): bigint => (insn.size === 8 ? pointer : pointer & 0xffff_ffffn);
  const selector = (pointer: bigint): number => (insn.size === 8 ? 0 : Number((pointer >> 32n) & 0xffffn));
  s.fip = short(fip);
  s.fdp = short(fdp);
  s.fcsFds = selector(fip) | (selector(fdp) << 16);
  const abridged = Number((head >> 32n) & 0xffn);
  const top = (fsw >> 11) & 7;
  for (let i = 0; i < 8; i++) {
    const significand = words[(FXSAVE_ST >> 3) + i * 2]!;
    const head = Number(words[(FXSAVE_ST >> 3) + i * 2 + 1]! & 0xffffn);
    writeSt(cpu, i, { sign: head >> 15, exponent: head & 0x7fff, significand });
    if (!((abridged >> ((top + i) & 7)) & 1)) free(cpu, i);
  }
  if (!sse) return;
  s.mxcsr = mxcsr;
  for (let i = 0; i < (cpu.code64 ? 16 : 8); i++) {
    setXmm(cpu, i, words[(FXSAVE_XMM >> 3) + i * 2]!, words[(FXSAVE_XMM >> 3) + i * 2 + 1]!);
  }
}

/** MASKMOVDQU and MASKMOVQ: the bytes of the first operand whose masks are set, to (R/E)DI. */
export function execMaskMove(cpu: Processor, insn: Insn): void {
  checkVector(cpu, insn);
  const mmx = insn.op === OP.MASKMOVQ;
  const half = (register: number, n: 0 | 1): bigint => (mmx ? readMmx(cpu, register) : xmm(cpu, register, n));
  const byte = (register: number, n: number): number =>
    Number((half(register, n < 8 ? 0 : 1) >> BigInt((n & 7) * 8)) & 0xffn);
  const at: number[] = [];
  for (let n = 0; n < (mmx ? 8 : 16); n++) {
    if (!(byte(insn.val1, n) & 0x80)) {
      at.push(Number.NaN);
      continue;
    }
    const offset = BigInt.asUintN(insn.addressSize * 8, cpu.state.gpr64(RDI) + BigInt(n));
    const linear = segmentedAddress(cpu, insn.segment, offset, 1, true);
    cpu.memory.probeWrite(linear, 1, isUser(cpu));
    at.push(linear);
  }
  at.forEach((linear, n) => {
    if (!Number.isNaN(linear)) storeSized(cpu, linear, 1, BigInt(byte(insn.val0, n)));
  });
  if (mmx) enterMmx(cpu);
}

/** EMMS. */
export function execEmms(cpu: Processor): void {
  checkMmx(cpu);
  checkPending(cpu);
  leaveMmx(cpu);
}

/**
 * True if an instruction reads an MMX register or does as if: CVTPI2PS on Intel processors (SDM Vol. 2) even where its
 * operand is memory.
 */
export function readsMmx(cpu: Processor, { op, kind1 }: Insn): boolean {
  return kind1 === K_MM || (op === OP.CVTPI2PS && cpu.model.vendor === 'GenuineIntel');
}

/** #UD, #NM and #MF of an instruction on XMM or MMX registers. */
export function checkVector(cpu: Processor, insn: Insn): void {
  const mmx = insn.kind0 === K_MM || readsMmx(cpu, insn);
  const xmm = insn.kind0 === K_XMM || insn.kind1 === K_XMM || FLOATS.has(insn.op);
  if (xmm || !mmx) checkSse(cpu);
  if (!mmx) return;
  checkMmx(cpu);
  checkPending(cpu);
}

/** Instructions that need the operating system's leave whatever their operands. */
const FLOATS: ReadonlySet<number> = new Set(opsThat(({ does }) => does?.startsWith('float.')));
