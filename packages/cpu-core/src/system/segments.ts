/**
 * Descriptors and segment register loads with their checks. Intel SDM Vol. 3, "Segment Descriptors", "Privilege Level
 * Checking".
 */
import {
  CR0_PE,
  GP_VECTOR,
  NP_VECTOR,
  RFLAGS_VM,
  SEG_ATTR_A,
  SEG_ATTR_CODE,
  SEG_ATTR_DC,
  SEG_ATTR_P,
  SEG_ATTR_RW,
  SEG_ATTR_S,
  SEG_LDTR,
  SEG_SS,
  SS_VECTOR,
} from '@smm/x86-defs';
import type { Processor } from '../processor.ts';
import type { CpuState } from '../state.ts';

/** Writes a whole segment register. `base` is linear. */
export function setSegment(
  s: CpuState,
  segment: number,
  selector: number,
  base: number,
  limit: number,
  attributes: number,
): void {
  s.setSegSelector(segment, selector);
  s.setSegBase(segment, base);
  s.setSegLimit(segment, limit);
  s.setSegAttr(segment, attributes);
}

/** A descriptor read from the GDT or LDT. */
export interface Descriptor {
  /** Selector it was read by. */
  selector: number;
  /** Linear address of the descriptor. */
  at: number;
  /** Low dword. */
  low: number;
  /** High dword. */
  high: number;
  /** Attributes, 16-bit save-state form. */
  attributes: number;
  /** Base, linear, 32 bit. */
  base: number;
  /** Limit in bytes. */
  limit: number;
  /** DPL. */
  dpl: number;
}

/** Splits the two dwords of a descriptor. */
function parseDescriptor(selector: number, at: number, low: number, high: number): Descriptor {
  const attributes = (high >>> 8) & 0xf0ff;
  const raw = (low & 0xffff) | (high & 0xf_0000);
  return {
    selector,
    at,
    low,
    high,
    attributes,
    base: ((low >>> 16) | ((high & 0xff) << 16) | (high & 0xff00_0000)) >>> 0,
    limit: (attributes & 0x8000 ? ((raw << 12) | 0xfff) >>> 0 : raw) >>> 0,
    dpl: (attributes >> 5) & 3,
  };
}

/** True if the selector is null (index 0 of the GDT). */
export function isNull(selector: number): boolean {
  return (selector & 0xfffc) === 0;
}

/** Reads a descriptor; a selector beyond its table raises `vector` with the selector (and `ext`). */
export function readDescriptor(cpu: Processor, selector: number, vector: number, ext = 0): Descriptor {
  const s = cpu.state;
  const index = selector & 0xfff8;
  const local = (selector & 4) !== 0;
  const usable = !local || (s.segAttr(SEG_LDTR) & SEG_ATTR_P && !isNull(s.segSelector(SEG_LDTR)));
  const limit = local ? s.segLimit(SEG_LDTR) : s.gdtrLimit;
  if (!usable || index + 7 > limit) cpu.fault(vector, (selector & 0xfffc) | ext);
  const base = local ? s.segBase(SEG_LDTR) : s.gdtrBase;
  const at = cpu.longMode ? base + index : (base + index) >>> 0;
  const low = cpu.memory.load(at, 4, false);
  return parseDescriptor(
    selector,
    at,
    low,
    cpu.memory.load(cpu.longMode ? at + 4 : (at + 4) >>> 0, 4, false),
  );
}

/** Sets the accessed bit in memory if it is clear, and in the descriptor. */
export function markAccessed(cpu: Processor, d: Descriptor): void {
  if (d.attributes & SEG_ATTR_A) return;
  d.attributes |= SEG_ATTR_A;
  d.high |= 0x100;
  cpu.memory.store(d.at + 5, 1, (d.high >>> 8) & 0xff, false);
}

/** Puts a descriptor into a segment register with the selector given. */
export function loadDescriptor(cpu: Processor, segment: number, selector: number, d: Descriptor): void {
  setSegment(cpu.state, segment, selector, d.base, d.limit, d.attributes);
}

/** Real mode and virtual-8086: base = selector * 16; in real mode limit and attributes stay. */
export function loadRealSegment(cpu: Processor, segment: number, selector: number): void {
  const s = cpu.state;
  if (s.eflags & RFLAGS_VM) {
    setSegment(s, segment, selector, selector * 16, 0xffff, 0xf3);
    return;
  }
  s.setSegSelector(segment, selector);
  s.setSegBase(segment, selector * 16);
}

/** True if segments are loaded as in real mode. */
export function realStyle(cpu: Processor): boolean {
  const s = cpu.state;
  return !(s.cr0 & CR0_PE) || (s.eflags & RFLAGS_VM) !== 0;
}

/** Marks a data segment register null: any use outside 64-bit mode faults. */
export function loadNull(cpu: Processor, segment: number, selector: number): void {
  const dpl = segment === SEG_SS ? (selector & 3) << 5 : 0;
  setSegment(cpu.state, segment, selector, 0, 0, dpl);
}

/** Checks a stack segment for privilege `cpl`. Errors raise `vector` (#GP, #TS); not present raises #SS. */
export function checkStackSegment(
  cpu: Processor,
  selector: number,
  cpl: number,
  vector: number,
  ext = 0,
): Descriptor {
  if (isNull(selector)) cpu.fault(vector, ext);
  const d = readDescriptor(cpu, selector, vector, ext);
  const writable = (d.attributes & (SEG_ATTR_S | SEG_ATTR_CODE | SEG_ATTR_RW)) === (SEG_ATTR_S | SEG_ATTR_RW);
  if ((selector & 3) !== cpl || d.dpl !== cpl || !writable) cpu.fault(vector, (selector & 0xfffc) | ext);
  if (!(d.attributes & SEG_ATTR_P)) cpu.fault(SS_VECTOR, (selector & 0xfffc) | ext);
  return d;
}

/** MOV, POP and LxS to ES, SS, DS, FS, GS. Recomputes the mode. */
export function loadSegment(cpu: Processor, segment: number, selector: number): void {
  if (realStyle(cpu)) loadRealSegment(cpu, segment, selector);
  else if (segment === SEG_SS) loadStackSegment(cpu, selector);
  else loadDataSegment(cpu, segment, selector);
  cpu.modeChanged();
}

function loadStackSegment(cpu: Processor, selector: number): void {
  const { cpl } = cpu;
  if (isNull(selector) && cpu.code64 && cpl < 3 && (selector & 3) === cpl) {
    loadNull(cpu, SEG_SS, selector);
    return;
  }
  const d = checkStackSegment(cpu, selector, cpl, GP_VECTOR);
  markAccessed(cpu, d);
  loadDescriptor(cpu, SEG_SS, selector, d);
}

function loadDataSegment(cpu: Processor, segment: number, selector: number): void {
  if (isNull(selector)) {
    loadNull(cpu, segment, selector);
    return;
  }
  const d = readDescriptor(cpu, selector, GP_VECTOR);
  const { attributes } = d;
  const code = (attributes & SEG_ATTR_CODE) !== 0;
  const readable = (attributes & SEG_ATTR_S) !== 0 && (!code || (attributes & SEG_ATTR_RW) !== 0);
  const conforming = code && (attributes & SEG_ATTR_DC) !== 0;
  const privileged = !conforming && ((selector & 3) > d.dpl || cpu.cpl > d.dpl);
  if (!readable || privileged) cpu.fault(GP_VECTOR, selector & 0xfffc);
  if (!(attributes & SEG_ATTR_P)) cpu.fault(NP_VECTOR, selector & 0xfffc);
  markAccessed(cpu, d);
  loadDescriptor(cpu, segment, selector, d);
}

/** After a return to an outer level: data segments that the new CPL may not use become null. */
export function dropPrivilegedSegments(cpu: Processor, cpl: number): void {
  const s = cpu.state;
  for (const segment of [0, 3, 4, 5]) {
    const attributes = s.segAttr(segment);
    const conforming = (attributes & (SEG_ATTR_CODE | SEG_ATTR_DC)) === (SEG_ATTR_CODE | SEG_ATTR_DC);
    if (attributes & SEG_ATTR_P && !conforming && ((attributes >> 5) & 3) < cpl) loadNull(cpu, segment, 0);
  }
}
