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
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const compare = insn.op === OP.CMP;
  const x = compare ? o.read(0) : o.readForWrite(0);
  const y = o.read(1);
  const add = insn.op === OP.ADD;
  const r = add ? v.add(w, x, y) : v.sub(w, x, y);
  if (!compare) o.write(0, r);
  b.flags.set(add ? CC_ADD : CC_SUB, w, r, y);
}

/** ADC, SBB. */
export function addSubCarry<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const x = o.readForWrite(0);
  const y = o.read(1);
  const carry = b.flags.carry();
  const add = insn.op === OP.ADC;
  const r = add ? v.add(w, v.add(w, x, y), carry) : v.sub(w, v.sub(w, x, y), carry);
  o.write(0, r);
  b.flags.setWithCarry(add ? CC_ADD : CC_SUB, w, r, y, carry);
}

/** INC, DEC. */
export function incDec<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const x = o.readForWrite(0);
  const one = v.const(1n);
  const r = insn.op === OP.INC ? v.add(w, x, one) : v.sub(w, x, one);
  o.write(0, r);
  b.flags.setKeepCarry(insn.op === OP.INC ? CC_INC : CC_DEC, w, r);
}

/** NEG. */
export function neg<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const x = o.readForWrite(0);
  const r = v.sub(w, v.const(0n), x);
  o.write(0, r);
  b.flags.set(CC_SUB, w, r, x);
}

/** Flags of a multiplication: CF = OF = the high half matters. */
function multiplyFlags<V, C>(b: Pick<Builder<V, C>, 'values' | 'flags'>, w: Width, low: V, fits: C): void {
  const { values: v } = b;
  b.flags.setGiven(w, low, v.select(fits, v.const(0n), v.const(BigInt(RFLAGS_CF | RFLAGS_OF))));
}

/** MUL and one-operand IMUL: (R)DX:(R)AX or AX. */
export function mulWide<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  const signed = insn.op === OP.IMUL1;
  const y = o.read(0);
  const x = o.reg(RAX, w);
  const low = v.mul(w, x, y);
  const high = v.mulHigh(w, signed, x, y);
  const fits = signed ? v.equal(high, v.sar(w, low, v.const(BigInt(w * 8 - 1)))) : v.equal(high, v.const(0n));
  if (w === 1) o.setReg(RAX, 2, v.or(low, v.shl(2, high, v.const(8n))));
  else {
    o.setReg(RAX, w, low);
    o.setReg(RDX, w, high);
  }
  multiplyFlags(b, w, low, fits);
}

/** IMUL with two or three operands. */
export function imul<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  const three = insn.operands === 3;
  const y = o.read(three ? 2 : 1);
  const x = o.read(three ? 1 : 0);
  const low = v.mul(w, x, y);
  o.write(0, low);
  b.flags.setProduct(w, low, x, y);
}

/** `setProduct` of flags that are computed at once. */
export function productFlags<V, C>(
  b: Pick<Builder<V, C>, 'values' | 'flags'>,
  w: Width,
  low: V,
  x: V,
  y: V,
): void {
  const { values: v } = b;
  const high = v.mulHigh(w, true, x, y);
  multiplyFlags(b, w, low, v.equal(high, v.sar(w, low, v.const(BigInt(w * 8 - 1)))));
}

/**
 * `divideWide` of a back end whose {@link Builder.faultIf} leaves the instruction to the evaluator: dividends of 64
 * bits here; the evaluator does the others, and raises the faults.
 */
export function divideNarrow<V, C>(b: Builder<V, C>, signed: boolean): void {
  const { values: v, operands: o } = b;
  const divisor = o.read(0);
  const low = o.reg(RAX, 8);
  const high = o.reg(RDX, 8);
  const zero = v.const(0n);
  const fits = v.equal(high, signed ? v.sar(8, low, v.const(63n)) : zero);
  b.faultIf(v.not(fits), DE_VECTOR);
  b.faultIf(v.equal(divisor, zero), DE_VECTOR);
  if (signed) b.faultIf(v.equal(divisor, v.const(-1n)), DE_VECTOR);
  const quotient = signed ? v.divS(low, divisor) : v.divU(low, divisor);
  const remainder = signed ? v.remS(low, divisor) : v.remU(low, divisor);
  o.setReg(RAX, 8, quotient);
  o.setReg(RDX, 8, remainder);
}

/** DIV, IDIV. Flags are undefined: they stay. */
export function divide<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  const signed = insn.op === OP.IDIV;
  if (w === 8) {
    b.divideWide(signed);
    return;
  }
  const bits = BigInt(w * 8);
  const divisor = o.read(0);
  b.faultIf(v.equal(divisor, v.const(0n)), DE_VECTOR);
  const dividend = w === 1 ? o.reg(RAX, 2) : v.or(v.shl(8, o.reg(RDX, w), v.const(bits)), o.reg(RAX, w));
  let quotient: V;
  let remainder: V;
  if (signed) {
    const double = (w * 2) as Width;
    const n = v.signExtend(double, 8, dividend);
    const d = v.signExtend(w, 8, divisor);
    const minusOne = v.const(0xffff_ffff_ffff_ffffn);
    b.faultIf(v.both(v.equal(n, v.const(1n << 63n)), v.equal(d, minusOne)), DE_VECTOR);
    quotient = v.divS(n, d);
    remainder = v.remS(n, d);
    b.faultIf(v.not(v.equal(v.signExtend(w, 8, v.truncate(w, quotient)), quotient)), DE_VECTOR);
  } else {
    quotient = v.divU(dividend, divisor);
    remainder = v.remU(dividend, divisor);
    b.faultIf(v.not(v.equal(v.truncate(w, quotient), quotient)), DE_VECTOR);
  }
  const q = v.truncate(w, quotient);
  const r = v.truncate(w, remainder);
  if (w === 1) o.setReg(RAX, 2, v.or(q, v.shl(2, r, v.const(8n))));
  else {
    o.setReg(RAX, w, q);
    o.setReg(RDX, w, r);
  }
}

/** XADD. */
export function xadd<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const x = o.readForWrite(0);
  const y = o.read(1);
  const r = v.add(w, x, y);
  o.write(1, x);
  o.write(0, r);
  b.flags.set(CC_ADD, w, r, y);
}

/** CMPXCHG: memory is always written, with the old value if the comparison fails. */
export function cmpxchg<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const old = o.readForWrite(0);
  const replacement = o.read(1);
  const expected = o.reg(RAX, w);
  const same = v.equal(expected, old);
  const difference = v.sub(w, expected, old);
  if (insn.kind0 === 2) o.write(0, v.select(same, replacement, old));
  else b.if_(same, () => o.write(0, replacement));
  b.if_(v.not(same), () => o.setReg(RAX, w, old));
  b.flags.set(CC_SUB, w, difference, old);
}
