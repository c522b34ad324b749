/**
 * Whether a lane that WebAssembly computed is what SSE says, and exact: what the code of an instruction asks where a
 * glance at operands and result does not tell, or where MXCSR.PE is still clear. See docs/adr/0019-sse-floats.md.
 */
import * as L from '../../layout.ts';
import type { LaneOp } from '../../semantics/float-ops.ts';
import { MXCSR_PE, MXCSR_PM, MXCSR_RC } from '../../system/float/lane.ts';
import { ROUND_DOWN } from '../../system/x87/number.ts';
import { Emitter, F64, I32, I64, S, V128, VOID, W } from './emitter.ts';
import type { Body, ModuleBuilder, Signature } from './module.ts';

/** What is settled: NARROW is double to single precision. SUB is ADD of what the second operand is negated. */
const OPERATIONS = ['ADD', 'MUL', 'DIV', 'SQRT', 'NARROW'] as const;
type Settled = (typeof OPERATIONS)[number];
const SINGLE = 8;
const PACKED = 16;

/** Names what to settle to the function: operation, width of the result, all lanes or the lowest. */
export function settleKind(
  op: Extract<LaneOp, Settled> | 'NARROW',
  single: boolean,
  packed: boolean,
): number {
  return OPERATIONS.indexOf(op) | (single ? SINGLE : 0) | (packed ? PACKED : 0);
}

/** (state, kind, a, b, result) -> 0: the result is right, MXCSR has its flags; else the evaluator is to compute. */
export const SETTLE: Signature = { params: [I32, I32, V128, V128, V128], results: [I32] };

/** Bits of what a lane says. */
const INEXACT = 1;
const UNDECIDED = 2;

/** What of MXCSR decides whether a rounded result is right: to nearest, inexactness masked. */
export const ROUNDING_MASK: number = MXCSR_RC | MXCSR_PM;
/** What {@link ROUNDING_MASK} leaves of MXCSR where it is. */
export const ROUNDING_PLAIN: number = MXCSR_PM;

const MIN_NORMAL_32 = 2 ** -126;
const MIN_NORMAL_64 = 2 ** -1022;
const FRACTION = (1n << 52n) - 1n;

/** (u, v, w) -> 1 if u * v is not exactly w, which is this product rounded; all normal doubles. */
function productFunction(): Body {
  const e = new Emitter();
  const [bitsU, bitsV] = [3, 4];
  // Zeros below the lowest digit of a product are those of both factors.
  for (const [from, bits] of [
    [0, bitsU],
    [1, bitsV],
  ] as const) {
    e.get(from).op(W.i64_reinterpret_f64).tee(bits).i64(FRACTION).op(W.i64_and);
    e.i64(FRACTION + 1n).op(W.i64_or, W.i64_ctz);
  }
  e.op(W.i64_add);
  // It has 105 digits, or 106 where the exponents' sum is one below the product's.
  const exponent = (push: () => void): void => {
    push();
    e.i64(52n).op(W.i64_shr_u).i64(0x7ffn).op(W.i64_and);
  };
  exponent(() => e.get(2).op(W.i64_reinterpret_f64));
  exponent(() => e.get(bitsU));
  e.op(W.i64_sub);
  exponent(() => e.get(bitsV));
  e.op(W.i64_sub)
    .i64(1023n + 52n)
    .op(W.i64_add, W.i64_lt_s);
  return {
    signature: { params: [F64, F64, F64], results: [I32] },
    locals: [[2, I64]] as const,
    code: e.bytes,
  };
}

/** (state, kind, x, y, r) -> {@link INEXACT}, {@link UNDECIDED} or 0 of one lane. */
function laneFunction(product: number): Body {
  const e = new Emitter();
  const [state, kind, x, y, r, smallest, sum, part] = [0, 1, 2, 3, 4, 5, 6, 7];
  const single = (): void => void e.get(kind).i32(SINGLE).op(W.i32_and);
  const isOp = (op: Settled): void =>
    void e
      .get(kind)
      .i32(SINGLE - 1)
      .op(W.i32_and)
      .i32(OPERATIONS.indexOf(op))
      .op(W.i32_eq);
  const infinite = (local: number): void => void e.get(local).op(W.f64_abs).f64(Infinity).op(W.f64_eq);
  const isZero = (local: number): void => void e.get(local).f64(0).op(W.f64_eq);
  const result = (value: number): void => void e.i32(value).op(W.return);
  /** Returns 0 if the truth on the stack holds, else UNDECIDED. */
  const decided = (): void => void e.i32(0).i32(UNDECIDED);
  // Denormal operands: the operand of NARROW is a double.
  e.f64(MIN_NORMAL_32).f64(MIN_NORMAL_64);
  single();
  e.op(W.select).set(smallest);
  for (const operand of [x, y]) {
    e.get(operand).op(W.f64_abs).f64(MIN_NORMAL_64).get(smallest);
    isOp('NARROW');
    e.op(W.select, W.f64_lt).get(operand).f64(0).op(W.f64_ne, W.i32_and, W.if, VOID);
    result(UNDECIDED);
    e.op(W.end);
  }
  e.get(r).get(r).op(W.f64_ne, W.if, VOID);
  result(UNDECIDED);
  e.op(W.end);
  // An infinite result of infinite operands.
  infinite(r);
  e.op(W.if, VOID);
  decided();
  infinite(x);
  infinite(y);
  e.op(W.i32_or, W.select, W.return, W.end);
  // Zero: of zeros, of a sum (whose sign depends on the rounding), of a division by infinity.
  isZero(r);
  e.op(W.if, VOID);
  decided();
  e.get(state)
    .mem(W.i32_load, L.ST_MXCSR)
    .i32(MXCSR_RC)
    .op(W.i32_and)
    .i32(ROUND_DOWN << 13)
    .op(W.i32_ne);
  isOp('ADD');
  e.op(W.i32_and);
  isZero(x);
  isOp('ADD');
  e.op(W.i32_eqz, W.i32_and, W.i32_or);
  isZero(y);
  isOp('MUL');
  e.op(W.i32_and, W.i32_or);
  infinite(y);
  isOp('DIV');
  e.op(W.i32_and, W.i32_or, W.select, W.return, W.end);
  // Tiny, or rounded up to what is just not.
  e.get(r).op(W.f64_abs).get(smallest).op(W.f64_le, W.if, VOID);
  result(UNDECIDED);
  e.op(W.end);
  isOp('ADD');
  e.op(W.if, VOID);
  // The error of a sum is a double (D. Knuth, TAOCP Vol. 2, 4.2.2, Theorem B).
  e.get(x).get(y).op(W.f64_add).tee(sum).get(x).op(W.f64_sub).set(part);
  e.get(x).get(sum).get(part).op(W.f64_sub, W.f64_sub);
  e.get(y).get(part).op(W.f64_sub, W.f64_add).f64(0).op(W.f64_ne);
  e.get(sum).get(r).op(W.f64_ne, W.i32_or, W.return, W.end);
  isOp('NARROW');
  e.op(W.if, VOID).get(x).get(r).op(W.f64_ne, W.return, W.end);
  // A quotient is exact where its product with the divisor is the dividend exactly, a root where its square is.
  isOp('DIV');
  e.op(W.if, VOID).get(x).set(sum).get(r).set(x).get(sum).set(r).op(W.end);
  isOp('SQRT');
  e.op(W.if, VOID).get(x).set(sum).get(r).tee(x).set(y).get(sum).set(r).op(W.end);
  e.get(x).get(y).op(W.f64_mul).get(r).op(W.f64_ne, W.if, VOID);
  result(INEXACT);
  e.op(W.end);
  single();
  e.op(W.if, VOID);
  result(0);
  e.op(W.end);
  e.get(x).get(y).get(r).call(product);
  return {
    signature: { params: [I32, I32, F64, F64, F64], results: [I32] },
    locals: [[3, F64]] as const,
    code: e.bytes,
  };
}

/** The function of {@link SETTLE}, which calls the one for a lane. */
function settleFunction(lane: number): Body {
  const e = new Emitter();
  const [state, kind, a, b, r, found, mxcsr] = [0, 1, 2, 3, 4, 5, 6];
  const ofLane = (n: number, single: boolean): void => {
    e.get(state).get(kind);
    for (const vector of [a, b]) {
      e.get(vector).simdLane(single ? S.f32x4_extract_lane : S.f64x2_extract_lane, n);
      if (single) e.op(W.f64_promote_f32);
    }
  };
  const ofResult = (n: number, single: boolean): void => {
    e.get(r).simdLane(single ? S.f32x4_extract_lane : S.f64x2_extract_lane, n);
    if (single) e.op(W.f64_promote_f32);
    e.call(lane);
  };
  const lanes = (count: number, single: boolean, singleResult: boolean): void => {
    ofLane(0, single);
    ofResult(0, singleResult);
    e.set(found).get(kind).i32(PACKED).op(W.i32_and, W.if, VOID).get(found);
    for (let n = 1; n < count; n++) {
      ofLane(n, single);
      ofResult(n, singleResult);
      e.op(W.i32_or);
    }
    e.set(found).op(W.end);
  };
  e.get(kind).i32(SINGLE).op(W.i32_and, W.if, VOID);
  e.get(kind)
    .i32(SINGLE - 1)
    .op(W.i32_and)
    .i32(OPERATIONS.indexOf('NARROW'))
    .op(W.i32_eq, W.if, VOID);
  lanes(2, false, true);
  e.op(W.else);
  lanes(4, true, true);
  e.op(W.end, W.else);
  lanes(2, false, false);
  e.op(W.end);
  e.get(found).i32(UNDECIDED).op(W.i32_and, W.if, VOID).i32(1).op(W.return, W.end);
  e.get(found).op(W.i32_eqz, W.if, VOID).i32(0).op(W.return, W.end);
  e.get(state).mem(W.i32_load, L.ST_MXCSR).tee(mxcsr).i32(ROUNDING_MASK).op(W.i32_and);
  e.i32(ROUNDING_PLAIN).op(W.i32_ne, W.if, VOID).i32(1).op(W.return, W.end);
  e.get(state).get(mxcsr).i32(MXCSR_PE).op(W.i32_or).mem(W.i32_store, L.ST_MXCSR).i32(0);
  return { signature: SETTLE, locals: [[2, I32]] as const, code: e.bytes };
}

/** Adds the functions to a module; index of the one of {@link SETTLE}, which is exported as `settle`. */
export function addSettle(m: ModuleBuilder): number {
  const product = m.reserve();
  m.define(product, productFunction());
  const lane = m.reserve();
  m.define(lane, laneFunction(product));
  const settle = m.reserve();
  m.define(settle, settleFunction(lane), 'settle');
  return settle;
}
