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
  const w = insn.size0 as Width;
  const offset = b.read(1);
  const bits = BigInt(w * 8);
  if (insn.kind0 === K_MEM && insn.kind1 !== K_IMM) {
    const distance = b.sar(8, b.signExtend(w, 8, offset), b.const(w === 8 ? 6n : w === 4 ? 5n : 4n));
    b.displace(b.shl(8, distance, b.const(w === 8 ? 3n : w === 4 ? 2n : 1n)));
  }
  const x = insn.op === OP.BT ? b.read(0) : b.readForWrite(0);
  const position = b.and(offset, b.const(bits - 1n));
  const bit = b.shl(w, b.const(1n), position);
  const carry = b.and(b.shr(w, x, position), b.const(1n));
  if (insn.op === OP.BTS) b.write(0, b.or(x, bit));
  else if (insn.op === OP.BTC) b.write(0, b.xor(x, bit));
  else if (insn.op === OP.BTR)
    b.write(0, b.and(x, b.truncate(w, b.xor(bit, b.const(0xffff_ffff_ffff_ffffn)))));
  b.flags.change(RFLAGS_CF, carry);
}

/**
 * BSF, BSR: with a zero source ZF is set and the destination keeps its value (AMD documents it, Intel processors do
 * it).
 */
export function bitScan<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  const x = b.read(1);
  const zero = b.equal(x, b.const(0n));
  const found = insn.op === OP.BSF ? b.countTrailingZeros(x) : b.sub(8, b.const(63n), b.countLeadingZeros(x));
  b.if_(b.not(zero), () => b.write(0, b.truncate(w, found)));
  b.flags.set(CC_LOGIC, w, x, b.const(0n));
}

/** BSWAP. With a 16-bit operand the result is undefined: zero, as processors do. */
export function bswap<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size0 as Width;
  if (w === 2) {
    b.write(0, b.const(0n));
    return;
  }
  let x = b.readForWrite(0);
  const swap = (distance: bigint, mask: bigint): void => {
    const high = b.and(b.shr(8, x, b.const(distance)), b.const(mask));
    x = b.or(high, b.shl(8, b.and(x, b.const(mask)), b.const(distance)));
  };
  swap(8n, 0x00ff_00ff_00ff_00ffn);
  swap(16n, 0x0000_ffff_0000_ffffn);
  if (w === 8) swap(32n, 0x0000_0000_ffff_ffffn);
  b.write(0, b.truncate(w, x));
}
