/**
 * Shifts and rotates. Intel SDM Vol. 2, "SAL/SAR/SHL/SHR" and "RCL/RCR/ROL/ROR". A masked count of 0 changes no flag.
 * Undefined flags: OF for counts other than 1 is computed as if the last step were the only one; AF is 0; CF of SHL and
 * SHR with counts above the width is 0.
 */
import { RFLAGS_CF, RFLAGS_OF } from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import { OP } from '../ops.ts';
import type { Builder, Width } from './builder.ts';

const OF_BIT = 11n;

/** Count operand, masked to 5 or 6 bits. */
function maskedCount<V, C>(b: Builder<V, C>, w: Width): V {
  const { values: v } = b;
  return v.and(b.operands.read(1), v.const(w === 8 ? 63n : 31n));
}

/** SHL, SHR, SAR. */
export function shift<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const top = BigInt(w * 8 - 1);
  const x = o.readForWrite(0);
  const count = maskedCount(b, w);
  const before = v.sub(8, count, v.const(1n));
  const done = v.equal(count, v.const(0n));
  const one = v.const(1n);
  if (insn.op === OP.SHL) {
    const r = v.shl(w, x, count);
    o.write(0, r);
    b.if_(v.not(done), () => {
      // The bit shifted out last is the top bit after count - 1 steps.
      const carry = v.shr(w, v.shl(w, x, before), v.const(top));
      const overflow = v.xor(carry, v.shr(w, r, v.const(top)));
      b.flags.setGiven(w, r, v.or(carry, v.shl(8, overflow, v.const(OF_BIT))));
    });
    return;
  }
  const signed = insn.op === OP.SAR;
  const r = signed ? v.sar(w, x, count) : v.shr(w, x, count);
  o.write(0, r);
  b.if_(v.not(done), () => {
    const carry = v.and(signed ? v.sar(w, x, before) : v.shr(w, x, before), one);
    if (signed) return b.flags.setGiven(w, r, carry);
    // OF is the sign before the last step: only a first step can find it set.
    const overflow = v.shr(w, v.shr(w, x, before), v.const(top));
    b.flags.setGiven(w, r, v.or(carry, v.shl(8, overflow, v.const(OF_BIT))));
  });
}

/** ROL, ROR: only CF and OF change. */
export function rotate<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const bits = BigInt(w * 8);
  const x = o.readForWrite(0);
  const count = maskedCount(b, w);
  const steps = v.and(count, v.const(bits - 1n));
  const back = v.and(v.sub(8, v.const(bits), steps), v.const(bits - 1n));
  const left = insn.op === OP.ROL;
  const r = left ? v.or(v.shl(w, x, steps), v.shr(w, x, back)) : v.or(v.shr(w, x, steps), v.shl(w, x, back));
  o.write(0, r);
  b.if_(v.not(v.equal(count, v.const(0n))), () => {
    const high = v.shr(w, r, v.const(bits - 1n));
    const carry = left ? v.and(r, v.const(1n)) : high;
    const other = left ? high : v.and(v.shr(w, r, v.const(bits - 2n)), v.const(1n));
    const overflow = v.xor(carry, other);
    b.flags.change(RFLAGS_CF | RFLAGS_OF, v.or(carry, v.shl(8, overflow, v.const(OF_BIT))));
  });
}

/** RCL, RCR: only CF and OF change. OF is given for every count as for a count of 1 (undefined otherwise). */
export function rotateCarry<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const bits = BigInt(w * 8);
  const left = insn.op === OP.RCL;
  const one = v.const(1n);
  const x = o.readForWrite(0);
  const count = maskedCount(b, w);
  const carry = b.flags.carry();
  const none = v.equal(count, v.const(0n));
  let result: V;
  let out: V;
  if (w === 8) {
    // A ring of 65 bits, in two parts; none of this is right for a count of 0.
    const before = v.sub(8, count, one);
    const back = v.sub(8, v.const(bits), count);
    const turned = left
      ? v.or(v.shl(8, x, count), v.shr(8, v.shr(8, x, one), back))
      : v.or(v.shr(8, x, count), v.shl(8, v.shl(8, x, one), back));
    result = v.select(none, x, v.or(turned, v.shl(8, carry, left ? before : back)));
    out = v.and(v.shr(8, x, left ? back : before), one);
  } else {
    const ring = v.const(bits + 1n);
    const steps = w === 4 ? count : v.remU(count, ring);
    const back = v.sub(8, ring, steps);
    const all = v.or(v.shl(8, carry, v.const(bits)), x);
    const turned = left
      ? v.or(v.shl(8, all, steps), v.shr(8, all, back))
      : v.or(v.shr(8, all, steps), v.shl(8, all, back));
    result = v.truncate(w, turned);
    out = v.and(v.shr(8, turned, v.const(bits)), one);
  }
  o.write(0, result);
  b.if_(v.not(none), () => {
    const top = v.shr(w, result, v.const(bits - 1n));
    const other = left ? out : v.and(v.shr(w, result, v.const(bits - 2n)), one);
    b.flags.change(RFLAGS_CF | RFLAGS_OF, v.or(out, v.shl(8, v.xor(top, other), v.const(OF_BIT))));
  });
}
