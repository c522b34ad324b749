/**
 * SSE floating point in generated code: WebAssembly's own operations where a glance at operands and result shows that
 * they do what SSE does, with the flags that are set already; else `settle`, else the evaluator. What a back end has
 * is a {@link FloatHost}. See docs/adr/0019-sse-floats.md.
 */
import * as L from '../../layout.ts';
import type { Floats } from '../../semantics/builder.ts';
import type { Conversion, FloatOp, FloatWidth } from '../../semantics/float-ops.ts';
import { MXCSR_DAZ, MXCSR_PE, MXCSR_PM } from '../../system/float/lane.ts';
import { MXCSR_BITS } from '../../system/sse.ts';
import { type Emitter, S, VOID, W } from './emitter.ts';
import { ROUNDING_MASK, ROUNDING_PLAIN, settleKind } from './settle-function.ts';
import { pushLane, pushWithLow } from './vector-code.ts';

/** What the code needs of a back end. */
export interface FloatHost<V> {
  readonly e: Emitter;
  /** Local with the host offset of the state page. */
  readonly state: number;
  /** Index of the function `settle`. */
  readonly settle: number;
  /** Pushes a vector. */
  vector(v: V): void;
  /** Pushes a value of up to 32 or 64 bits. */
  scalar(v: V, type: 32 | 64): void;
  /** What is known of a value. */
  constantOf(v: V): bigint | undefined;
  /** Pops into a local of the instruction's own; its index. */
  local(type: 32 | 64 | 128): number;
  /** Pops into a value. */
  value(type: 32 | 64 | 128, bits: number): V;
  /** Opens (1) or closes (-1) a block: leaving has further to go. */
  nest(by: 1 | -1): void;
  /** Announces an `if` or `br_if` that is hardly ever taken. */
  rarely(): void;
  /** Leaves to the evaluator if the truth on the stack holds. */
  leaveIf(): void;
}

/** Opcodes and constants of a width: lanes are looked at as integers. */
interface WidthCode {
  readonly opcodes: Readonly<
    Record<'ADD' | 'SUB' | 'MUL' | 'DIV' | 'SQRT', readonly [packed: number, lane: number]>
  >;
  readonly pmin: number;
  readonly pmax: number;
  readonly equal: number;
  readonly less: number;
  readonly extract: number;
  readonly replace: number;
  readonly allTrue: number;
}
const WIDTHS: Readonly<Record<FloatWidth, WidthCode>> = {
  4: {
    opcodes: {
      ADD: [S.f32x4_add, W.f32_add],
      SUB: [S.f32x4_sub, W.f32_sub],
      MUL: [S.f32x4_mul, W.f32_mul],
      DIV: [S.f32x4_div, W.f32_div],
      SQRT: [S.f32x4_sqrt, W.f32_sqrt],
    },
    pmin: S.f32x4_pmin,
    pmax: S.f32x4_pmax,
    equal: S.f32x4_eq,
    less: S.f32x4_lt,
    extract: S.f32x4_extract_lane,
    replace: S.f32x4_replace_lane,
    allTrue: S.i32x4_all_true,
  },
  8: {
    opcodes: {
      ADD: [S.f64x2_add, W.f64_add],
      SUB: [S.f64x2_sub, W.f64_sub],
      MUL: [S.f64x2_mul, W.f64_mul],
      DIV: [S.f64x2_div, W.f64_div],
      SQRT: [S.f64x2_sqrt, W.f64_sqrt],
    },
    pmin: S.f64x2_pmin,
    pmax: S.f64x2_pmax,
    equal: S.f64x2_eq,
    less: S.f64x2_lt,
    extract: S.f64x2_extract_lane,
    replace: S.f64x2_replace_lane,
    allTrue: S.i64x2_all_true,
  },
};

/** Fraction bits and the highest exponent field. */
const FRACTION: Readonly<Record<FloatWidth, bigint>> = { 4: 23n, 8: 52n };
const TOP: Readonly<Record<FloatWidth, bigint>> = { 4: 0xffn, 8: 0x7ffn };

/** What is asked of a lane. `rounded`: a normal number that is no rounded-up tiny one. */
type Question = 'denormal' | 'denormal or NaN' | 'not rounded';

/** 16 bytes of equal lanes, or of lanes in turn. */
function constantBytes(width: FloatWidth, ...values: bigint[]): number[] {
  return Array.from({ length: 16 }, (_, n) => {
    const value = BigInt.asUintN(width * 8, values[Math.floor(n / width) % values.length]!);
    return Number((value >> BigInt((n % width) * 8)) & 0xffn);
  });
}

/** Floating point of a back end. */
export class FloatCode<V> implements Floats<V> {
  readonly #h: FloatHost<V>;
  readonly #e: Emitter;

  constructor(host: FloatHost<V>) {
    this.#h = host;
    this.#e = host.e;
  }

  #constant(width: FloatWidth, ...values: bigint[]): Emitter {
    return this.#e.simdBytes(S.v128_const, constantBytes(width, ...values));
  }
  #mxcsr(): Emitter {
    return this.#e.get(this.#h.state).mem(W.i32_load, L.ST_MXCSR);
  }

  /** `slow` unless all of `fast` falls through: it branches to label 0 where it does not. */
  #unless(fast: () => void, slow: () => void): void {
    const { nest } = this.#h;
    this.#e.op(W.block, VOID, W.block, VOID);
    nest(1);
    nest(1);
    fast();
    this.#e.br(1).op(W.end);
    nest(-1);
    slow();
    this.#e.op(W.end);
    nest(-1);
  }
  #branch(): void {
    this.#h.rarely();
    this.#e.brIf(0);
  }
  #leave(): void {
    this.#e.i32(1);
    this.#h.leaveIf();
  }

  /** Branches to label 0 if the answer for the lowest lane is yes. */
  #askLane(question: Question, width: FloatWidth, v: () => void): void {
    const e = this.#e;
    const wide = width === 8;
    const constant = (x: bigint): void => void (wide ? e.i64(x) : e.i32(Number(BigInt.asIntN(32, x))));
    const shift = FRACTION[width] + 1n;
    pushLane(e, width, 0, v);
    constant(1n);
    e.op(wide ? W.i64_shl : W.i32_shl); // without the sign
    if (question === 'not rounded') {
      constant(2n << shift);
      e.op(wide ? W.i64_sub : W.i32_sub);
      constant((TOP[width] - 2n) << shift);
      e.op(wide ? W.i64_ge_u : W.i32_ge_u);
      this.#branch();
      return;
    }
    const bits = this.#h.local(wide ? 64 : 32);
    e.get(bits);
    constant(1n);
    e.op(wide ? W.i64_sub : W.i32_sub);
    constant((1n << shift) - 1n);
    e.op(wide ? W.i64_lt_u : W.i32_lt_u);
    this.#branch();
    if (question === 'denormal') return;
    e.get(bits);
    constant(TOP[width] << shift);
    e.op(wide ? W.i64_gt_u : W.i32_gt_u);
    this.#branch();
  }

  /** Pushes lanes of ones where the answer is yes. */
  #askLanes(question: Question, width: FloatWidth, v: () => void): void {
    const e = this.#e;
    const fraction = FRACTION[width];
    const infinity = TOP[width] << fraction;
    const greater = width === 8 ? S.i64x2_gt_s : S.i32x4_gt_s;
    v();
    this.#constant(width, (1n << BigInt(width * 8 - 1)) - 1n).simd(S.v128_and);
    const magnitude = this.#h.local(128);
    if (question === 'not rounded') {
      this.#constant(width, 2n << fraction);
      e.get(magnitude).simd(greater).get(magnitude);
      this.#constant(width, infinity - 1n).simd(greater, S.v128_or);
      return;
    }
    // Wrapped so that 0 is the greatest, the smallest denormal the least.
    const wrap = (1n << BigInt(width * 8 - 1)) - 1n;
    this.#constant(width, (1n << fraction) + wrap);
    e.get(magnitude);
    this.#constant(width, wrap).simd(width === 8 ? S.i64x2_add : S.i32x4_add, greater);
    if (question === 'denormal') return;
    e.get(magnitude);
    this.#constant(width, infinity).simd(greater, S.v128_or);
  }

  /** Branches to label 0 if the answer is yes for the lowest lane, or any of all, or of the lower two single ones. */
  #ask(question: Question, width: FloatWidth, lanes: 'one' | 'all' | 'low', v: () => void): void {
    if (lanes === 'one') {
      this.#askLane(question, width, v);
      return;
    }
    this.#askLanes(question, width, v);
    if (lanes === 'low') this.#constant(8, -1n, 0n).simd(S.v128_and);
    this.#e.simd(S.v128_any_true);
    this.#branch();
  }

  /** Branches to label 0 unless a rounded result is right and its flag set: the only one it has. */
  #askMode(): void {
    this.#mxcsr()
      .i32(ROUNDING_MASK | MXCSR_PE)
      .op(W.i32_and)
      .i32(ROUNDING_PLAIN | MXCSR_PE)
      .op(W.i32_ne);
    this.#branch();
  }

  /** As {@link compute}, rounded operations on vectors pushed. `settled`: what `settle` calls it. */
  #rounded(
    op: 'ADD' | 'MUL' | 'DIV' | 'SQRT',
    width: FloatWidth,
    packed: boolean,
    a: () => void,
    b: () => void,
    result: number,
  ): void {
    const e = this.#e;
    const { state, settle } = this.#h;
    const lanes = packed ? 'all' : 'one';
    const r = (): void => void e.get(result);
    this.#unless(
      () => {
        this.#ask('not rounded', width, lanes, r);
        if (op !== 'SQRT') this.#ask('denormal', width, lanes, a);
        this.#ask('denormal', width, lanes, b);
        this.#askMode();
      },
      () => {
        e.get(state).i32(settleKind(op, width === 4, packed));
        if (op === 'SQRT') b();
        else a();
        b();
        e.get(result).call(settle);
        this.#h.leaveIf();
      },
    );
  }

  compute(f: FloatOp, a: V, b: V): V {
    const e = this.#e;
    const { op, width, packed } = f;
    const code = WIDTHS[width];
    const first = (): void => this.#h.vector(a);
    const second = (): void => this.#h.vector(b);
    switch (op) {
      case 'MIN':
      case 'MAX':
        this.#leaveAt('denormal or NaN', width, packed, first, second);
        return this.#merged(width, packed, first, () => {
          second();
          first();
          e.simd(op === 'MIN' ? code.pmin : code.pmax);
        });
      case 'RCP':
      case 'RSQRT':
        return this.#reciprocal(op === 'RSQRT', packed, first, second);
    }
    let addend = second;
    if (op === 'SUB' || op === 'ADDSUB') {
      // What is added, for `settle` and for ADDSUB.
      const sign = 1n << BigInt(width * 8 - 1);
      addend = () => {
        second();
        this.#constant(width, sign, op === 'SUB' ? sign : 0n).simd(S.v128_xor);
      };
    }
    const [whole, lane] = code.opcodes[op === 'ADDSUB' ? 'ADD' : op];
    if (packed) {
      if (op !== 'SQRT') first();
      if (op === 'ADDSUB') addend();
      else second();
      e.simd(whole);
    } else {
      first();
      for (const operand of op === 'SQRT' ? [second] : [first, second]) {
        operand();
        e.simdLane(code.extract, 0);
      }
      e.op(lane).simdLane(code.replace, 0);
    }
    const result = this.#h.local(128);
    const kind = op === 'SUB' || op === 'ADDSUB' ? 'ADD' : op;
    this.#rounded(kind, width, packed, first, addend, result);
    e.get(result);
    return this.#h.value(128, 128);
  }

  /** Leaves if the answer is yes for any operand. */
  #leaveAt(question: Question, width: FloatWidth, packed: boolean, ...operands: (() => void)[]): void {
    this.#unless(
      () => {
        for (const operand of operands) this.#ask(question, width, packed ? 'all' : 'one', operand);
      },
      () => this.#leave(),
    );
  }
  /** The vector that `body` pushes, or `a` with its lowest lane. */
  #merged(width: FloatWidth, packed: boolean, a: () => void, body: () => void): V {
    if (packed) body();
    else pushWithLow(this.#e, width, a, body);
    return this.#h.value(128, 128);
  }

  /** What `FloatLane` says of RCPPS and RSQRTPS. */
  #reciprocal(root: boolean, packed: boolean, a: () => void, b: () => void): V {
    const e = this.#e;
    this.#constant(4, 0x3f80_0000n); // 1
    b();
    if (root) e.simd(S.f32x4_sqrt);
    e.simd(S.f32x4_div);
    const result = this.#h.local(128);
    const lanes = packed ? 'all' : 'one';
    this.#unless(
      () => {
        this.#ask('not rounded', 4, lanes, () => void e.get(result));
        this.#ask('denormal', 4, lanes, b);
      },
      () => this.#leave(),
    );
    return this.#merged(4, packed, a, () => {
      e.get(result);
      this.#constant(4, 0x800n).simd(S.i32x4_add);
      this.#constant(4, 0xffff_f000n).simd(S.v128_and);
    });
  }

  compare(width: FloatWidth, packed: boolean, predicate: V, a: V, b: V): V {
    const e = this.#e;
    const { equal, less } = WIDTHS[width];
    const first = (): void => this.#h.vector(a);
    const second = (): void => this.#h.vector(b);
    this.#leaveAt('denormal or NaN', width, packed, first, second);
    const known = this.#h.constantOf(predicate);
    /** Pushes ones where a truth about the predicate holds. */
    const where = (truth: () => void): void => {
      e.i32(0);
      truth();
      e.op(W.i32_sub).simd(S.i32x4_splat);
    };
    const is = (...values: number[]): void => {
      values.forEach((value, n) => {
        this.#h.scalar(predicate, 32);
        e.i32(3).op(W.i32_and).i32(value).op(W.i32_eq);
        if (n > 0) e.op(W.i32_or);
      });
    };
    const relation = (opcode: number, ...values: number[]): void => {
      first();
      second();
      e.simd(opcode);
      if (known !== undefined) return;
      where(() => is(...values));
      e.simd(S.v128_and);
    };
    return this.#merged(width, packed, first, () => {
      // Without NaNs: equal, less, less or equal, never; the upper four are their opposites.
      const kind = known === undefined ? undefined : Number(known) & 3;
      if (kind === 3) this.#constant(4, 0n);
      else {
        if (kind !== 1) relation(equal, 0, 2);
        if (kind !== 0) relation(less, 1, 2);
        if (kind === undefined || kind === 2) e.simd(S.v128_or);
      }
      if (known === undefined) {
        where(() => {
          this.#h.scalar(predicate, 32);
          e.i32(2).op(W.i32_shr_u);
        });
        e.simd(S.v128_xor);
      } else if (known & 4n) this.#constant(4, -1n).simd(S.v128_xor);
    });
  }
  order(width: FloatWidth, _quiet: boolean, a: V, b: V): V {
    const e = this.#e;
    const first = (): void => this.#h.vector(a);
    const second = (): void => this.#h.vector(b);
    this.#leaveAt('denormal or NaN', width, false, first, second);
    const compared = (opcode: number): void => {
      for (const operand of [first, second]) this.#pushDouble(width, operand);
      e.op(opcode);
    };
    compared(W.f64_eq);
    e.i32(6).op(W.i32_shl); // ZF
    compared(W.f64_lt); // CF
    e.op(W.i32_or);
    return this.#h.value(32, 7);
  }
  /** Pushes the lowest lane as a double. */
  #pushDouble(width: FloatWidth, v: () => void): void {
    v();
    this.#e.simdLane(WIDTHS[width].extract, 0);
    if (width === 4) this.#e.op(W.f64_promote_f32);
  }

  convert(conversion: Conversion, a: V): V {
    const e = this.#e;
    const source = (): void => this.#h.vector(a);
    switch (conversion) {
      case 'DQ2PD':
        source();
        e.simd(S.f64x2_convert_low_i32x4_s);
        break;
      case 'PS2PD':
      case 'SS2SD':
        this.#unless(
          () => this.#ask('denormal or NaN', 4, conversion === 'SS2SD' ? 'one' : 'low', source),
          () => this.#leave(),
        );
        source();
        e.simd(S.f64x2_promote_low_f32x4);
        break;
      case 'PD2PS':
      case 'SD2SS':
        this.#narrow(conversion === 'PD2PS', source);
        break;
      case 'DQ2PS': {
        source();
        e.simd(S.f32x4_convert_i32x4_s);
        const result = this.#h.local(128);
        this.#noteInexact(ROUNDING_MASK, () => {
          // Back again; what came out as 2^31 was less.
          e.get(result).simd(S.i32x4_trunc_sat_f32x4_s);
          source();
          e.simd(S.v128_xor).get(result);
          this.#constant(4, 0x4f00_0000n).simd(S.i32x4_eq, S.v128_or, S.v128_any_true);
        });
        e.get(result);
        break;
      }
      default:
        this.#toIntegers(conversion, source);
    }
    return this.#h.value(128, 128);
  }
  /** Pushes doubles as singles. */
  #narrow(packed: boolean, source: () => void): void {
    const e = this.#e;
    const { state, settle } = this.#h;
    source();
    e.simd(S.f32x4_demote_f64x2_zero);
    const result = this.#h.local(128);
    this.#unless(
      () => {
        this.#ask('not rounded', 4, packed ? 'low' : 'one', () => void e.get(result));
        this.#ask('denormal', 8, packed ? 'all' : 'one', source);
        this.#askMode();
      },
      () => {
        e.get(state).i32(settleKind('NARROW', true, packed));
        source();
        source();
        e.get(result).call(settle);
        this.#h.leaveIf();
      },
    );
    e.get(result);
  }
  /**
   * Sets MXCSR.PE where the truth that `inexact` pushes holds and the flag is clear, unless what `mask` leaves of MXCSR
   * says that the result is not right then.
   */
  #noteInexact(mask: number, inexact: () => void): void {
    const e = this.#e;
    const { nest, rarely } = this.#h;
    this.#mxcsr()
      .i32((mask & ~MXCSR_DAZ) | MXCSR_PE)
      .op(W.i32_and)
      .i32(MXCSR_PM | MXCSR_PE)
      .op(W.i32_ne);
    rarely();
    e.op(W.if, VOID);
    nest(1);
    inexact();
    e.op(W.if, VOID);
    nest(1);
    this.#mxcsr().i32(mask).op(W.i32_and).i32(MXCSR_PM).op(W.i32_ne);
    this.#h.leaveIf();
    e.get(this.#h.state);
    this.#mxcsr().i32(MXCSR_PE).op(W.i32_or).mem(W.i32_store, L.ST_MXCSR).op(W.end, W.end);
    nest(-1);
    nest(-1);
  }

  /** Mask for {@link #noteInexact}: truncation does not depend on the rounding; denormals may be zeros. */
  #integerMask(truncate: boolean): number {
    return (truncate ? MXCSR_PM : ROUNDING_MASK) | MXCSR_DAZ;
  }
  /** Pushes a vector as 32-bit integers. */
  #toIntegers(conversion: 'PS2DQ' | 'TPS2DQ' | 'PD2DQ' | 'TPD2DQ', source: () => void): void {
    const e = this.#e;
    const single = conversion.endsWith('PS2DQ');
    const truncate = conversion.startsWith('T');
    const width = single ? 4 : 8;
    const limit = single ? 0x4f00_0000n : 0x41e0_0000_0000_0000n; // 2^31
    const sign = 1n << BigInt(width * 8 - 1);
    source();
    if (single) e.simd(truncate ? S.f32x4_trunc : S.f32x4_nearest);
    else e.simd(truncate ? S.f64x2_trunc : S.f64x2_nearest);
    const whole = this.#h.local(128);
    e.get(whole);
    this.#constant(width, limit | sign).simd(single ? S.f32x4_ge : S.f64x2_ge);
    e.get(whole);
    this.#constant(width, limit).simd(single ? S.f32x4_lt : S.f64x2_lt, S.v128_and, WIDTHS[width].allTrue);
    e.op(W.i32_eqz);
    this.#h.leaveIf();
    this.#noteInexact(this.#integerMask(truncate), () => {
      e.get(whole);
      source();
      e.simd(single ? S.f32x4_ne : S.f64x2_ne, S.v128_any_true);
    });
    e.get(whole).simd(single ? S.i32x4_trunc_sat_f32x4_s : S.i32x4_trunc_sat_f64x2_s_zero);
  }

  fromInteger(width: FloatWidth, from: 4 | 8, value: V): V {
    const e = this.#e;
    const integer = (): void => this.#h.scalar(value, from === 8 ? 64 : 32);
    this.#constant(4, 0n);
    integer();
    if (width === 8) e.op(from === 8 ? W.f64_convert_i64_s : W.f64_convert_i32_s);
    else e.op(from === 8 ? W.f32_convert_i64_s : W.f32_convert_i32_s);
    e.simdLane(WIDTHS[width].replace, 0);
    const result = this.#h.local(128);
    if (width === 4 || from === 8)
      this.#noteInexact(ROUNDING_MASK, () => {
        // Back again; what came out as 2^63 was less.
        const r = (): void => this.#pushDouble(width, () => void e.get(result));
        r();
        e.truncSat64();
        integer();
        if (from === 4) e.op(W.i64_extend_i32_s);
        e.op(W.i64_ne);
        r();
        e.f64(2 ** 63).op(W.f64_eq, W.i32_or);
      });
    e.get(result);
    return this.#h.value(128, 128);
  }
  toInteger(width: FloatWidth, to: 4 | 8, truncate: boolean, a: V): V {
    const e = this.#e;
    const source = (): void => this.#pushDouble(width, () => this.#h.vector(a));
    const limit = 2 ** (to * 8 - 1);
    this.#constant(4, 0n);
    source();
    e.op(truncate ? W.f64_trunc : W.f64_nearest).simdLane(S.f64x2_replace_lane, 0);
    const whole = this.#h.local(128);
    const rounded = (): void => void e.get(whole).simdLane(S.f64x2_extract_lane, 0);
    rounded();
    e.f64(-limit).op(W.f64_ge);
    rounded();
    e.f64(limit).op(W.f64_lt, W.i32_and, W.i32_eqz);
    this.#h.leaveIf();
    this.#noteInexact(this.#integerMask(truncate), () => {
      rounded();
      source();
      e.op(W.f64_ne);
    });
    rounded();
    e.op(to === 8 ? W.i64_trunc_f64_s : W.i32_trunc_f64_s);
    return this.#h.value(to === 8 ? 64 : 32, to * 8);
  }

  control(): V {
    this.#mxcsr();
    return this.#h.value(32, 32);
  }
  setControl(value: V): void {
    const e = this.#e;
    this.#h.scalar(value, 32);
    e.i32(~MXCSR_BITS).op(W.i32_and);
    this.#h.leaveIf();
    e.get(this.#h.state);
    this.#h.scalar(value, 32);
    e.mem(W.i32_store, L.ST_MXCSR);
  }
}
