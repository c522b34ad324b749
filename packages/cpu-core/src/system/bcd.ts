/**
 * Decimal adjustments. Intel SDM Vol. 2, "DAA", "DAS", "AAA", "AAS", "AAM", "AAD". Undefined flags as current
 * processors leave them.
 */
import { DE_VECTOR, RFLAGS_AF, RFLAGS_CF } from '@smm/x86-defs';
import { STATUS_FLAGS } from '../flags.ts';
import type { Insn } from '../insn.ts';
import { OP } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { setFlags, signZeroParity } from './arithmetic.ts';

/** DAA and DAS. */
export function execDecimalAdjust(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const flags = s.rflags;
  const sign = insn.op === OP.DAA ? 1 : -1;
  const old = s.gpr8(0);
  const carryIn = (flags & RFLAGS_CF) !== 0;
  let al = old;
  let af = 0;
  let cf = false;
  if ((old & 0xf) > 9 || flags & RFLAGS_AF) {
    al += 6 * sign;
    cf = carryIn || al < 0 || al > 0xff;
    af = RFLAGS_AF;
  }
  if (old > 0x99 || carryIn) {
    al += 0x60 * sign;
    cf = true;
  } else if (sign > 0) cf = false;
  al &= 0xff;
  s.setGpr8(0, al);
  setFlags(cpu, STATUS_FLAGS, signZeroParity(BigInt(al), 1) | af | (cf ? RFLAGS_CF : 0));
}

/** AAA and AAS. */
export function execAsciiAdjust(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const sign = insn.op === OP.AAA ? 1 : -1;
  let flags = 0;
  let ax = s.gpr16(0);
  if ((ax & 0xf) > 9 || s.rflags & RFLAGS_AF) {
    ax = (ax + 0x106 * sign) & 0xffff;
    flags = RFLAGS_AF | RFLAGS_CF;
  }
  ax &= 0xff0f;
  s.setGpr16(0, ax);
  setFlags(cpu, STATUS_FLAGS, flags | signZeroParity(BigInt(ax & 0xff), 1));
}

/** AAM. */
export function execAam(cpu: Processor, insn: Insn): void {
  const base = insn.imm & 0xff;
  if (base === 0) cpu.fault(DE_VECTOR);
  const s = cpu.state;
  const al = s.gpr8(0);
  const low = al % base;
  s.setGpr16(0, (Math.floor(al / base) << 8) | low);
  setFlags(cpu, STATUS_FLAGS, signZeroParity(BigInt(low), 1));
}

/** AAD. */
export function execAad(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const ax = s.gpr16(0);
  const low = ((ax & 0xff) + (ax >>> 8) * (insn.imm & 0xff)) & 0xff;
  s.setGpr16(0, low);
  setFlags(cpu, STATUS_FLAGS, signZeroParity(BigInt(low), 1));
}
