/** Bit test and scan, byte swap. Intel SDM Vol. 2, the pages of each mnemonic. */
import { RFLAGS_CF } from '@smm/x86-defs';
import { type Insn, K_IMM, K_MEM } from '../insn.ts';
import { CC_LOGIC } from '../layout.ts';
import { OP } from '../ops.ts';
import type { Builder, Width } from './builder.ts';

/**
 * BT, BTS, BTR, BTC. Only CF changes (OF SF AF PF are undefined, ZF is kept). A register offset reaches beyond the
 * operand in memory.
 */
export function bitTest<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const offset = o.read(1);
  const bits = BigInt(w * 8);
  if (insn.kind0 === K_MEM && insn.kind1 !== K_IMM) {
    const distance = v.sar(8, v.signExtend(w, 8, offset), v.const(w === 8 ? 6n : w === 4 ? 5n : 4n));
    o.displace(v.shl(8, distance, v.const(w === 8 ? 3n : w === 4 ? 2n : 1n)));
  }
  const x = insn.op === OP.BT ? o.read(0) : o.readForWrite(0);
  const position = v.and(offset, v.const(bits - 1n));
  const bit = v.shl(w, v.const(1n), position);
  const carry = v.and(v.shr(w, x, position), v.const(1n));
  if (insn.op === OP.BTS) o.write(0, v.or(x, bit));
  else if (insn.op === OP.BTC) o.write(0, v.xor(x, bit));
  else if (insn.op === OP.BTR)
    o.write(0, v.and(x, v.truncate(w, v.xor(bit, v.const(0xffff_ffff_ffff_ffffn)))));
  b.flags.change(RFLAGS_CF, carry);
}

/**
 * BSF, BSR: with a zero source ZF is set and the destination keeps its value (AMD documents it, Intel processors do
 * it).
 */
export function bitScan<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  const x = o.read(1);
  const zero = v.equal(x, v.const(0n));
  const found = insn.op === OP.BSF ? v.countTrailingZeros(x) : v.sub(8, v.const(63n), v.countLeadingZeros(x));
  b.if_(v.not(zero), () => o.write(0, v.truncate(w, found)));
  b.flags.set(CC_LOGIC, w, x, v.const(0n));
}

/** BSWAP. With a 16-bit operand the result is undefined: zero, as processors do. */
export function bswap<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size0 as Width;
  if (w === 2) {
    o.write(0, v.const(0n));
    return;
  }
  let x = o.readForWrite(0);
  const swap = (distance: bigint, mask: bigint): void => {
    const high = v.and(v.shr(8, x, v.const(distance)), v.const(mask));
    x = v.or(high, v.shl(8, v.and(x, v.const(mask)), v.const(distance)));
  };
  swap(8n, 0x00ff_00ff_00ff_00ffn);
  swap(16n, 0x0000_ffff_0000_ffffn);
  if (w === 8) swap(32n, 0x0000_0000_ffff_ffffn);
  o.write(0, v.truncate(w, x));
}
