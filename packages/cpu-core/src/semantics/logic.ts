/** Bitwise logic. Intel SDM Vol. 2, the pages of each mnemonic. */
import type { Insn } from '../insn.ts';
import { CC_LOGIC } from '../layout.ts';
import { OP } from '../ops.ts';
import type { Builder, Width } from './builder.ts';

/** AND, OR, XOR, TEST. */
export function logic<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const test = insn.op === OP.TEST;
  const x = test ? o.read(0) : o.readForWrite(0);
  const y = o.read(1);
  const r = insn.op === OP.OR ? v.or(x, y) : insn.op === OP.XOR ? v.xor(x, y) : v.and(x, y);
  if (!test) o.write(0, r);
  b.flags.set(CC_LOGIC, w, r, v.const(0n));
}

/** NOT: no flags. */
export function not<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  o.write(0, v.truncate(w, v.xor(o.readForWrite(0), v.const(0xffff_ffff_ffff_ffffn))));
}
