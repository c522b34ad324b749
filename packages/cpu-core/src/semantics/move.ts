/** Data movement, conversion and flag instructions. Intel SDM Vol. 2, the pages of each mnemonic. */
import { RFLAGS_CF, RFLAGS_DF } from '@smm/x86-defs';
import { type Insn, K_REG } from '../insn.ts';
import * as L from '../layout.ts';
import { OP } from '../ops.ts';
import type { Builder, Width } from './builder.ts';

/** MOV, MOVNTI. */
export function mov<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.write(0, b.read(1));
}

/** MOVZX. */
export function movzx<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.write(0, b.read(1));
}

/** MOVSX, MOVSXD. */
export function movsx<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.write(0, b.signExtend(insn.size1 as Width, insn.size0 as Width, b.read(1)));
}

/** LEA. */
export function lea<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.write(0, b.truncate(insn.size0 as Width, b.effectiveAddress()));
}

/** XCHG. */
export function xchg<V, C>(b: Builder<V, C>, insn: Insn): void {
  const first = insn.kind0 === K_REG ? 1 : 0; // memory, where there is one
  const other = 1 - first;
  const x = b.readForWrite(first);
  const y = b.read(other);
  b.write(first, y);
  b.write(other, x);
}

/** CMOVcc: the source is read, and a 32-bit destination zero-extended, whatever the condition. */
export function cmov<V, C>(b: Builder<V, C>, _insn: Insn): void {
  const source = b.read(1);
  const old = b.read(0);
  b.write(0, b.select(b.flags.condition(), source, old));
}

/** SETcc. */
export function setcc<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.write(0, b.toValue(b.flags.condition()));
}

/** CBW, CWDE, CDQE by size. */
export function cbw<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  const half = (w / 2) as Width;
  b.setReg(0, w, b.signExtend(half, w, b.reg(0, half)));
}

/** CWD, CDQ, CQO by size. */
export function cwd<V, C>(b: Builder<V, C>, insn: Insn): void {
  const w = insn.size as Width;
  b.setReg(2, w, b.sar(w, b.reg(0, w), b.const(BigInt(w * 8 - 1))));
}

const AH_FLAGS = 0xd5; // SF ZF AF PF CF

/** LAHF, SAHF. */
export function ahFlags<V, C>(b: Builder<V, C>, insn: Insn): void {
  if (insn.op === OP.SAHF) {
    b.flags.change(AH_FLAGS, b.and(b.shr(2, b.reg(0, 2), b.const(8n)), b.const(BigInt(AH_FLAGS))));
    return;
  }
  const image = b.or(b.and(b.flags.status(), b.const(BigInt(AH_FLAGS))), b.const(2n));
  b.setReg(0, 2, b.or(b.reg(0, 1), b.shl(2, image, b.const(8n))));
}

/** CLC, STC, CMC, CLD, STD. */
export function flagBit<V, C>(b: Builder<V, C>, insn: Insn): void {
  const direction = insn.op === OP.CLD || insn.op === OP.STD;
  const mask = direction ? RFLAGS_DF : RFLAGS_CF;
  if (insn.op === OP.CMC) b.flags.change(mask, b.xor(b.flags.carry(), b.const(1n)));
  else b.flags.change(mask, b.const(insn.op === OP.STC || insn.op === OP.STD ? BigInt(mask) : 0n));
}

/** SGDT, SIDT. */
export function storeTable<V, C>(b: Builder<V, C>, insn: Insn): void {
  if (insn.op === OP.SGDT) b.storeTable(L.ST_GDTR_LIMIT, L.ST_GDTR_BASE);
  else b.storeTable(L.ST_IDTR_LIMIT, L.ST_IDTR_BASE);
}

/** NOP, PREFETCH and the fences. */
export function nothing(): void {}
