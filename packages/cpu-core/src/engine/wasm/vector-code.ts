/** Vector operations as WebAssembly: what the interpreter and translated code have in common. */
import * as L from '../../layout.ts';
import type { Width } from '../../semantics/builder.ts';
import type { FloatWidth } from '../../semantics/float-ops.ts';
import { unpackLanes, type VectorOp, type VectorShift } from '../../semantics/vector-ops.ts';
import { FSW_ES, FSW_TOP } from '../../system/x87/fpu.ts';
import { type Emitter, S, W } from './emitter.ts';

/** Pushes an operand; where an operation needs it twice, it is pushed twice. */
type Push = () => void;

/** Loads of less than a vector, zeros above. */
export const LOADS_ZERO: Readonly<Record<number, number>> = {
  4: S.v128_load32_zero,
  8: S.v128_load64_zero,
  16: S.v128_load,
};

/**
 * Pushes not zero unless the x87 registers are MMX's: none empty, TOP 0, no exception pending. The evaluator makes it
 * so, or raises #MF.
 */
export function pushNotMmx(e: Emitter, state: number): void {
  e.get(state)
    .mem(W.i32_load, L.ST_FSW)
    .i32(FSW_TOP | FSW_ES)
    .op(W.i32_and);
  e.get(state).mem(W.i32_load, L.ST_FTW).get(state).mem(W.i32_load, L.ST_FTW);
  e.i32(1).op(W.i32_shr_u, W.i32_and).i32(0x5555).op(W.i32_and, W.i32_or);
}

/**
 * Emits what a write to an MMX register does beside its significand: sign and exponent are ones, which is a special
 * value. `address` pushes the state page's address plus 16 for each register, `tag` twice the register's number.
 */
export function setMmxExponent(e: Emitter, state: number, address: Push, tag: Push): void {
  address();
  e.i64(0xffffn)
    .mem(W.i64_store, L.ST_X87 + 8)
    .get(state)
    .get(state)
    .mem(W.i32_load, L.ST_FTW);
  e.i32(3);
  tag();
  e.op(W.i32_shl, W.i32_or).i32(1);
  tag();
  e.op(W.i32_shl).op(W.i32_xor).mem(W.i32_store, L.ST_FTW);
}

/** Operations that are one of WebAssembly's. */
const SINGLE: Partial<Record<VectorOp, number>> = {
  PAND: S.v128_and,
  POR: S.v128_or,
  PXOR: S.v128_xor,
  PCMPEQB: S.i8x16_eq,
  PCMPEQW: S.i16x8_eq,
  PCMPEQD: S.i32x4_eq,
  PCMPGTB: S.i8x16_gt_s,
  PCMPGTW: S.i16x8_gt_s,
  PCMPGTD: S.i32x4_gt_s,
  PADDB: S.i8x16_add,
  PADDW: S.i16x8_add,
  PADDD: S.i32x4_add,
  PADDQ: S.i64x2_add,
  PADDSB: S.i8x16_add_sat_s,
  PADDSW: S.i16x8_add_sat_s,
  PADDUSB: S.i8x16_add_sat_u,
  PADDUSW: S.i16x8_add_sat_u,
  PSUBB: S.i8x16_sub,
  PSUBW: S.i16x8_sub,
  PSUBD: S.i32x4_sub,
  PSUBQ: S.i64x2_sub,
  PSUBSB: S.i8x16_sub_sat_s,
  PSUBSW: S.i16x8_sub_sat_s,
  PSUBUSB: S.i8x16_sub_sat_u,
  PSUBUSW: S.i16x8_sub_sat_u,
  PMINUB: S.i8x16_min_u,
  PMINSW: S.i16x8_min_s,
  PMAXUB: S.i8x16_max_u,
  PMAXSW: S.i16x8_max_s,
  PAVGB: S.i8x16_avgr_u,
  PAVGW: S.i16x8_avgr_u,
  PMULLW: S.i16x8_mul,
  PMADDWD: S.i32x4_dot_i16x8_s,
  PACKSSWB: S.i8x16_narrow_i16x8_s,
  PACKSSDW: S.i16x8_narrow_i32x4_s,
  PACKUSWB: S.i8x16_narrow_i16x8_u,
};

const SHIFTS: Readonly<Record<VectorShift, readonly [opcode: number, bits: number]>> = {
  PSLLW: [S.i16x8_shl, 16],
  PSLLD: [S.i32x4_shl, 32],
  PSLLQ: [S.i64x2_shl, 64],
  PSRLW: [S.i16x8_shr_u, 16],
  PSRLD: [S.i32x4_shr_u, 32],
  PSRLQ: [S.i64x2_shr_u, 64],
  PSRAW: [S.i16x8_shr_s, 16],
  PSRAD: [S.i32x4_shr_s, 32],
};

const LANES: Readonly<Record<number, number>> = {
  2: S.i16x8_extract_lane_u,
  4: S.i32x4_extract_lane,
  8: S.i64x2_extract_lane,
};

/** Highest bits of lanes, by their bytes. */
export const BITMASKS: Readonly<Record<1 | FloatWidth, number>> = {
  1: S.i8x16_bitmask,
  4: S.i32x4_bitmask,
  8: S.i64x2_bitmask,
};

const IOTA: readonly number[] = Array.from({ length: 16 }, (_, n) => n);
const NOTHING: readonly number[] = IOTA.map(() => 0);
/** The two upper bytes of each doubleword of both operands. */
const UPPER_WORDS: readonly number[] = IOTA.map((n) => (n >> 1) * 4 + 2 + (n & 1));
/** Factors that bring the two-bit fields of an order to bits 7..6. */
const FIELDS = [64, 16, 4, 1] as const;

function repeat(bytes: readonly number[]): number[] {
  return Array.from({ length: 16 }, (_, n) => bytes[n % bytes.length]!);
}

/** Pushes a vector of zeros. */
function pushZero(e: Emitter): void {
  e.simdBytes(S.v128_const, NOTHING);
}

function unpackBytes(op: string): number[] {
  const [bits, high] = unpackLanes(op);
  const bytes = bits / 8;
  return IOTA.map((n) => {
    const lane = Math.floor(n / bytes);
    return (high ? 8 : 0) + (lane >> 1) * bytes + (n % bytes) + (lane & 1 ? 16 : 0);
  });
}

/** Pushes the result of a two-operand operation. */
export function pushVector(e: Emitter, op: VectorOp, a: Push, b: Push): void {
  const single = SINGLE[op];
  const both = (...opcodes: number[]): void => {
    a();
    b();
    e.simd(...opcodes);
  };
  if (single !== undefined) {
    both(single);
    return;
  }
  if (op.startsWith('PUNPCK')) {
    a();
    b();
    e.simdBytes(S.i8x16_shuffle, unpackBytes(op));
    return;
  }
  switch (op) {
    case 'PANDN':
      b();
      a();
      e.simd(S.v128_andnot);
      return;
    case 'PMULHW':
    case 'PMULHUW':
      both(op === 'PMULHW' ? S.i32x4_extmul_low_i16x8_s : S.i32x4_extmul_low_i16x8_u);
      both(op === 'PMULHW' ? S.i32x4_extmul_high_i16x8_s : S.i32x4_extmul_high_i16x8_u);
      e.simdBytes(S.i8x16_shuffle, UPPER_WORDS);
      return;
    case 'PMULUDQ':
      for (const operand of [a, b]) {
        operand();
        e.simdBytes(S.v128_const, repeat([255, 255, 255, 255, 0, 0, 0, 0])).simd(S.v128_and);
      }
      e.simd(S.i64x2_mul);
      return;
    case 'PSADBW':
      // Distances, then sums of 2, of 4 and of 8.
      both(S.i8x16_max_u);
      both(S.i8x16_min_u);
      e.simd(S.i8x16_sub, S.i16x8_extadd_pairwise_i8x16_u, S.i32x4_extadd_pairwise_i16x8_u);
      // Both doublewords of a quadword times 1 and 2^32: the sum is in the upper one.
      e.simdBytes(S.v128_const, repeat([1, 0, 0, 0, 1, 0, 0, 0]))
        .simd(S.i64x2_mul)
        .i32(32)
        .simd(S.i64x2_shr_u);
      return;
  }
  throw new RangeError(`wasm: no code for ${op}`);
}

/** A count or an immediate: known, or pushed. */
export interface Scalar {
  readonly constant: bigint | undefined;
  /** Pushes its low 32 bits. */
  readonly push32: Push;
  /** Pushes all of it. */
  readonly push64: Push;
}

/** Pushes shifted lanes. */
export function pushShift(e: Emitter, op: VectorShift, a: Push, count: Scalar): void {
  const [opcode, bits] = SHIFTS[op];
  const arithmetic = op.startsWith('PSRA');
  const { constant } = count;
  if (constant !== undefined) {
    if (constant >= BigInt(bits) && !arithmetic) {
      pushZero(e);
      return;
    }
    a();
    e.i32(Math.min(bits - 1, Number(constant))).simd(opcode);
    return;
  }
  const inRange = (): void => {
    count.push64();
    e.i64(BigInt(bits)).op(W.i64_lt_u, W.select);
  };
  a();
  count.push32();
  if (arithmetic) {
    e.i32(bits - 1);
    inRange();
    e.simd(opcode);
    return;
  }
  e.simd(opcode);
  pushZero(e);
  inRange();
}

/** Pushes a vector shifted by bytes. */
export function pushShiftBytes(e: Emitter, a: Push, count: Scalar, left: boolean): void {
  a();
  if (count.constant !== undefined) {
    const by = Math.min(16, Number(count.constant));
    if (left) {
      pushZero(e); // bytes 16 and more
      e.simdBytes(
        S.i8x16_shuffle,
        IOTA.map((n) => (n < by ? 16 : n - by)),
      );
      return;
    }
    pushZero(e);
    e.simdBytes(
      S.i8x16_shuffle,
      IOTA.map((n) => Math.min(16, n + by)),
    );
    return;
  }
  // Byte numbers beyond 15 select zeros.
  e.simdBytes(S.v128_const, IOTA);
  count.push32();
  e.i32(16);
  count.push32();
  e.i32(16).op(W.i32_lt_u, W.select);
  e.simd(S.i8x16_splat, left ? S.i8x16_sub : S.i8x16_add, S.i8x16_swizzle);
}

/** The byte numbers of lanes that an order's four fields name. */
function lanesOf(order: bigint, bytes: number): number[] {
  return Array.from({ length: 4 * bytes }, (_, n) => {
    const field = Number(order >> BigInt(2 * Math.floor(n / bytes))) & 3;
    return field * bytes + (n % bytes);
  });
}

/** Pushes doublewords by order: the lower two from `a`, the others from `b`. */
export function pushShuffle32(e: Emitter, a: Push, b: Push, order: Scalar): void {
  if (order.constant !== undefined) {
    a();
    b();
    e.simdBytes(
      S.i8x16_shuffle,
      lanesOf(order.constant, 4).map((byte, n) => (n < 8 ? byte : byte + 16)),
    );
    return;
  }
  for (const operand of [a, b]) {
    operand();
    order.push32();
    e.simd(S.i32x4_splat).simdBytes(
      S.v128_const,
      FIELDS.flatMap((factor) => [factor, 0, 0, 0]),
    );
    e.simd(S.i32x4_mul)
      .i32(6)
      .simd(S.i32x4_shr_u)
      .simdBytes(S.v128_const, repeat([3, 0, 0, 0]));
    e.simd(S.v128_and)
      .simdBytes(S.v128_const, repeat([4, 4, 4, 4]))
      .simd(S.i32x4_mul);
    e.simdBytes(S.v128_const, repeat([0, 1, 2, 3])).simd(S.i32x4_add, S.i8x16_swizzle);
  }
  e.simdBytes(
    S.i8x16_shuffle,
    IOTA.map((n) => (n < 8 ? n : n + 16)),
  );
}

/** Pushes a vector with the words of one half by order. */
export function pushShuffle16(e: Emitter, a: Push, high: boolean, order: Scalar): void {
  a();
  const first = high ? 8 : 0;
  if (order.constant !== undefined) {
    const words = lanesOf(order.constant, 2).map((byte) => first + byte);
    a();
    e.simdBytes(S.i8x16_shuffle, high ? [...IOTA.slice(0, 8), ...words] : [...words, ...IOTA.slice(8)]);
    return;
  }
  order.push32();
  e.simd(S.i16x8_splat).simdBytes(S.v128_const, repeat(FIELDS.flatMap((factor) => [factor, 0])));
  e.simd(S.i16x8_mul)
    .i32(6)
    .simd(S.i16x8_shr_u)
    .simdBytes(S.v128_const, repeat([3, 0]))
    .simd(S.v128_and);
  e.simdBytes(S.v128_const, repeat([2, 2])).simd(S.i16x8_mul);
  e.simdBytes(S.v128_const, repeat([first, first + 1])).simd(S.i16x8_add);
  // The other half's bytes stay.
  e.simdBytes(S.v128_const, IOTA).simdBytes(
    S.i8x16_shuffle,
    IOTA.map((n) => (n < 8 === high ? n + 16 : n)),
  );
  e.simd(S.i8x16_swizzle);
}

/** Pushes a lane of 2, 4 (both as i32) or 8 bytes. */
export function pushLane(e: Emitter, w: Width, n: number, a: Push): void {
  a();
  e.simdLane(LANES[w]!, n);
}

/** Pushes the vector of a value, zeros above it. */
export function pushVectorOf(e: Emitter, value: Scalar): void {
  pushZero(e);
  if (value.constant === 0n) return;
  value.push64();
  e.simdLane(S.i64x2_replace_lane, 0);
}

/** Pushes a vector with its low bytes from another. */
export function pushWithLow(e: Emitter, w: FloatWidth, a: Push, low: Push): void {
  a();
  low();
  e.simdBytes(
    S.i8x16_shuffle,
    IOTA.map((n) => (n < w ? n + 16 : n)),
  );
}
