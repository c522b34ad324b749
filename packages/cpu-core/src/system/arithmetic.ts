/** Arithmetic too rare for the engine: RCL, RCR, SHLD, SHRD, 64-bit division, bit counting, CRC32. Intel SDM Vol. 2. */
import { DE_VECTOR, RFLAGS_CF, RFLAGS_OF, RFLAGS_SF, RFLAGS_ZF } from '@smm/x86-defs';
import { parity, STATUS_FLAGS } from '../flags.ts';
import type { Insn } from '../insn.ts';
import { OP } from '../ops.ts';
import type { Processor } from '../processor.ts';
import { probeOperand, readOperand, writeOperand } from './operands.ts';

/** Replaces the flags in `mask`. */
export function setFlags(cpu: Processor, mask: number, flags: number): void {
  const s = cpu.state;
  s.rflags = (s.rflags & ~mask) | (flags & mask);
}

/** SF, ZF and PF of a result of `size` bytes. */
export function signZeroParity(result: bigint, size: number): number {
  const sign = (result >> BigInt(size * 8 - 1)) & 1n;
  return (result === 0n ? RFLAGS_ZF : 0) | (sign ? RFLAGS_SF : 0) | parity(Number(result & 0xffn));
}

/** SHLD and SHRD. A 16-bit shift by more than 16 goes on with the destination's own bits (undefined in the manual). */
export function execDoubleShift(cpu: Processor, insn: Insn): void {
  const width = insn.size0 * 8;
  const bits = BigInt(width);
  const count = readOperand(cpu, insn, 2) & (width === 64 ? 63n : 31n);
  probeOperand(cpu, insn, 0);
  const value = readOperand(cpu, insn, 0);
  if (count === 0n) {
    writeOperand(cpu, insn, 0, value);
    return;
  }
  const other = readOperand(cpu, insn, 1);
  let result: bigint;
  let carry: bigint;
  if (insn.op === OP.SHLD) {
    const chain = (value << (2n * bits)) | (other << bits) | value;
    result = BigInt.asUintN(width, (chain << count) >> (2n * bits));
    carry = (chain >> (3n * bits - count)) & 1n;
  } else {
    const chain = (value << (2n * bits)) | (other << bits) | value;
    result = BigInt.asUintN(width, chain >> count);
    carry = (chain >> (count - 1n)) & 1n;
  }
  writeOperand(cpu, insn, 0, result);
  const overflow = ((value ^ result) >> (bits - 1n)) & 1n;
  setFlags(
    cpu,
    STATUS_FLAGS,
    signZeroParity(result, insn.size0) | (carry ? RFLAGS_CF : 0) | (overflow ? RFLAGS_OF : 0),
  );
}

/** DIV and IDIV of RDX:RAX by a 64-bit operand. Flags are left alone. */
export function execDivide64(cpu: Processor, insn: Insn): void {
  const s = cpu.state;
  const signed = insn.op === OP.IDIV;
  const operand = readOperand(cpu, insn, 0);
  const divisor = signed ? BigInt.asIntN(64, operand) : operand;
  const whole = (s.gpr64(2) << 64n) | s.gpr64(0);
  const dividend = signed ? BigInt.asIntN(128, whole) : whole;
  if (divisor === 0n) cpu.fault(DE_VECTOR);
  const quotient = dividend / divisor;
  const fits = signed ? BigInt.asIntN(64, quotient) === quotient : quotient >> 64n === 0n;
  if (!fits) cpu.fault(DE_VECTOR);
  s.setGpr64(0, BigInt.asUintN(64, quotient));
  s.setGpr64(2, BigInt.asUintN(64, dividend % divisor));
}

function bitLength(value: bigint): number {
  return value === 0n ? 0 : value.toString(2).length;
}

/** POPCNT. */
export function execPopcnt(cpu: Processor, insn: Insn): void {
  const value = readOperand(cpu, insn, 1);
  const ones = value.toString(2).replaceAll('0', '').length;
  writeOperand(cpu, insn, 0, BigInt(ones));
  setFlags(cpu, STATUS_FLAGS, value === 0n ? RFLAGS_ZF : 0);
}

/** LZCNT. */
export function execLzcnt(cpu: Processor, insn: Insn): void {
  const value = readOperand(cpu, insn, 1);
  const length = bitLength(value);
  const zeros = insn.size1 * 8 - length;
  writeOperand(cpu, insn, 0, BigInt(zeros));
  setFlags(cpu, RFLAGS_ZF | RFLAGS_CF, (zeros === 0 ? RFLAGS_ZF : 0) | (value === 0n ? RFLAGS_CF : 0));
}

/** TZCNT. */
export function execTzcnt(cpu: Processor, insn: Insn): void {
  const value = readOperand(cpu, insn, 1);
  const zeros = value === 0n ? insn.size1 * 8 : bitLength(value & -value) - 1;
  writeOperand(cpu, insn, 0, BigInt(zeros));
  setFlags(cpu, RFLAGS_ZF | RFLAGS_CF, (zeros === 0 ? RFLAGS_ZF : 0) | (value === 0n ? RFLAGS_CF : 0));
}

/** Polynomial of CRC-32C, bits reflected. */
const CRC32C = 0x82f6_3b78;

/** CRC32 (CRC-32C of 1 to 8 bytes). */
export function execCrc32(cpu: Processor, insn: Insn): void {
  let data = readOperand(cpu, insn, 1);
  let crc = Number(readOperand(cpu, insn, 0) & 0xffff_ffffn);
  for (let i = 0; i < insn.size1; i++) {
    crc ^= Number(data & 0xffn);
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC32C : crc >>> 1;
    data >>= 8n;
  }
  writeOperand(cpu, insn, 0, BigInt(crc >>> 0));
}
