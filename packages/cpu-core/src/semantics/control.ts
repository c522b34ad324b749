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
  const target = b.read(0);
  b.checkTarget(target);
  b.jumpTo(target);
}

/** CALL near, relative or indirect. */
export function call<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const relative = insn.kind0 === K_REL;
  const target = relative ? undefined : b.read(0);
  if (target === undefined) b.checkRelative();
  else b.checkTarget(target);
  const pointer = b.stackAdd(b.stackPointer(), b.const(BigInt(-w)));
  b.storeStack(pointer, w, b.truncate(w, b.nextRip()));
  b.setStackPointer(pointer);
  if (target === undefined) b.jumpRelative();
  else b.jumpTo(target);
}

/** RET near, with or without an immediate. */
export function ret<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const pointer = b.stackPointer();
  const target = b.loadStack(pointer, w);
  b.checkTarget(target);
  let after = b.stackAdd(pointer, b.const(BigInt(w)));
  if (insn.kind0 === K_IMM) after = b.stackAdd(after, b.and(b.read(0), b.const(0xffffn)));
  b.setStackPointer(after);
  b.jumpTo(target);
}

/** LOOP, LOOPE, LOOPNE, JCXZ: the counter has address size. */
export function loop<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.addressSize as Width;
  const counter = b.reg(RCX, w);
  const zero = b.const(0n);
  if (insn.op === OP.JCXZ) {
    const taken = b.equal(counter, zero);
    b.checkRelative(taken);
    b.jumpRelativeIf(taken);
    return;
  }
  const left = b.sub(w, counter, b.const(1n));
  let taken = b.not(b.equal(left, zero));
  if (insn.op !== OP.LOOP) {
    const zf = b.equal(b.and(b.flags.status(), b.const(0x40n)), b.const(0x40n));
    taken = b.both(taken, insn.op === OP.LOOPE ? zf : b.not(zf));
  }
  b.checkRelative(taken);
  b.setReg(RCX, w, left);
  b.jumpRelativeIf(taken);
}
