/** Near control transfers. Intel SDM Vol. 2, "Jcc", "JMP", "CALL", "RET", "LOOP". */
import { type Insn, K_IMM, K_REL } from '../insn.ts';
import { OP } from '../ops.ts';
import type { Builder, Width } from './builder.ts';

const RCX = 1;

/** Jcc. */
export function jcc<V, C>(b: Builder<V, C>, _insn: Insn): void {
  const taken = b.flags.condition();
  b.checkRelative(taken);
  b.jumpRelativeIf(taken);
}

/** JMP near, relative or indirect. */
export function jmp<V, C>(b: Builder<V, C>, insn: Insn): void {
  if (insn.kind0 === K_REL) {
    b.checkRelative();
    b.jumpRelative();
    return;
  }
  const target = b.operands.read(0);
  b.checkTarget(target);
  b.jumpTo(target);
}

/** CALL near, relative or indirect. */
export function call<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  const relative = insn.kind0 === K_REL;
  const target = relative ? undefined : o.read(0);
  if (target === undefined) b.checkRelative();
  else b.checkTarget(target);
  const pointer = o.stackAdd(o.stackPointer(), v.const(BigInt(-w)));
  o.storeStack(pointer, w, v.truncate(w, b.nextRip()));
  o.setStackPointer(pointer);
  if (target === undefined) b.jumpRelative();
  else b.jumpTo(target);
}

/** RET near, with or without an immediate. */
export function ret<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  const pointer = o.stackPointer();
  const target = o.loadStack(pointer, w);
  b.checkTarget(target);
  let after = o.stackAdd(pointer, v.const(BigInt(w)));
  if (insn.kind0 === K_IMM) after = o.stackAdd(after, v.and(o.read(0), v.const(0xffffn)));
  o.setStackPointer(after);
  b.jumpTo(target);
}

/** LOOP, LOOPE, LOOPNE, JCXZ: the counter has address size. */
export function loop<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.addressSize as Width;
  const counter = o.reg(RCX, w);
  const zero = v.const(0n);
  if (insn.op === OP.JCXZ) {
    const taken = v.equal(counter, zero);
    b.checkRelative(taken);
    b.jumpRelativeIf(taken);
    return;
  }
  const left = v.sub(w, counter, v.const(1n));
  let taken = v.not(v.equal(left, zero));
  if (insn.op !== OP.LOOP) {
    const zf = v.equal(v.and(b.flags.status(), v.const(0x40n)), v.const(0x40n));
    taken = v.both(taken, insn.op === OP.LOOPE ? zf : v.not(zf));
  }
  b.checkRelative(taken);
  o.setReg(RCX, w, left);
  b.jumpRelativeIf(taken);
}
