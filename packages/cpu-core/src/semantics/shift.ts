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
  return b.and(b.read(1), b.const(w === 8 ? 63n : 31n));
}

/** SHL, SHR, SAR. */
export function shift<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const top = BigInt(w * 8 - 1);
  const x = b.readForWrite(0);
  const count = maskedCount(b, w);
  const before = b.sub(8, count, b.const(1n));
  const done = b.equal(count, b.const(0n));
  const one = b.const(1n);
  if (insn.op === OP.SHL) {
    const r = b.shl(w, x, count);
    b.write(0, r);
    b.if_(b.not(done), () => {
      // The bit shifted out last is the top bit after count - 1 steps.
      const carry = b.shr(w, b.shl(w, x, before), b.const(top));
      const overflow = b.xor(carry, b.shr(w, r, b.const(top)));
      b.flags.setGiven(w, r, b.or(carry, b.shl(8, overflow, b.const(OF_BIT))));
    });
    return;
  }
  const signed = insn.op === OP.SAR;
  const r = signed ? b.sar(w, x, count) : b.shr(w, x, count);
  b.write(0, r);
  b.if_(b.not(done), () => {
    const carry = b.and(signed ? b.sar(w, x, before) : b.shr(w, x, before), one);
    if (signed) return b.flags.setGiven(w, r, carry);
    // OF is the sign before the last step: only a first step can find it set.
    const overflow = b.shr(w, b.shr(w, x, before), b.const(top));
    b.flags.setGiven(w, r, b.or(carry, b.shl(8, overflow, b.const(OF_BIT))));
  });
}

/** ROL, ROR: only CF and OF change. */
export function rotate<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const bits = BigInt(w * 8);
  const x = b.readForWrite(0);
  const count = maskedCount(b, w);
  const steps = b.and(count, b.const(bits - 1n));
  const back = b.and(b.sub(8, b.const(bits), steps), b.const(bits - 1n));
  const left = insn.op === OP.ROL;
  const r = left ? b.or(b.shl(w, x, steps), b.shr(w, x, back)) : b.or(b.shr(w, x, steps), b.shl(w, x, back));
  b.write(0, r);
  b.if_(b.not(b.equal(count, b.const(0n))), () => {
    const high = b.shr(w, r, b.const(bits - 1n));
    const carry = left ? b.and(r, b.const(1n)) : high;
    const other = left ? high : b.and(b.shr(w, r, b.const(bits - 2n)), b.const(1n));
    const overflow = b.xor(carry, other);
    b.flags.change(RFLAGS_CF | RFLAGS_OF, b.or(carry, b.shl(8, overflow, b.const(OF_BIT))));
  });
}

/** RCL, RCR: only CF and OF change. OF is given for every count as for a count of 1 (undefined otherwise). */
export function rotateCarry<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const bits = BigInt(w * 8);
  const left = insn.op === OP.RCL;
  const one = b.const(1n);
  const x = b.readForWrite(0);
  const count = maskedCount(b, w);
  const carry = b.flags.carry();
  const none = b.equal(count, b.const(0n));
  let result: V;
  let out: V;
  if (w === 8) {
    // A ring of 65 bits, in two parts; none of this is right for a count of 0.
    const before = b.sub(8, count, one);
    const back = b.sub(8, b.const(bits), count);
    const turned = left
      ? b.or(b.shl(8, x, count), b.shr(8, b.shr(8, x, one), back))
      : b.or(b.shr(8, x, count), b.shl(8, b.shl(8, x, one), back));
    result = b.select(none, x, b.or(turned, b.shl(8, carry, left ? before : back)));
    out = b.and(b.shr(8, x, left ? back : before), one);
  } else {
    const ring = b.const(bits + 1n);
    const steps = w === 4 ? count : b.remU(count, ring);
    const back = b.sub(8, ring, steps);
    const all = b.or(b.shl(8, carry, b.const(bits)), x);
    const turned = left
      ? b.or(b.shl(8, all, steps), b.shr(8, all, back))
      : b.or(b.shr(8, all, steps), b.shl(8, all, back));
    result = b.truncate(w, turned);
    out = b.and(b.shr(8, turned, b.const(bits)), one);
  }
  b.write(0, result);
  b.if_(b.not(none), () => {
    const top = b.shr(w, result, b.const(bits - 1n));
    const other = left ? out : b.and(b.shr(w, result, b.const(bits - 2n)), one);
    b.flags.change(RFLAGS_CF | RFLAGS_OF, b.or(out, b.shl(8, b.xor(top, other), b.const(OF_BIT))));
  });
}
