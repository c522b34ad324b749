/** Data movement, conversion and flag instructions. Intel SDM Vol. 2, the pages of each mnemonic. */
import { RFLAGS_CF, RFLAGS_DF } from '@smm/x86-defs';
import { type Insn, K_REG } from '../insn.ts';
import * as L from '../layout.ts';
import { OP } from '../ops.ts';
import type { Builder, Width } from './builder.ts';

/** MOV, MOVNTI. */
export function mov<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.operands.write(0, b.operands.read(1));
}

/** MOVZX. */
export function movzx<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.operands.write(0, b.operands.read(1));
}

/** MOVSX, MOVSXD. */
export function movsx<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { operands: o } = b;
  o.write(0, b.values.signExtend(insn.size1 as Width, insn.size0 as Width, o.read(1)));
}

/** LEA. */
export function lea<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { operands: o } = b;
  o.write(0, b.values.truncate(insn.size0 as Width, o.effectiveAddress()));
}

/** XCHG. */
export function xchg<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { operands: o } = b;
  const first = insn.kind0 === K_REG ? 1 : 0; // memory, where there is one
  const other = 1 - first;
  const x = o.readForWrite(first);
  const y = o.read(other);
  o.write(first, y);
  o.write(other, x);
}

/** CMOVcc: the source is read, and a 32-bit destination zero-extended, whatever the condition. */
export function cmov<V, C>(b: Builder<V, C>, _insn: Insn): void {
  const { values: v, operands: o } = b;
  const source = o.read(1);
  const old = o.read(0);
  o.write(0, v.select(b.flags.condition(), source, old));
}

/** SETcc. */
export function setcc<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.operands.write(0, b.values.toValue(b.flags.condition()));
}

/** CBW, CWDE, CDQE by size. */
export function cbw<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { operands: o } = b;
  const w = insn.size as Width;
  const half = (w / 2) as Width;
  o.setReg(0, w, b.values.signExtend(half, w, o.reg(0, half)));
}

/** CWD, CDQ, CQO by size. */
export function cwd<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  const w = insn.size as Width;
  o.setReg(2, w, v.sar(w, o.reg(0, w), v.const(BigInt(w * 8 - 1))));
}

const AH_FLAGS = 0xd5; // SF ZF AF PF CF

/** LAHF, SAHF. */
export function ahFlags<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v, operands: o } = b;
  if (insn.op === OP.SAHF) {
    b.flags.change(AH_FLAGS, v.and(v.shr(2, o.reg(0, 2), v.const(8n)), v.const(BigInt(AH_FLAGS))));
    return;
  }
  const image = v.or(v.and(b.flags.status(), v.const(BigInt(AH_FLAGS))), v.const(2n));
  o.setReg(0, 2, v.or(o.reg(0, 1), v.shl(2, image, v.const(8n))));
}

/** CLC, STC, CMC, CLD, STD. */
export function flagBit<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v } = b;
  const direction = insn.op === OP.CLD || insn.op === OP.STD;
  const mask = direction ? RFLAGS_DF : RFLAGS_CF;
  if (insn.op === OP.CMC) b.flags.change(mask, v.xor(b.flags.carry(), v.const(1n)));
  else b.flags.change(mask, v.const(insn.op === OP.STC || insn.op === OP.STD ? BigInt(mask) : 0n));
}

/** SGDT, SIDT. */
export function storeTable<V, C>(b: Builder<V, C>, insn: Insn): void {
  if (insn.op === OP.SGDT) b.operands.storeTable(L.ST_GDTR_LIMIT, L.ST_GDTR_BASE);
  else b.operands.storeTable(L.ST_IDTR_LIMIT, L.ST_IDTR_BASE);
}

/** NOP, PREFETCH and the fences. */
export function nothing(): void {}
