/**
 * 128-bit vectors as BigInts, lane by lane: the vector part of the evaluator. Intel SDM Vol. 2, the instructions'
 * pages.
 */
import type { Width } from '../semantics/builder.ts';
import type { FloatWidth } from '../semantics/float-ops.ts';
import { LANE_BITS, unpackLanes, type VectorOp, type VectorShift } from '../semantics/vector-ops.ts';

const MASK64 = (1n << 64n) - 1n;
const MASK128 = (1n << 128n) - 1n;

/** Lane `n` of `bits` bits. */
const lane = (value: bigint, n: number, bits: number): bigint =>
  BigInt.asUintN(bits, value >> BigInt(n * bits));

/** Lanes put together, lane 0 lowest. */
export function join(bits: number, lanes: readonly bigint[]): bigint {
  return lanes.reduceRight((all, one) => (all << BigInt(bits)) | BigInt.asUintN(bits, one), 0n);
}

/** All lanes of `bits` bits, the lowest first. */
export const lanes = (bits: number, value: bigint): bigint[] =>
  Array.from({ length: 128 / bits }, (_, n) => lane(value, n, bits));
const signedLanes = (bits: number, value: bigint): bigint[] =>
  lanes(bits, value).map((x) => BigInt.asIntN(bits, x));

type Lanes = (a: bigint, b: bigint) => bigint;

/** `compute` on each pair of lanes. */
function each(bits: number, compute: Lanes, split = lanes): Lanes {
  return (a, b) => {
    const second = split(bits, b);
    return join(
      bits,
      split(bits, a).map((x, n) => compute(x, second[n]!)),
    );
  };
}
const signed = (bits: number, compute: Lanes): Lanes => each(bits, compute, signedLanes);

/** The lanes of the low (or high) halves in turn. */
function unpack(bits: number, high: boolean, a: bigint, b: bigint): bigint {
  const first = high ? 64 / bits : 0;
  return join(
    bits,
    Array.from({ length: 128 / bits }, (_, n) => lane(n & 1 ? b : a, first + (n >> 1), bits)),
  );
}

function clamp(value: bigint, bits: number, asSigned: boolean): bigint {
  const top = (1n << BigInt(asSigned ? bits - 1 : bits)) - 1n;
  const bottom = asSigned ? -top - 1n : 0n;
  return value > top ? top : value < bottom ? bottom : value;
}
/** Signed lanes of both, half as wide and clamped. */
const pack =
  (bits: number, asSigned: boolean): Lanes =>
  (a, b) =>
    join(
      bits / 2,
      [...signedLanes(bits, a), ...signedLanes(bits, b)].map((x) => clamp(x, bits / 2, asSigned)),
    );

const sum = (values: readonly bigint[]): bigint => values.reduce((x, y) => x + y, 0n);
const min: Lanes = (a, b) => (a < b ? a : b);
const max: Lanes = (a, b) => (a > b ? a : b);
const average: Lanes = (a, b) => (a + b + 1n) >> 1n;

/** By mnemonic without what its last letter says, or by the whole of it; that goes first. */
const STEMS: Readonly<Record<string, (bits: number) => Lanes>> = {
  PCMPEQ: (bits) => each(bits, (a, b) => (a === b ? -1n : 0n)),
  PCMPGT: (bits) => signed(bits, (a, b) => (a > b ? -1n : 0n)),
  PADD: (bits) => each(bits, (a, b) => a + b),
  PSUB: (bits) => each(bits, (a, b) => a - b),
  PADDS: (bits) => signed(bits, (a, b) => clamp(a + b, bits, true)),
  PADDUS: (bits) => each(bits, (a, b) => clamp(a + b, bits, false)),
  PSUBS: (bits) => signed(bits, (a, b) => clamp(a - b, bits, true)),
  PSUBUS: (bits) => each(bits, (a, b) => clamp(a - b, bits, false)),
  PMINU: (bits) => each(bits, min),
  PMINS: (bits) => signed(bits, min),
  PMAXU: (bits) => each(bits, max),
  PMAXS: (bits) => signed(bits, max),
  PAVG: (bits) => each(bits, average),
};
const WHOLE: Readonly<Record<string, Lanes>> = {
  PAND: (a, b) => a & b,
  PANDN: (a, b) => ~a & MASK128 & b,
  POR: (a, b) => a | b,
  PXOR: (a, b) => a ^ b,
  PMULLW: each(16, (a, b) => a * b),
  PMULHW: signed(16, (a, b) => (a * b) >> 16n),
  PMULHUW: each(16, (a, b) => (a * b) >> 16n),
  PMULUDQ: each(64, (a, b) => (a & 0xffff_ffffn) * (b & 0xffff_ffffn)),
  PMADDWD: (a, b) => {
    const second = signedLanes(16, b);
    const products = signedLanes(16, a).map((x, n) => x * second[n]!);
    return join(
      32,
      [0, 2, 4, 6].map((n) => products[n]! + products[n + 1]!),
    );
  },
  PSADBW: (a, b) => {
    const second = lanes(8, b);
    const distances = lanes(8, a).map((x, n) => max(x, second[n]!) - min(x, second[n]!));
    return join(64, [sum(distances.slice(0, 8)), sum(distances.slice(8))]);
  },
  PACKSSWB: pack(16, true),
  PACKSSDW: pack(32, true),
  PACKUSWB: pack(16, false),
};

function laneBits(op: string): number {
  return LANE_BITS[op.charAt(op.length - 1)]!;
}

/** Computes on vectors. */
export class VectorLanes {
  apply(op: VectorOp, a: bigint, b: bigint): bigint {
    if (op.startsWith('PUNPCK')) {
      const [bits, high] = unpackLanes(op);
      return unpack(bits, high, a, b);
    }
    return (WHOLE[op] ?? STEMS[op.slice(0, -1)]!(laneBits(op)))(a, b);
  }
  shiftLanes(op: VectorShift, a: bigint, count: bigint): bigint {
    const bits = laneBits(op);
    const by = count < BigInt(bits) ? count : BigInt(bits);
    if (op.startsWith('PSLL')) return each(bits, (x) => x << by)(a, 0n);
    return (op.startsWith('PSRA') ? signed : each)(bits, (x) => x >> by)(a, 0n);
  }
  shiftBytes(a: bigint, count: bigint, left: boolean): bigint {
    const by = (count < 16n ? count : 16n) * 8n;
    return left ? (a << by) & MASK128 : a >> by;
  }
  shuffle32(a: bigint, b: bigint, order: bigint): bigint {
    const [low, high] = [pick(a, 32, 0, order), pick(b, 32, 0, order)];
    return join(32, [low[0]!, low[1]!, high[2]!, high[3]!]);
  }
  shuffle16(a: bigint, high: boolean, order: bigint): bigint {
    if (high) return (a & MASK64) | (join(16, pick(a, 16, 4, order)) << 64n);
    return ((a >> 64n) << 64n) | join(16, pick(a, 16, 0, order));
  }
  moveMask(w: 1 | FloatWidth, a: bigint): bigint {
    return lanes(w * 8, a).reduceRight((mask, x) => (mask << 1n) | (x >> BigInt(w * 8 - 1)), 0n);
  }
  lane(w: Width, n: number, a: bigint): bigint {
    return lane(a, n, w * 8);
  }
  of(value: bigint): bigint {
    return value;
  }
  withLow(w: FloatWidth, a: bigint, low: bigint): bigint {
    const bits = BigInt(w * 8);
    return ((a >> bits) << bits) | lane(low, 0, w * 8);
  }
}

/** Four lanes chosen by two-bit fields, counted from lane `first`. */
function pick(value: bigint, bits: number, first: number, order: bigint): bigint[] {
  return [0, 2, 4, 6].map((shift) => lane(value, first + (Number(order >> BigInt(shift)) & 3), bits));
}
