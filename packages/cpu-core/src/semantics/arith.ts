/** Arithmetic. Intel SDM Vol. 2, the pages of each mnemonic. */
import { DE_VECTOR, RFLAGS_CF, RFLAGS_OF } from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import { CC_ADD, CC_DEC, CC_INC, CC_SUB } from '../layout.ts';
import { OP } from '../ops.ts';
import type { Builder, Width } from './builder.ts';

const RAX = 0;
const RDX = 2;

/** ADD, SUB, CMP. */
export function addSub<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const compare = insn.op === OP.CMP;
  const x = compare ? b.read(0) : b.readForWrite(0);
  const y = b.read(1);
  const add = insn.op === OP.ADD;
  const r = add ? b.add(w, x, y) : b.sub(w, x, y);
  if (!compare) b.write(0, r);
  b.flags.set(add ? CC_ADD : CC_SUB, w, r, y);
}

/** ADC, SBB. */
export function addSubCarry<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const x = b.readForWrite(0);
  const y = b.read(1);
  const carry = b.flags.carry();
  const add = insn.op === OP.ADC;
  const r = add ? b.add(w, b.add(w, x, y), carry) : b.sub(w, b.sub(w, x, y), carry);
  b.write(0, r);
  b.flags.setWithCarry(add ? CC_ADD : CC_SUB, w, r, y, carry);
}

/** INC, DEC. */
export function incDec<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const x = b.readForWrite(0);
  const one = b.const(1n);
  const r = insn.op === OP.INC ? b.add(w, x, one) : b.sub(w, x, one);
  b.write(0, r);
  b.flags.setKeepCarry(insn.op === OP.INC ? CC_INC : CC_DEC, w, r);
}

/** NEG. */
export function neg<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const x = b.readForWrite(0);
  const r = b.sub(w, b.const(0n), x);
  b.write(0, r);
  b.flags.set(CC_SUB, w, r, x);
}

/** Flags of a multiplication: CF = OF = the high half matters. */
function multiplyFlags<V, C>(b: Builder<V, C>, w: Width, low: V, fits: C): void {
  b.flags.setGiven(w, low, b.select(fits, b.const(0n), b.const(BigInt(RFLAGS_CF | RFLAGS_OF))));
}

/** MUL and one-operand IMUL: (R)DX:(R)AX or AX. */
export function mulWide<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const signed = insn.op === OP.IMUL1;
  const y = b.read(0);
  const x = b.reg(RAX, w);
  const low = b.mul(w, x, y);
  const high = b.mulHigh(w, signed, x, y);
  const fits = signed ? b.equal(high, b.sar(w, low, b.const(BigInt(w * 8 - 1)))) : b.equal(high, b.const(0n));
  if (w === 1) b.setReg(RAX, 2, b.or(low, b.shl(2, high, b.const(8n))));
  else {
    b.setReg(RAX, w, low);
    b.setReg(RDX, w, high);
  }
  multiplyFlags(b, w, low, fits);
}

/** IMUL with two or three operands. */
export function imul<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const three = insn.operands === 3;
  const y = b.read(three ? 2 : 1);
  const x = b.read(three ? 1 : 0);
  const low = b.mul(w, x, y);
  b.write(0, low);
  b.flags.setProduct(w, low, x, y);
}

/** `setFlagsProduct` of a back end that computes them at once. */
export function productFlags<V, C>(b: Builder<V, C>, w: Width, low: V, x: V, y: V): void {
  const high = b.mulHigh(w, true, x, y);
  multiplyFlags(b, w, low, b.equal(high, b.sar(w, low, b.const(BigInt(w * 8 - 1)))));
}

/**
 * `divideWide` of a back end whose {@link Builder.faultIf} leaves the instruction to the evaluator: dividends of 64
 * bits here; the evaluator does the others, and raises the faults.
 */
export function divideNarrow<V, C>(b: Builder<V, C>, signed: boolean): void {
  const divisor = b.read(0);
  const low = b.reg(RAX, 8);
  const high = b.reg(RDX, 8);
  const zero = b.const(0n);
  const fits = b.equal(high, signed ? b.sar(8, low, b.const(63n)) : zero);
  b.faultIf(b.not(fits), DE_VECTOR);
  b.faultIf(b.equal(divisor, zero), DE_VECTOR);
  if (signed) b.faultIf(b.equal(divisor, b.const(-1n)), DE_VECTOR);
  const quotient = signed ? b.divS(low, divisor) : b.divU(low, divisor);
  const remainder = signed ? b.remS(low, divisor) : b.remU(low, divisor);
  b.setReg(RAX, 8, quotient);
  b.setReg(RDX, 8, remainder);
}

/** DIV, IDIV. Flags are undefined: they stay. */
export function divide<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const signed = insn.op === OP.IDIV;
  if (w === 8) {
    b.divideWide(signed);
    return;
  }
  const bits = BigInt(w * 8);
  const divisor = b.read(0);
  b.faultIf(b.equal(divisor, b.const(0n)), DE_VECTOR);
  const dividend = w === 1 ? b.reg(RAX, 2) : b.or(b.shl(8, b.reg(RDX, w), b.const(bits)), b.reg(RAX, w));
  let quotient: V;
  let remainder: V;
  if (signed) {
    const double = (w * 2) as Width;
    const n = b.signExtend(double, 8, dividend);
    const d = b.signExtend(w, 8, divisor);
    const minusOne = b.const(0xffff_ffff_ffff_ffffn);
    b.faultIf(b.both(b.equal(n, b.const(1n << 63n)), b.equal(d, minusOne)), DE_VECTOR);
    quotient = b.divS(n, d);
    remainder = b.remS(n, d);
    b.faultIf(b.not(b.equal(b.signExtend(w, 8, b.truncate(w, quotient)), quotient)), DE_VECTOR);
  } else {
    quotient = b.divU(dividend, divisor);
    remainder = b.remU(dividend, divisor);
    b.faultIf(b.not(b.equal(b.truncate(w, quotient), quotient)), DE_VECTOR);
  }
  const q = b.truncate(w, quotient);
  const r = b.truncate(w, remainder);
  if (w === 1) b.setReg(RAX, 2, b.or(q, b.shl(2, r, b.const(8n))));
  else {
    b.setReg(RAX, w, q);
    b.setReg(RDX, w, r);
  }
}

/** XADD. */
export function xadd<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const x = b.readForWrite(0);
  const y = b.read(1);
  const r = b.add(w, x, y);
  b.write(1, x);
  b.write(0, r);
  b.flags.set(CC_ADD, w, r, y);
}

/** CMPXCHG: memory is always written, with the old value if the comparison fails. */
export function cmpxchg<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const old = b.readForWrite(0);
  const replacement = b.read(1);
  const expected = b.reg(RAX, w);
  const same = b.equal(expected, old);
  const difference = b.sub(w, expected, old);
  if (insn.kind0 === 2) b.write(0, b.select(same, replacement, old));
  else b.if_(same, () => b.write(0, replacement));
  b.if_(b.not(same), () => b.setReg(RAX, w, old));
  b.flags.set(CC_SUB, w, difference, old);
}
