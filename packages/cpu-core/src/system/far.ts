/**
 * Far JMP, CALL and RET. Intel SDM Vol. 2, "JMP", "CALL", "RET"; Vol. 3, "Privilege Level Checking When Transferring
 * Program Control".
 */
import {
  DESC_TYPE_CALL_GATE,
  DESC_TYPE_CALL_GATE16,
  GP_VECTOR,
  NP_VECTOR,
  SEG_ATTR_CODE,
  SEG_ATTR_DB,
  SEG_ATTR_DC,
  SEG_ATTR_L,
  SEG_ATTR_P,
  SEG_ATTR_S,
  SEG_CS,
  SEG_SS,
  SS_VECTOR,
  TS_VECTOR,
  UnmodelledError,
} from '@smm/x86-defs';
import { type Insn, K_FAR } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import { effectiveOffset, isCanonicalRange, loadSized, segmentedAddress } from './operands.ts';
import {
  checkStackSegment,
  type Descriptor,
  dropPrivilegedSegments,
  isNull,
  loadDescriptor,
  loadNull,
  loadRealSegment,
  markAccessed,
  readDescriptor,
  realStyle,
} from './segments.ts';
import { Stack } from './stack.ts';
import { tssRsp, tssStack } from './tss.ts';

const RSP = 4;

/**
 * The far pointer that JMPF and CALLF name: in the instruction or in memory, offset first (signed if 64-bit; exact
 * where canonical).
 */
function farPointer(cpu: Processor, insn: Insn): { selector: number; offset: number } {
  if (insn.kind0 === K_FAR) {
    const offset = insn.imm >>> 0;
    return { selector: insn.imm2 & 0xffff, offset: insn.size === 2 ? offset & 0xffff : offset };
  }
  const at = effectiveOffset(cpu, insn);
  const offset = loadSized(cpu, segmentedAddress(cpu, insn.segment, at, insn.size, false), insn.size);
  const next = BigInt.asUintN(insn.addressSize * 8, at + BigInt(insn.size));
  const selector = loadSized(cpu, segmentedAddress(cpu, insn.segment, next, 2, false), 2);
  return { selector: Number(selector), offset: Number(BigInt.asIntN(64, offset)) };
}

/** #GP(0) if `offset`, signed, is not in the code segment (or not canonical, for 64-bit code). */
export function checkCodeOffset(cpu: Processor, code: Descriptor, offset: number): void {
  const long = cpu.longMode && (code.attributes & SEG_ATTR_L) !== 0;
  const inside = long ? isCanonicalRange(offset, 1) : offset >= 0 && offset <= code.limit;
  if (!inside) cpu.fault(GP_VECTOR, 0);
}

/** True for 64-bit code that also claims a 32-bit default. */
function badLongCode(cpu: Processor, d: Descriptor): boolean {
  const both = SEG_ATTR_L | SEG_ATTR_DB;
  return cpu.longMode && (d.attributes & both) === both;
}

function isCode(d: Descriptor): boolean {
  return (d.attributes & (SEG_ATTR_S | SEG_ATTR_CODE)) === (SEG_ATTR_S | SEG_ATTR_CODE);
}

/** Code segment for a direct transfer at the same privilege. */
function checkDirectCode(cpu: Processor, d: Descriptor): void {
  const error = d.selector & 0xfffc;
  const conforming = (d.attributes & SEG_ATTR_DC) !== 0;
  const allowed = conforming ? d.dpl <= cpu.cpl : (d.selector & 3) <= cpu.cpl && d.dpl === cpu.cpl;
  if (!allowed || badLongCode(cpu, d)) cpu.fault(GP_VECTOR, error);
  if (!(d.attributes & SEG_ATTR_P)) cpu.fault(NP_VECTOR, error);
}

interface CallGate {
  selector: number;
  /** Signed; exact where canonical. */
  offset: number;
  size: 2 | 4 | 8;
  parameters: number;
}

/** Checks a system descriptor met by JMPF or CALLF and reads the call gate in it. */
function readCallGate(cpu: Processor, d: Descriptor): CallGate {
  const error = d.selector & 0xfffc;
  const type = d.attributes & 0x1f;
  const long = cpu.longMode;
  const gate = type === DESC_TYPE_CALL_GATE || (!long && type === DESC_TYPE_CALL_GATE16);
  const task = !long && (type === 0x1 || type === 0x5 || type === 0x9);
  if (!gate && !task) cpu.fault(GP_VECTOR, error);
  if (d.dpl < cpu.cpl || d.dpl < (d.selector & 3)) cpu.fault(GP_VECTOR, error);
  if (!(d.attributes & SEG_ATTR_P)) cpu.fault(NP_VECTOR, error);
  if (task) {
    throw new UnmodelledError(
      'CPU_TASK_SWITCH_UNMODELLED',
      `processor ${cpu.index}: far transfer to task selector ${d.selector.toString(16)}h at RIP ${cpu.insnRip.toString(16)}h`,
      'Hardware task switches are not modelled.',
      { selector: d.selector, rip: cpu.insnRip },
    );
  }
  const narrow = type === DESC_TYPE_CALL_GATE16;
  let offset = narrow ? d.low & 0xffff : ((d.high & 0xffff_0000) | (d.low & 0xffff)) >>> 0;
  if (long) {
    if (cpu.memory.load(d.at + 12, 4, false) & 0x1f00) cpu.fault(GP_VECTOR, error);
    offset += (cpu.memory.load(d.at + 8, 4, false) | 0) * 0x1_0000_0000;
  }
  return {
    selector: d.low >>> 16,
    offset,
    size: long ? 8 : narrow ? 2 : 4,
    parameters: long ? 0 : d.high & 0x1f,
  };
}

/** The code segment behind a call gate. */
function gateCode(cpu: Processor, gate: CallGate): Descriptor {
  if (isNull(gate.selector)) cpu.fault(GP_VECTOR, 0);
  const d = readDescriptor(cpu, gate.selector, GP_VECTOR);
  const wrongLong = cpu.longMode && (d.attributes & (SEG_ATTR_L | SEG_ATTR_DB)) !== SEG_ATTR_L;
  if (!isCode(d) || d.dpl > cpu.cpl || wrongLong) cpu.fault(GP_VECTOR, gate.selector & 0xfffc);
  if (!(d.attributes & SEG_ATTR_P)) cpu.fault(NP_VECTOR, gate.selector & 0xfffc);
  return d;
}

function commitCode(cpu: Processor, code: Descriptor, selector: number, offset: number): void {
  markAccessed(cpu, code);
  loadDescriptor(cpu, SEG_CS, (selector & 0xfffc) | cpu.cpl, code);
  cpu.state.setNumber(L.ST_RIP, offset);
  cpu.modeChanged();
}

/** Far JMP. */
export function execJmpFar(cpu: Processor, insn: Insn): void {
  const { selector, offset } = farPointer(cpu, insn);
  const s = cpu.state;
  if (realStyle(cpu)) {
    if (offset > s.segLimit(SEG_CS)) cpu.fault(GP_VECTOR, 0);
    loadRealSegment(cpu, SEG_CS, selector);
    s.setNumber(L.ST_RIP, offset);
    cpu.modeChanged();
    return;
  }
  if (isNull(selector)) cpu.fault(GP_VECTOR, 0);
  const d = readDescriptor(cpu, selector, GP_VECTOR);
  if (isCode(d)) {
    checkDirectCode(cpu, d);
    checkCodeOffset(cpu, d, offset);
    commitCode(cpu, d, selector, offset);
    return;
  }
  if (d.attributes & SEG_ATTR_S) cpu.fault(GP_VECTOR, selector & 0xfffc);
  const gate = readCallGate(cpu, d);
  const code = gateCode(cpu, gate);
  if (!(code.attributes & SEG_ATTR_DC) && code.dpl !== cpu.cpl) cpu.fault(GP_VECTOR, gate.selector & 0xfffc);
  checkCodeOffset(cpu, code, gate.offset);
  commitCode(cpu, code, gate.selector, gate.offset);
}

/** Far CALL. */
export function execCallFar(cpu: Processor, insn: Insn): void {
  const { selector, offset } = farPointer(cpu, insn);
  const s = cpu.state;
  const { size } = insn;
  if (realStyle(cpu)) {
    const stack = Stack.current(cpu);
    stack.push(s.segSelector(SEG_CS), size);
    stack.pushField(L.ST_RIP, size);
    if (offset > s.segLimit(SEG_CS)) cpu.fault(GP_VECTOR, 0);
    stack.commit();
    loadRealSegment(cpu, SEG_CS, selector);
    s.setNumber(L.ST_RIP, offset);
    cpu.modeChanged();
    return;
  }
  if (isNull(selector)) cpu.fault(GP_VECTOR, 0);
  const d = readDescriptor(cpu, selector, GP_VECTOR);
  if (isCode(d)) {
    checkDirectCode(cpu, d);
    const stack = Stack.current(cpu);
    stack.push(s.segSelector(SEG_CS), size);
    stack.pushField(L.ST_RIP, size);
    checkCodeOffset(cpu, d, offset);
    stack.commit();
    commitCode(cpu, d, selector, offset);
    return;
  }
  if (d.attributes & SEG_ATTR_S) cpu.fault(GP_VECTOR, selector & 0xfffc);
  callThroughGate(cpu, readCallGate(cpu, d));
}

function callThroughGate(cpu: Processor, gate: CallGate): void {
  const s = cpu.state;
  const code = gateCode(cpu, gate);
  const inner = !(code.attributes & SEG_ATTR_DC) && code.dpl < cpu.cpl;
  if (!inner) {
    const stack = Stack.current(cpu);
    stack.push(s.segSelector(SEG_CS), gate.size);
    stack.pushField(L.ST_RIP, gate.size);
    checkCodeOffset(cpu, code, gate.offset);
    stack.commit();
    commitCode(cpu, code, gate.selector, gate.offset);
    return;
  }
  const oldStack = Stack.current(cpu);
  let stack: Stack;
  let segment: Descriptor | undefined;
  if (cpu.longMode) {
    const pointer = tssRsp(cpu, code.dpl, 0);
    if (!isCanonicalRange(pointer, 1)) cpu.fault(SS_VECTOR, 0);
    stack = Stack.long(cpu, pointer, code.dpl === 3);
  } else {
    const { selector, pointer } = tssStack(cpu, code.dpl, 0);
    segment = checkStackSegment(cpu, selector, code.dpl, TS_VECTOR);
    stack = Stack.inSegment(cpu, pointer, segment, code.dpl === 3);
  }
  stack.push(s.segSelector(SEG_SS), gate.size);
  stack.pushField(RSP * 8, gate.size);
  const parameters = Array.from({ length: gate.parameters }, () => oldStack.pop64(gate.size));
  for (const parameter of parameters.reverse()) stack.push64(parameter, gate.size);
  stack.push(s.segSelector(SEG_CS), gate.size);
  stack.pushField(L.ST_RIP, gate.size);
  checkCodeOffset(cpu, code, gate.offset);
  markAccessed(cpu, code);
  if (segment) {
    markAccessed(cpu, segment);
    loadDescriptor(cpu, SEG_SS, segment.selector, segment);
  } else loadNull(cpu, SEG_SS, code.dpl);
  loadDescriptor(cpu, SEG_CS, (gate.selector & 0xfffc) | code.dpl, code);
  s.setNumber(L.ST_RIP, gate.offset);
  stack.commit();
  cpu.modeChanged();
}

/** Checks the code segment that RETF and IRET return to; `cpl` is the privilege returned to (RPL). */
export function returnCode(cpu: Processor, selector: number): Descriptor {
  if (isNull(selector)) cpu.fault(GP_VECTOR, 0);
  const error = selector & 0xfffc;
  const rpl = selector & 3;
  const d = readDescriptor(cpu, selector, GP_VECTOR);
  const conforming = (d.attributes & SEG_ATTR_DC) !== 0;
  const allowed = rpl >= cpu.cpl && (conforming ? d.dpl <= rpl : d.dpl === rpl);
  if (!isCode(d) || !allowed || badLongCode(cpu, d)) cpu.fault(GP_VECTOR, error);
  if (!(d.attributes & SEG_ATTR_P)) cpu.fault(NP_VECTOR, error);
  return d;
}

/** SS for a return to privilege `cpl`; undefined for a null SS that 64-bit code may have. */
export function returnStack(
  cpu: Processor,
  selector: number,
  cpl: number,
  code: Descriptor,
): Descriptor | undefined {
  const longTarget = cpu.longMode && (code.attributes & SEG_ATTR_L) !== 0;
  if (isNull(selector) && longTarget && cpl !== 3 && (selector & 3) === cpl) return undefined;
  return checkStackSegment(cpu, selector, cpl, GP_VECTOR);
}

/** Far RET, with `imm` bytes of parameters released. */
export function execRetFar(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const { size } = insn;
  const release = insn.operands > 0 ? insn.imm & 0xffff : 0;
  const stack = Stack.current(cpu);
  const offset = stack.popOffset(size);
  const selector = stack.pop(size) & 0xffff;
  if (realStyle(cpu)) {
    if (offset > s.segLimit(SEG_CS)) cpu.fault(GP_VECTOR, 0);
    stack.release(release);
    stack.commit();
    loadRealSegment(cpu, SEG_CS, selector);
    s.setNumber(L.ST_RIP, offset);
    cpu.modeChanged();
    return;
  }
  const code = returnCode(cpu, selector);
  const rpl = selector & 3;
  checkCodeOffset(cpu, code, offset);
  stack.release(release);
  if (rpl === cpu.cpl) {
    stack.commit();
    commitCode(cpu, code, selector, offset);
    return;
  }
  const pointer = stack.pop64(size);
  const stackSelector = stack.pop(size) & 0xffff;
  const segment = returnStack(cpu, stackSelector, rpl, code);
  markAccessed(cpu, code);
  leaveToOuter(cpu, code, selector, offset, segment, stackSelector, pointer, release);
}

/** Commits a return to an outer level: CS, SS, RSP, and data segments that the new level may not keep. */
export function leaveToOuter(
  cpu: Processor,
  code: Descriptor,
  selector: number,
  offset: number,
  segment: Descriptor | undefined,
  stackSelector: number,
  pointer: bigint,
  release: number,
): void {
  const s = cpu.state;
  if (segment) markAccessed(cpu, segment);
  loadDescriptor(cpu, SEG_CS, selector, code);
  if (segment) loadDescriptor(cpu, SEG_SS, stackSelector, segment);
  else loadNull(cpu, SEG_SS, stackSelector);
  s.setNumber(L.ST_RIP, offset);
  const target = release === 0 ? pointer : pointer + BigInt(release);
  const long = cpu.longMode && (code.attributes & SEG_ATTR_L) !== 0;
  if (long) s.setGpr64(RSP, target);
  else if (s.segAttr(SEG_SS) & SEG_ATTR_DB) s.setGpr32(RSP, Number(BigInt.asUintN(32, target)));
  else s.setGpr16(RSP, Number(BigInt.asUintN(16, target)));
  dropPrivilegedSegments(cpu, selector & 3);
  cpu.modeChanged();
}
