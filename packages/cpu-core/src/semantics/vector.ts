/** MMX and SSE moves, logic, integer operations and shuffles. Intel SDM Vol. 2, the pages of each mnemonic. */
import { type Insn, K_IMM, K_MEM, K_MM, K_REG, K_XMM } from '../insn.ts';
import { OP, OP_NAMES, type OpName } from '../ops.ts';
import type { Builder, Width } from './builder.ts';
import type { VectorOp, VectorShift } from './vector-ops.ts';

/** MOVAPS MOVUPS MOVDQA MOVDQU LDDQU MOVNTDQ (and their PS and PD spellings). */
export function move<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const aligned = insn.op !== OP.MOVUPS && insn.op !== OP.MOVDQU && insn.op !== OP.LDDQU;
  b.vectors.write(0, b.vectors.read(1, aligned), aligned);
}

/** MOVD, MOVQ, MOVNTQ, MOVDQ2Q and MOVQ2DQ between XMM, MMX and general registers and memory. */
export function moveScalar<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { operands: o, vectors } = b;
  const { kind0, kind1 } = insn;
  vectors.check();
  const source = kind1 === K_REG ? vectors.of(o.read(1)) : vectors.read(1);
  if (kind0 === K_XMM) vectors.write(0, kind1 === K_XMM ? low(b, source) : source);
  else if (kind0 === K_MM) vectors.write(0, source);
  else o.write(0, vectors.lane(insn.size0 as Width, 0, source));
  vectors.enterMmx();
}

/** The low half of a vector, zeros above it. */
function low<V, C>(b: Builder<V, C>, a: V): V {
  return b.vectors.apply('PUNPCKLQDQ', a, b.vectors.of(b.values.const(0n)));
}

/** Operations under other names. */
const SAME: Partial<Record<OpName, VectorOp>> = {
  ANDPS: 'PAND',
  ANDNPS: 'PANDN',
  ORPS: 'POR',
  XORPS: 'PXOR',
  UNPCKLPS: 'PUNPCKLDQ',
  UNPCKLPD: 'PUNPCKLQDQ',
  UNPCKHPS: 'PUNPCKHDQ',
  UNPCKHPD: 'PUNPCKHQDQ',
};

/** The operations of {@link VectorOp} on a register and a register or memory. */
export function binary<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const second = b.vectors.read(1);
  const name = OP_NAMES[insn.op]!;
  const op = SAME[name] ?? (name as VectorOp);
  const first = b.vectors.read(0);
  b.vectors.write(
    0,
    insn.kind0 === K_MM ? applyHalf(b, op, first, second) : b.vectors.apply(op, first, second),
  );
}

/** An operation on low halves that gives a low half: most do so by themselves. */
function applyHalf<V, C>({ values: v, vectors }: Builder<V, C>, op: VectorOp, a: V, b: V): V {
  if (op.startsWith('PACK')) {
    const both = vectors.apply('PUNPCKLQDQ', a, b);
    return vectors.apply(op, both, both);
  }
  if (!op.startsWith('PUNPCKH')) return vectors.apply(op, a, b);
  // The upper lanes of low halves come last of the lower lanes.
  const all = vectors.apply(op.replace('PUNPCKH', 'PUNPCKL') as VectorOp, a, b);
  return vectors.shiftBytes(all, v.const(8n), false);
}

/** The operations of {@link VectorShift}: by an immediate, or by the low half of a register or memory. */
export function shift<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const count = insn.kind1 === K_IMM ? b.operands.immediateByte() : b.vectors.lane(8, 0, b.vectors.read(1));
  b.vectors.write(0, b.vectors.shiftLanes(OP_NAMES[insn.op] as VectorShift, b.vectors.read(0), count));
}

/** PSLLDQ and PSRLDQ. */
export function shiftBytes<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  b.vectors.write(
    0,
    b.vectors.shiftBytes(b.vectors.read(0), b.operands.immediateByte(), insn.op === OP.PSLLDQ),
  );
}

/** PSHUFD and SHUFPS. */
export function shuffle32<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const second = b.vectors.read(1);
  const first = insn.op === OP.SHUFPS ? b.vectors.read(0) : second;
  b.vectors.write(0, b.vectors.shuffle32(first, second, b.operands.immediateByte()));
}

/** SHUFPD: a quadword of each, as two doublewords. */
export function shuffle64<V, C>(b: Builder<V, C>, _insn: Insn): void {
  const { values: v } = b;
  b.vectors.check();
  const second = b.vectors.read(1);
  const order = b.operands.immediateByte();
  // A quadword's doublewords are 0 and 1 (fields 4h), or 2 and 3 (fields Eh).
  const clear = (bit: bigint): C => v.equal(v.and(order, v.const(bit)), v.const(0n));
  const low = v.select(clear(1n), v.const(0x04n), v.const(0x0en));
  const high = v.select(clear(2n), v.const(0x40n), v.const(0xe0n));
  b.vectors.write(0, b.vectors.shuffle32(b.vectors.read(0), second, v.or(low, high)));
}

/** PSHUFLW, PSHUFHW and PSHUFW. */
export function shuffle16<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  b.vectors.write(
    0,
    b.vectors.shuffle16(b.vectors.read(1), insn.op === OP.PSHUFHW, b.operands.immediateByte()),
  );
}

/** MOVLHPS and MOVHLPS. */
export function moveHalf<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const first = b.vectors.read(0);
  const second = b.vectors.read(1);
  if (insn.op === OP.MOVLHPS) b.vectors.write(0, b.vectors.apply('PUNPCKLQDQ', first, second));
  else b.vectors.write(0, b.vectors.apply('PUNPCKHQDQ', second, first));
}

/** MOVLPS and MOVHPS (and their PD spellings): one half and memory. */
export function loadHalf<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { operands: o } = b;
  b.vectors.check();
  const high = insn.op === OP.MOVHPS;
  if (insn.kind0 === K_MEM) {
    o.write(0, b.vectors.lane(8, high ? 1 : 0, b.vectors.read(1)));
    return;
  }
  const half = b.vectors.of(o.read(1));
  const first = b.vectors.read(0);
  const other = high ? first : b.vectors.shiftBytes(first, b.values.const(8n), false);
  b.vectors.write(
    0,
    high ? b.vectors.apply('PUNPCKLQDQ', other, half) : b.vectors.apply('PUNPCKLQDQ', half, other),
  );
}

/** MOVDDUP. */
export function duplicate<V, C>(b: Builder<V, C>, _insn: Insn): void {
  b.vectors.check();
  const source = b.vectors.read(1);
  b.vectors.write(0, b.vectors.apply('PUNPCKLQDQ', source, source));
}

/** MOVSLDUP and MOVSHDUP: the even or the odd doublewords twice. */
export function duplicate32<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const source = b.vectors.read(1);
  const order = b.values.const(insn.op === OP.MOVSLDUP ? 0xa0n : 0xf5n);
  b.vectors.write(0, b.vectors.shuffle32(source, source, order));
}

/** MOVSS and MOVSD: between registers the low lane alone; from memory zeros above it. */
export function moveLane<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { operands: o, vectors } = b;
  vectors.check();
  const width = insn.op === OP.MOVSS ? 4 : 8;
  if (insn.kind0 === K_MEM) o.write(0, vectors.lane(width, 0, vectors.read(1)));
  else if (insn.kind1 === K_MEM) vectors.write(0, vectors.read(1));
  else vectors.write(0, vectors.withLow(width, vectors.read(0), vectors.read(1)));
}

/** PMOVMSKB, MOVMSKPS and MOVMSKPD. */
export function moveMask<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const width = insn.op === OP.PMOVMSKB ? 1 : insn.op === OP.MOVMSKPS ? 4 : 8;
  b.operands.write(0, b.vectors.moveMask(width, b.vectors.read(1)));
  b.vectors.enterMmx();
}

/** Bytes below the word of a register (operand of that kind) that the immediate names. */
function wordOffset<V, C>(b: Builder<V, C>, kind: number): V {
  const { values: v } = b;
  const words = kind === K_MM ? 4n : 8n;
  return v.shl(4, v.and(b.operands.immediateByte(), v.const(words - 1n)), v.const(1n));
}

/** PINSRW. */
export function insertWord<V, C>(b: Builder<V, C>, insn: Insn): void {
  const { values: v } = b;
  b.vectors.check();
  const ones = v.const(0xffffn);
  const word = b.vectors.of(v.and(b.operands.read(1), ones));
  const at = wordOffset(b, insn.kind0);
  const hole = b.vectors.shiftBytes(b.vectors.of(ones), at, true);
  const rest = b.vectors.apply('PANDN', hole, b.vectors.read(0));
  b.vectors.write(0, b.vectors.apply('POR', rest, b.vectors.shiftBytes(word, at, true)));
}

/** PEXTRW. */
export function extractWord<V, C>(b: Builder<V, C>, insn: Insn): void {
  b.vectors.check();
  const at = wordOffset(b, insn.kind1);
  b.operands.write(0, b.vectors.lane(2, 0, b.vectors.shiftBytes(b.vectors.read(1), at, false)));
  b.vectors.enterMmx();
}
