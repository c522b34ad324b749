/**
 * Instructions on segment registers, LDTR, TR and descriptors. Intel SDM Vol. 2, "LAR", "LSL", "LLDT", "LTR",
 * "VERR/VERW", "ARPL".
 */
import {
  DESC_TYPE_LDT,
  DESC_TYPE_TSS_AVAIL,
  DESC_TYPE_TSS16_AVAIL,
  GP_VECTOR,
  NP_VECTOR,
  RFLAGS_ZF,
  SEG_ATTR_CODE,
  SEG_ATTR_DC,
  SEG_ATTR_P,
  SEG_ATTR_RW,
  SEG_ATTR_S,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_LDTR,
  SEG_SS,
  SEG_TR,
  UD_VECTOR,
} from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import { OP } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { setFlags } from './arithmetic.ts';
import {
  effectiveOffset,
  loadSized,
  readOperand,
  segmentedAddress,
  writeOperand,
  writeRegister,
} from './operands.ts';
import {
  type Descriptor,
  isNull,
  loadDescriptor,
  loadSegment,
  readDescriptor,
  realStyle,
  setSegment,
} from './segments.ts';
import { Stack } from './stack.ts';
import { checkUmip, requireCpl0 } from './system-registers.ts';

/** MOV SS and POP SS: interrupts, NMIs and single-step traps wait for one more instruction. */
function shadowAfterStackSegment(cpu: Processor, segment: number): void {
  if (segment !== SEG_SS) return;
  cpu.state.activity |= L.ACT_SHADOW_MOVSS;
  cpu.recheckEvents();
}

/** MOV Sreg, r/m16. */
export function execMovToSegment(cpu: Processor, insn: Insn): void {
  const segment = insn.val0;
  if (segment === SEG_CS || segment > SEG_GS) cpu.fault(UD_VECTOR);
  loadSegment(cpu, segment, Number(readOperand(cpu, insn, 1) & 0xffffn));
  shadowAfterStackSegment(cpu, segment);
}

/** MOV r/m, Sreg. */
export function execMovFromSegment(cpu: Processor, insn: Insn): void {
  if (insn.val1 > SEG_GS) cpu.fault(UD_VECTOR);
  writeOperand(cpu, insn, 0, BigInt(cpu.state.segSelector(insn.val1)));
}

/** PUSH Sreg. */
export function execPushSegment(cpu: Processor, insn: Insn): void {
  const stack = Stack.current(cpu);
  stack.push(cpu.state.segSelector(insn.val0), insn.size);
  stack.commit();
}

/** POP Sreg. */
export function execPopSegment(cpu: Processor, insn: Insn): void {
  const stack = Stack.current(cpu);
  const selector = stack.pop(insn.size) & 0xffff;
  loadSegment(cpu, insn.val0, selector);
  stack.commit();
  shadowAfterStackSegment(cpu, insn.val0);
}

const FAR_LOADS: ReadonlyMap<number, number> = new Map([
  [OP.LES, SEG_ES],
  [OP.LDS, SEG_DS],
  [OP.LSS, SEG_SS],
  [OP.LFS, SEG_FS],
  [OP.LGS, SEG_GS],
]);

/** LES LDS LSS LFS LGS. */
export function execLoadFarPointer(cpu: Processor, insn: Insn): void {
  const at = effectiveOffset(cpu, insn);
  const offset = loadSized(cpu, segmentedAddress(cpu, insn.segment, at, insn.size, false), insn.size);
  const next = BigInt.asUintN(insn.addressSize * 8, at + BigInt(insn.size));
  const selector = loadSized(cpu, segmentedAddress(cpu, insn.segment, next, 2, false), 2);
  loadSegment(cpu, FAR_LOADS.get(insn.op)!, Number(selector));
  writeRegister(cpu, insn.val0, insn.size, offset);
}

/** Loads the base's upper half of a 16-byte system descriptor. */
function systemBase(cpu: Processor, d: Descriptor): bigint {
  if (!cpu.longMode) return BigInt(d.base);
  if (cpu.memory.load(d.at + 12, 4, false) & 0x1f00) cpu.fault(GP_VECTOR, d.selector & 0xfffc);
  return (BigInt(cpu.memory.load(d.at + 8, 4, false)) << 32n) | BigInt(d.base);
}

/** Reads a descriptor that must be in the GDT. */
function globalDescriptor(cpu: Processor, selector: number): Descriptor {
  if (selector & 4) cpu.fault(GP_VECTOR, selector & 0xfffc);
  return readDescriptor(cpu, selector, GP_VECTOR);
}

/** LLDT. */
export function execLldt(cpu: Processor, insn: Insn): void {
  if (realStyle(cpu)) cpu.fault(UD_VECTOR);
  requireCpl0(cpu);
  const selector = Number(readOperand(cpu, insn, 0) & 0xffffn);
  if (isNull(selector)) {
    setSegment(cpu.state, SEG_LDTR, selector, 0, 0, 0);
    return;
  }
  const d = globalDescriptor(cpu, selector);
  if ((d.attributes & 0x1f) !== DESC_TYPE_LDT) cpu.fault(GP_VECTOR, selector & 0xfffc);
  if (!(d.attributes & SEG_ATTR_P)) cpu.fault(NP_VECTOR, selector & 0xfffc);
  const base = systemBase(cpu, d);
  loadDescriptor(cpu, SEG_LDTR, selector, d);
  cpu.state.set64(L.ST_SEG_BASE + SEG_LDTR * 8, base);
}

/** LTR: marks the TSS busy. */
export function execLtr(cpu: Processor, insn: Insn): void {
  if (realStyle(cpu)) cpu.fault(UD_VECTOR);
  requireCpl0(cpu);
  const selector = Number(readOperand(cpu, insn, 0) & 0xffffn);
  if (isNull(selector)) cpu.fault(GP_VECTOR, 0);
  const d = globalDescriptor(cpu, selector);
  const type = d.attributes & 0x1f;
  const available = type === DESC_TYPE_TSS_AVAIL || (!cpu.longMode && type === DESC_TYPE_TSS16_AVAIL);
  if (!available) cpu.fault(GP_VECTOR, selector & 0xfffc);
  if (!(d.attributes & SEG_ATTR_P)) cpu.fault(NP_VECTOR, selector & 0xfffc);
  const base = systemBase(cpu, d);
  d.attributes |= 2;
  cpu.memory.store(d.at + 5, 1, d.attributes & 0xff, false);
  loadDescriptor(cpu, SEG_TR, selector, d);
  cpu.state.set64(L.ST_SEG_BASE + SEG_TR * 8, base);
}

/** SLDT and STR. */
export function execStoreSelector(cpu: Processor, insn: Insn): void {
  if (realStyle(cpu)) cpu.fault(UD_VECTOR);
  checkUmip(cpu);
  const segment = insn.op === OP.SLDT ? SEG_LDTR : SEG_TR;
  writeOperand(cpu, insn, 0, BigInt(cpu.state.segSelector(segment)));
}

/** Descriptor for LAR, LSL, VERR and VERW; undefined where they answer ZF = 0. */
function lookUp(cpu: Processor, selector: number): Descriptor | undefined {
  if (isNull(selector)) return undefined;
  const s = cpu.state;
  const local = (selector & 4) !== 0;
  if (local && !(s.segAttr(SEG_LDTR) & SEG_ATTR_P && !isNull(s.segSelector(SEG_LDTR)))) return undefined;
  const limit = local ? s.segLimit(SEG_LDTR) : s.gdtrLimit;
  if ((selector & 0xfff8) + 7 > limit) return undefined;
  return readDescriptor(cpu, selector, GP_VECTOR);
}

/** True if the privilege lets the selector be used. */
function visible(cpu: Processor, d: Descriptor): boolean {
  const conforming =
    (d.attributes & (SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_DC)) ===
    (SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_DC);
  return conforming || (cpu.cpl <= d.dpl && (d.selector & 3) <= d.dpl);
}

/** System types that LAR accepts outside and in long mode. */
const LAR_TYPES: ReadonlySet<number> = new Set([0x1, 0x2, 0x3, 0x4, 0x5, 0x9, 0xb, 0xc]);
const LAR_TYPES_LONG: ReadonlySet<number> = new Set([0x2, 0x9, 0xb, 0xc]);
const LSL_TYPES: ReadonlySet<number> = new Set([0x1, 0x2, 0x3, 0x9, 0xb]);
const LSL_TYPES_LONG: ReadonlySet<number> = new Set([0x2, 0x9, 0xb]);

/** LAR and LSL. */
export function execDescriptorQuery(cpu: Processor, insn: Insn): void {
  if (realStyle(cpu)) cpu.fault(UD_VECTOR);
  const selector = Number(readOperand(cpu, insn, 1) & 0xffffn);
  const d = lookUp(cpu, selector);
  const lar = insn.op === OP.LAR;
  const long = cpu.longMode;
  const types = lar ? (long ? LAR_TYPES_LONG : LAR_TYPES) : long ? LSL_TYPES_LONG : LSL_TYPES;
  const good = d && visible(cpu, d) && (d.attributes & SEG_ATTR_S || types.has(d.attributes & 0xf));
  if (d && good) {
    const value = lar ? (d.high & 0xf0_ff00) >>> 0 : d.limit;
    writeRegister(cpu, insn.val0, insn.size, BigInt.asUintN(insn.size * 8, BigInt(value)));
  }
  setFlags(cpu, RFLAGS_ZF, good ? RFLAGS_ZF : 0);
}

/** VERR and VERW. */
export function execVerify(cpu: Processor, insn: Insn): void {
  if (realStyle(cpu)) cpu.fault(UD_VECTOR);
  const d = lookUp(cpu, Number(readOperand(cpu, insn, 0) & 0xffffn));
  let good = false;
  if (d && d.attributes & SEG_ATTR_S && visible(cpu, d)) {
    const code = (d.attributes & SEG_ATTR_CODE) !== 0;
    const rw = (d.attributes & SEG_ATTR_RW) !== 0;
    good = insn.op === OP.VERR ? !code || rw : !code && rw;
  }
  setFlags(cpu, RFLAGS_ZF, good ? RFLAGS_ZF : 0);
}

/** ARPL. */
export function execArpl(cpu: Processor, insn: Insn): void {
  if (realStyle(cpu)) cpu.fault(UD_VECTOR);
  const target = readOperand(cpu, insn, 0);
  const rpl = readOperand(cpu, insn, 1) & 3n;
  const lower = (target & 3n) < rpl;
  if (lower) writeOperand(cpu, insn, 0, (target & ~3n) | rpl);
  setFlags(cpu, RFLAGS_ZF, lower ? RFLAGS_ZF : 0);
}
