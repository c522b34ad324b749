/** Stack instructions. Intel SDM Vol. 2, "PUSH", "POP", "LEAVE". */
import { type Insn, K_MEM } from '../insn.ts';
import type { Builder, Width } from './builder.ts';

const RBP = 5;

/** PUSH of a register, memory or immediate. */
export function push<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const value = b.read(0);
  const pointer = b.stackAdd(b.stackPointer(), b.const(BigInt(-w)));
  b.storeStack(pointer, w, value);
  b.setStackPointer(pointer);
}

/** POP to a register or memory. */
export function pop<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const pointer = b.stackPointer();
  const value = b.loadStack(pointer, w);
  const after = b.stackAdd(pointer, b.const(BigInt(w)));
  if (insn.kind0 === K_MEM) b.popToMemory(after, value);
  else {
    b.setStackPointer(after);
    b.write(0, value);
  }
}

/** LEAVE: the frame pointer is cut to stack-address size. */
export function leave<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const frame = b.stackAdd(b.reg(RBP, 8), b.const(0n));
  const value = b.loadStack(frame, w);
  b.setStackPointer(b.stackAdd(frame, b.const(BigInt(w))));
  b.setReg(RBP, w, value);
}
