/** Segmented memory and operands for helpers. Intel SDM Vol. 3, "Protection"; Vol. 1, "Operand Addressing". */
import {
  CR0_PE,
  GP_VECTOR,
  RFLAGS_VM,
  SEG_ATTR_CODE,
  SEG_ATTR_DB,
  SEG_ATTR_DC,
  SEG_ATTR_P,
  SEG_ATTR_RW,
  SEG_FS,
  SEG_SS,
  SS_VECTOR,
} from '@smm/x86-defs';
import { type Insn, K_IMM, K_MEM, K_REG, REG_NONE, REG_RIP } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';

/** Highest canonical address of the low half, plus 1 (48-bit linear addresses). */
const CANONICAL_END = 0x8000_0000_0000;

/** True for user-mode accesses (CPL 3). */
export function isUser(cpu: Processor): boolean {
  return (cpu.state.mode & L.MODE_USER) !== 0;
}

/** True if `offset`..`offset + size - 1` is within a segment's limit; expand-down segments included. */
export function withinLimit(attributes: number, limit: number, offset: number, size: number): boolean {
  const last = offset + size - 1;
  if ((attributes & (SEG_ATTR_CODE | SEG_ATTR_DC)) === SEG_ATTR_DC) {
    return offset > limit && last <= (attributes & SEG_ATTR_DB ? 0xffff_ffff : 0xffff);
  }
  return last <= limit;
}

/** Outside 64-bit mode: a segment's limit and type allow an access. */
export function legacyAllowed(
  cpu: Processor,
  segment: number,
  offset: number,
  size: number,
  write: boolean,
): boolean {
  const s = cpu.state;
  const attributes = s.segAttr(segment);
  if (!withinLimit(attributes, s.segLimit(segment), offset, size)) return false;
  if (!(s.cr0 & CR0_PE) || s.eflags & RFLAGS_VM) return true;
  if ((attributes & SEG_ATTR_P) === 0) return false;
  const code = (attributes & SEG_ATTR_CODE) !== 0;
  const readWrite = (attributes & SEG_ATTR_RW) !== 0;
  return write ? !code && readWrite : !code || readWrite;
}

/** Outside 64-bit mode: checks an access and returns its linear address. Raises #GP(0), or #SS(0) for SS. */
export function legacyAddress(
  cpu: Processor,
  segment: number,
  offset: number,
  size: number,
  write: boolean,
): number {
  if (!legacyAllowed(cpu, segment, offset, size, write))
    cpu.fault(segment === SEG_SS ? SS_VECTOR : GP_VECTOR, 0);
  return (cpu.state.segBase(segment) + offset) >>> 0;
}

/** True if all of `size` bytes from a linear address, signed, are canonical and in the same half. */
export function isCanonicalRange(linear: number, size: number): boolean {
  const end = linear + size - 1;
  return (linear >= 0 && end < CANONICAL_END) || (linear >= -CANONICAL_END && end < 0);
}

/**
 * In 64-bit mode: adds the base of FS or GS, checks that all bytes are canonical. `offset` is the 64-bit effective
 * address.
 */
function longAddress(cpu: Processor, segment: number, offset: bigint, size: number): number {
  let linear = offset;
  if (segment >= SEG_FS) linear += cpu.state.get64(L.ST_SEG_BASE + segment * 8);
  const at = Number(BigInt.asIntN(64, linear));
  if (!isCanonicalRange(at, size)) cpu.fault(segment === SEG_SS ? SS_VECTOR : GP_VECTOR, 0);
  return at;
}

/** Linear address of `offset` in a segment for an access in the current mode, checked. */
export function segmentedAddress(
  cpu: Processor,
  segment: number,
  offset: bigint,
  size: number,
  write: boolean,
): number {
  if (cpu.code64) return longAddress(cpu, segment, offset, size);
  return legacyAddress(cpu, segment, Number(offset & 0xffff_ffffn), size, write);
}

/** Effective address (offset in the segment) of the memory operand, cut to the address size. */
export function effectiveOffset(cpu: Processor, insn: Insn): bigint {
  const s = cpu.state;
  let offset = (BigInt(insn.dispHigh) << 32n) | BigInt(insn.disp >>> 0);
  if (insn.base === REG_RIP) offset += s.rip;
  else if (insn.base !== REG_NONE) offset += s.gpr64(insn.base);
  if (insn.index !== REG_NONE) offset += s.gpr64(insn.index) << BigInt(insn.scale);
  return BigInt.asUintN(insn.addressSize * 8, offset);
}

/** Sums of so large parts may not be exact in doubles. */
const EXACT = 2 ** 50;

/** What {@link operandAddress} gives, without bigints; NaN where that is not exact, or raises a fault. */
function simpleAddress(
  cpu: Processor,
  insn: Insn,
  size: number,
  write: boolean,
  displacement: number,
): number {
  const s = cpu.state;
  const { base, index, segment } = insn;
  if (!cpu.code64) {
    let offset = insn.disp + displacement;
    if (base !== REG_NONE) offset += s.gpr32(base);
    if (index !== REG_NONE) offset += s.gpr32(index) * (1 << insn.scale);
    offset = insn.addressSize === 2 ? offset & 0xffff : offset >>> 0;
    return legacyAddress(cpu, segment, offset, size, write);
  }
  if (insn.addressSize !== 8) return Number.NaN;
  const fixed = insn.dispHigh * 0x1_0000_0000 + (insn.disp >>> 0) + displacement;
  const from = base === REG_NONE ? 0 : base === REG_RIP ? s.getSigned(L.ST_RIP) : s.getSigned(base * 8);
  const scaled = index === REG_NONE ? 0 : s.getSigned(index * 8) * (1 << insn.scale);
  const segmentBase = segment >= SEG_FS ? s.segBase(segment) : 0;
  const exact =
    Math.abs(fixed) < EXACT &&
    Math.abs(from) < EXACT &&
    Math.abs(scaled) < EXACT &&
    Math.abs(segmentBase) < EXACT;
  const at = fixed + from + scaled + segmentBase;
  const end = at + size - 1;
  const canonical = (at >= 0 && end < CANONICAL_END) || (at >= -CANONICAL_END && end < 0);
  return exact && canonical ? at : Number.NaN;
}

/** Checked linear address of the memory operand, `size` bytes of it; `displacement` bytes further on. */
export function operandAddress(
  cpu: Processor,
  insn: Insn,
  size: number,
  write: boolean,
  displacement = 0,
): number {
  const simple = simpleAddress(cpu, insn, size, write, displacement);
  if (!Number.isNaN(simple)) return simple;
  let offset = effectiveOffset(cpu, insn);
  if (displacement) offset = BigInt.asUintN(insn.addressSize * 8, offset + BigInt(displacement));
  return segmentedAddress(cpu, insn.segment, offset, size, write);
}

/** Reads 1, 2, 4 or 8 bytes at a linear address. */
export function loadSized(cpu: Processor, linear: number, size: number): bigint {
  const user = isUser(cpu);
  return size === 8
    ? cpu.memory.load64(linear, user)
    : BigInt(cpu.memory.load(linear, size as 1 | 2 | 4, user));
}

/** Writes 1, 2, 4 or 8 bytes at a linear address. */
export function storeSized(cpu: Processor, linear: number, size: number, value: bigint): void {
  const user = isUser(cpu);
  if (size === 8) cpu.memory.store64(linear, BigInt.asUintN(64, value), user);
  else cpu.memory.store(linear, size as 1 | 2 | 4, Number(BigInt.asUintN(size * 8, value)), user);
}

/** Reads a register by operand value (byte offset into the GPR file) and width. */
export function readRegister(cpu: Processor, at: number, size: number): bigint {
  const s = cpu.state;
  if (size === 1) return BigInt(s.gpr8(at));
  if (size === 2) return BigInt(s.gpr16(at >>> 3));
  return size === 4 ? BigInt(s.gpr32(at >>> 3)) : s.gpr64(at >>> 3);
}

/** Writes a register by operand value and width; a 32-bit write clears the upper half. */
export function writeRegister(cpu: Processor, at: number, size: number, value: bigint): void {
  const s = cpu.state;
  if (size === 1) s.setGpr8(at, Number(value & 0xffn));
  else if (size === 2) s.setGpr16(at >>> 3, Number(value & 0xffffn));
  else if (size === 4) s.setGpr32(at >>> 3, Number(value & 0xffff_ffffn));
  else s.setGpr64(at >>> 3, BigInt.asUintN(64, value));
}

function operand(insn: Insn, which: 0 | 1 | 2): readonly [kind: number, value: number, size: number] {
  if (which === 0) return [insn.kind0, insn.val0, insn.size0];
  return which === 1 ? [insn.kind1, insn.val1, insn.size1] : [insn.kind2, insn.val2, insn.size2];
}

/** Reads operand `which` (register, memory or immediate), zero-extended from its width. */
export function readOperand(cpu: Processor, insn: Insn, which: 0 | 1 | 2): bigint {
  const [kind, value, size] = operand(insn, which);
  if (kind === K_REG) return readRegister(cpu, value, size);
  if (kind === K_MEM) return loadSized(cpu, operandAddress(cpu, insn, size, false), size);
  if (kind === K_IMM) {
    return BigInt.asUintN((size || insn.size) * 8, (BigInt(insn.immHigh) << 32n) | BigInt(insn.imm >>> 0));
  }
  throw new RangeError(`operand ${which}: kind ${kind} is not readable here`);
}

/** Writes operand `which` (register or memory), cut to its width. */
export function writeOperand(cpu: Processor, insn: Insn, which: 0 | 1, value: bigint): void {
  const [kind, at, size] = operand(insn, which);
  if (kind === K_REG) writeRegister(cpu, at, size, value);
  else storeSized(cpu, operandAddress(cpu, insn, size, true), size, value);
}

/** Faults as a write to operand `which` would (read-modify-write helpers call it before changing anything). */
export function probeOperand(cpu: Processor, insn: Insn, which: 0 | 1): void {
  const [kind, , size] = operand(insn, which);
  if (kind === K_MEM) cpu.memory.probeWrite(operandAddress(cpu, insn, size, true), size, isUser(cpu));
}
