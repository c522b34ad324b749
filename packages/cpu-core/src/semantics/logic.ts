/** Bitwise logic. Intel SDM Vol. 2, the pages of each mnemonic. */
import type { Insn } from '../insn.ts';
import { CC_LOGIC } from '../layout.ts';
import { OP } from '../ops.ts';
import type { Builder, Width } from './builder.ts';

/** AND, OR, XOR, TEST. */
export function logic<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const test = insn.op === OP.TEST;
  const x = test ? b.read(0) : b.readForWrite(0);
  const y = b.read(1);
  const r = insn.op === OP.OR ? b.or(x, y) : insn.op === OP.XOR ? b.xor(x, y) : b.and(x, y);
  if (!test) b.write(0, r);
  b.flags.set(CC_LOGIC, w, r, b.const(0n));
}

/** NOT: no flags. */
export function not<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  b.write(0, b.truncate(w, b.xor(b.readForWrite(0), b.const(0xffff_ffff_ffff_ffffn))));
}
