/** Stack instructions. Intel SDM Vol. 2, "PUSH", "POP", "LEAVE". */
import { type Insn, K_MEM } from '../insn.ts';
import type { Builder, Width } from './builder.ts';

const RBP = 5;

/** PUSH of a register, memory or immediate. */
export function push<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  const value = o.read(0);
  const pointer = o.stackAdd(o.stackPointer(), v.const(BigInt(-w)));
  o.storeStack(pointer, w, value);
  o.setStackPointer(pointer);
}

/** POP to a register or memory. */
export function pop<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  const pointer = o.stackPointer();
  const value = o.loadStack(pointer, w);
  const after = o.stackAdd(pointer, v.const(BigInt(w)));
  if (insn.kind0 === K_MEM) o.popToMemory(after, value);
  else {
    o.setStackPointer(after);
    o.write(0, value);
  }
}

/** LEAVE: the frame pointer is cut to stack-address size. */
export function leave<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  const frame = o.stackAdd(o.reg(RBP, 8), v.const(0n));
  const value = o.loadStack(frame, w);
  o.setStackPointer(o.stackAdd(frame, v.const(BigInt(w))));
  o.setReg(RBP, w, value);
}
