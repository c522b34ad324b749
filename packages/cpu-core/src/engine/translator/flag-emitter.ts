/**
 * The part of the translator's back end for status flags. Between instructions they are in three locals (result,
 * source, operation); while the operation is known at translation time its local is not even set, and conditions become
 * plain comparisons.
 */
import { RFLAGS_AF, RFLAGS_CF, RFLAGS_OF } from '@smm/x86-defs';
import { STATUS_FLAGS } from '../../flags.ts';
import * as L from '../../layout.ts';
import type { Width } from '../../semantics/builder.ts';
import { I32, VOID, W } from '../wasm/emitter.ts';
import {
  FLAGS_CARRY,
  FLAGS_MINUEND,
  FLAGS_OP,
  FLAGS_RESULT,
  FLAGS_SOURCE,
  FLAGS_X,
  FLAGS_Y,
  STATE,
} from './locals.ts';
import { Value } from './value.ts';
import type { ValueEmitter } from './value-emitter.ts';

/** What is known of the flags. */
export interface KnownFlags {
  /** CC_*; CC_ADC and CC_SBB mean that FLAGS_CARRY and FLAGS_OP say whether a carry came in. */
  readonly kind: number;
  /** Operand width. */
  readonly w: Width;
  /** FLAGS_SOURCE is still to be worked out from FLAGS_X and FLAGS_Y: nobody may ever ask. */
  readonly product?: boolean;
  /** CF is in bit 0 of ST_CC_SRC, where it was before a chain of INC and DEC. */
  readonly carryInPage?: boolean;
  /** With kind OVERRIDDEN: which flags FLAGS_SOURCE has. */
  readonly mask?: number;
}

/** Bit per CC_* that has CF in bit 0 of its source. */
const CARRIED = (1 << L.CC_INC) | (1 << L.CC_DEC) | (1 << L.CC_GIVEN);
/** Flags that CC_GIVEN has in its source. */
const GIVEN_FLAGS = RFLAGS_CF | RFLAGS_OF | RFLAGS_AF;
/** FLAGS_OP while the state page has the flags as they are. */
const IN_STATE_PAGE = -1;
/**
 * The state page has the flags (and FLAGS_OP says so), but for CF or OF or both, which are in FLAGS_SOURCE: ROL and the
 * like may go on so for long.
 */
export const OVERRIDDEN = -2;
/** Known of the flags: that the state page has them. */
export const PAGE: KnownFlags = { kind: IN_STATE_PAGE, w: 1 };
/** Bit per CC_* whose second operand is kept at the top of ST_CC_SRC. */
const SHIFTED_SOURCES = (1 << L.CC_ADD) | (1 << L.CC_SUB) | (1 << L.CC_ADC) | (1 << L.CC_SBB);

/** ST_CC_OP of an operation. */
function opWord(kind: number, w: Width): number {
  return kind | ((31 - Math.clz32(w)) << 8);
}

/** Flags and conditions. */
export class FlagEmitter {
  protected readonly v: ValueEmitter;
  /** What is known of the flags here; undefined: FLAGS_OP says what they come from. */
  known: KnownFlags | undefined;
  /** Leave the flags alone: nobody looks at them. */
  quiet = false;

  constructor(values: ValueEmitter) {
    this.v = values;
  }

  /** Makes FLAGS_OP say what is known. */
  settle(): void {
    const { known } = this;
    if (known === undefined || known === PAGE || known.kind === L.CC_ADC || known.kind === L.CC_SBB) return;
    if (known.kind === OVERRIDDEN) {
      this.#mergeOverridden(known.mask!);
      return;
    }
    if (known.carryInPage) {
      this.#pushPageCarry();
      this.v.e.set(FLAGS_SOURCE);
    }
    if (known.product) {
      this.#pushProductCarry(known.w);
      this.v.e.i32(RFLAGS_CF | RFLAGS_OF).op(W.i32_mul);
      if (this.v.native === 64) this.v.e.op(W.i64_extend_i32_u);
      this.v.e.set(FLAGS_SOURCE);
    }
    this.v.e.i32(opWord(known.kind, known.w)).set(FLAGS_OP);
  }

  /** The state page gets what FLAGS_SOURCE has: doing so again would change nothing. */
  #mergeOverridden(mask: number): void {
    const { e } = this.v;
    e.get(STATE);
    e.get(STATE).mem(W.i32_load, L.ST_EFLAGS).i32(~STATUS_FLAGS).op(W.i32_and);
    e.get(STATE)
      .call(this.v.functions.flags)
      .i32(STATUS_FLAGS & ~mask)
      .op(W.i32_and, W.i32_or);
    this.v.put(new Value(this.v.native, FLAGS_SOURCE, 12), 32);
    e.op(W.i32_or).mem(W.i32_store, L.ST_EFLAGS);
    e.get(STATE).i32(opWord(L.CC_EAGER, 1)).mem(W.i32_store, L.ST_CC_OP);
  }

  /** Puts the flags into the state page and forgets the locals, so that none of them has to live on. */
  retire(): void {
    if (this.known === PAGE) return;
    this.settle();
    this.store();
    const { e } = this.v;
    for (const local of [FLAGS_RESULT, FLAGS_SOURCE]) {
      if (this.v.native === 64) e.i64(0n);
      else e.i32(0);
      e.set(local);
    }
    this.inStatePage();
  }

  /** Pushes 1 if the signed product of FLAGS_X and FLAGS_Y does not fit in its width. */
  #pushProductCarry(w: Width): void {
    const { e } = this.v;
    const x = new Value(this.v.native, FLAGS_X, w * 8);
    const y = new Value(this.v.native, FLAGS_Y, w * 8);
    if (w === 8) {
      const high = this.v.mulHigh(8, true, x, y);
      this.v.put(high, 64);
      this.v.put(this.result(), 64);
      e.i64(63n).op(W.i64_shr_s, W.i64_ne);
      return;
    }
    for (const factor of [x, y]) {
      this.v.put(factor, 32);
      if (w === 2) e.op(W.i32_extend16_s);
      e.op(W.i64_extend_i32_s);
    }
    e.op(W.i64_mul);
    const product = this.v.pop(64);
    this.v.put(product, 64);
    e.get(product.local).op(w === 2 ? W.i64_extend16_s : W.i64_extend32_s, W.i64_ne);
  }

  #keep(v: Value, local: number): void {
    this.v.put(v, this.v.native);
    this.v.e.set(local);
  }
  set(kind: number, w: Width, result: Value, source: Value): void {
    if (this.quiet) return;
    if (kind === L.CC_SUB) this.#keep(result.minuend ?? this.v.add(w, result, source), FLAGS_MINUEND);
    this.#keep(result, FLAGS_RESULT);
    if (kind !== L.CC_LOGIC) this.#keep(source, FLAGS_SOURCE);
    this.known = { kind, w };
  }
  setWithCarry(kind: number, w: Width, result: Value, source: Value, carry: Value): void {
    if (this.quiet) return;
    const { e } = this.v;
    this.v.put(carry, 32);
    e.tee(FLAGS_CARRY)
      .i32(L.CC_ADC - L.CC_ADD)
      .op(W.i32_mul)
      .i32(opWord(kind, w))
      .op(W.i32_add)
      .set(FLAGS_OP);
    this.#keep(result, FLAGS_RESULT);
    this.#keep(source, FLAGS_SOURCE);
    this.known = { kind: kind + L.CC_ADC - L.CC_ADD, w };
  }
  setKeepCarry(kind: number, w: Width, result: Value): void {
    if (this.quiet) return;
    if (this.known === PAGE || this.known?.carryInPage) {
      if (this.known === PAGE) this.#carryToPage();
      this.#keep(result, FLAGS_RESULT);
      this.known = { kind, w, carryInPage: true };
      return;
    }
    const carry = this.carry();
    this.#keep(result, FLAGS_RESULT);
    this.#keep(carry, FLAGS_SOURCE);
    this.known = { kind, w };
  }
  setGiven(w: Width, result: Value, bits: Value): void {
    if (this.quiet) return;
    this.#keep(result, FLAGS_RESULT);
    this.#keep(bits, FLAGS_SOURCE);
    this.known = { kind: L.CC_GIVEN, w };
  }

  setProduct(w: Width, low: Value, x: Value, y: Value): void {
    if (this.quiet) return;
    this.#keep(low, FLAGS_RESULT);
    this.#keep(x, FLAGS_X);
    this.#keep(y, FLAGS_Y);
    this.known = { kind: L.CC_GIVEN, w, product: true };
  }

  protected result(): Value {
    return new Value(this.v.native, FLAGS_RESULT, this.known!.w * 8);
  }
  protected source(): Value {
    const { kind, w } = this.known!;
    // Given flags lie where RFLAGS has them, whatever the width.
    return new Value(this.v.native, FLAGS_SOURCE, kind === L.CC_GIVEN ? 12 : w * 8);
  }
  protected minuend(): Value {
    return new Value(this.v.native, FLAGS_MINUEND, this.known!.w * 8);
  }
  #carryIn(): Value {
    return new Value(32, FLAGS_CARRY, 1);
  }

  /** Pushes 64 minus the operand's bits, as FLAGS_OP says. */
  #shift(): void {
    const { e } = this.v;
    e.i32(64).i32(8).get(FLAGS_OP).i32(8).op(W.i32_shr_u).i32(3).op(W.i32_and, W.i32_shl, W.i32_sub);
  }
  /** Pushes the same for the source, which some operations keep unshifted. */
  #sourceShift(): void {
    const { e } = this.v;
    this.#shift();
    e.i32(SHIFTED_SOURCES).get(FLAGS_OP).i32(0xff).op(W.i32_and, W.i32_shr_u).i32(1).op(W.i32_and, W.i32_mul);
  }
  /** Writes the flags to the state page, with FLAGS_OP in order. */
  store(): void {
    const { e } = this.v;
    const { known } = this;
    if (known === PAGE || known?.kind === OVERRIDDEN) return; // settled, in the latter case
    const one = (local: number, offset: number, shift: () => void): void => {
      e.get(STATE).get(local);
      if (this.v.native === 32) e.op(W.i64_extend_i32_u);
      shift();
      e.mem(W.i64_store, offset);
    };
    if (known !== undefined) {
      const shift = (): void => {
        if (known.w < 8) e.i64(BigInt(64 - known.w * 8)).op(W.i64_shl);
      };
      const shifted = (SHIFTED_SOURCES & (1 << known.kind)) !== 0;
      if (known.kind !== L.CC_EAGER) one(FLAGS_RESULT, L.ST_CC_RES, shift);
      if (known.kind !== L.CC_EAGER && known.kind !== L.CC_LOGIC && !known.carryInPage)
        one(FLAGS_SOURCE, L.ST_CC_SRC, shifted ? shift : () => {});
      e.get(STATE).get(FLAGS_OP).mem(W.i32_store, L.ST_CC_OP);
      return;
    }
    e.get(FLAGS_OP).i32(IN_STATE_PAGE).op(W.i32_ne, W.if, VOID);
    one(FLAGS_RESULT, L.ST_CC_RES, () => {
      this.#shift();
      e.op(W.i64_extend_i32_u, W.i64_shl);
    });
    one(FLAGS_SOURCE, L.ST_CC_SRC, () => {
      this.#sourceShift();
      e.op(W.i64_extend_i32_u, W.i64_shl);
    });
    e.get(STATE).get(FLAGS_OP).mem(W.i32_store, L.ST_CC_OP).op(W.end);
  }
  /** The state page has them: nothing is read until somebody asks. */
  inStatePage(): void {
    this.v.e.i32(IN_STATE_PAGE).set(FLAGS_OP);
    this.known = PAGE;
  }

  /** All six flags from the state page. */
  status(): Value {
    if (this.known?.kind === L.CC_EAGER) {
      this.v.e.get(STATE).mem(W.i32_load, L.ST_EFLAGS).i32(STATUS_FLAGS).op(W.i32_and);
      return this.v.pop(32, 12);
    }
    this.settle();
    this.store();
    this.v.e.get(STATE).call(this.v.functions.flags);
    return this.v.pop(32, 12);
  }

  /** Emits what only sometimes runs, by `emit`, so that the flags are the same to what follows either way. */
  sometimes(emit: (body: () => void) => void, body: () => void): void {
    const before = this.known;
    this.settle();
    emit(() => {
      body();
      if (this.known !== before) this.settle();
    });
    if (this.known !== before) this.known = undefined;
  }

  change(mask: number, bits: Value): void {
    const { e } = this.v;
    const store = (keep: number, value: () => void): void => {
      e.get(STATE).get(STATE).mem(W.i32_load, L.ST_EFLAGS).i32(keep).op(W.i32_and);
      value();
      e.op(W.i32_or).mem(W.i32_store, L.ST_EFLAGS);
    };
    if (!(mask & STATUS_FLAGS)) {
      store(~mask, () => this.v.put(bits, 32));
      return;
    }
    const kept = mask & ~GIVEN_FLAGS ? undefined : this.#givenFlags(mask);
    if (kept !== undefined) {
      this.#keep(this.v.or(kept, bits), FLAGS_SOURCE);
      this.known = { kind: L.CC_GIVEN, w: this.known!.w };
      return;
    }
    if (!(mask & ~(RFLAGS_CF | RFLAGS_OF))) {
      this.#override(mask, bits);
      return;
    }
    const old = (mask & STATUS_FLAGS) === STATUS_FLAGS ? undefined : this.status();
    store(~(STATUS_FLAGS | mask), () => {
      if (old) {
        this.v.put(old, 32);
        e.i32(~mask).op(W.i32_and);
      }
      this.v.put(bits, 32);
      if (old) e.op(W.i32_or);
    });
    this.known = { kind: L.CC_EAGER, w: 1 };
  }

  #override(mask: number, bits: Value): void {
    const before = this.known?.kind === OVERRIDDEN ? this.known.mask! : 0;
    if (before & ~mask) {
      const source = new Value(this.v.native, FLAGS_SOURCE, 12);
      this.#keep(this.v.or(this.v.and(source, this.v.const(BigInt(before & ~mask))), bits), FLAGS_SOURCE);
    } else {
      if (before === 0 && this.known !== PAGE) {
        this.settle();
        this.store();
        this.inStatePage();
      }
      this.#keep(bits, FLAGS_SOURCE);
    }
    this.known = { kind: OVERRIDDEN, w: 1, mask: before | mask };
  }

  /** CF, OF and AF but for those in a mask, where they are soon worked out: then flags can be given (CC_GIVEN). */
  #givenFlags(mask: number): Value | undefined {
    const { known } = this;
    if (known === undefined || known === PAGE) return undefined;
    const rotated = (mask & (RFLAGS_CF | RFLAGS_OF)) === (RFLAGS_CF | RFLAGS_OF);
    const auxiliary = this.v.const(BigInt(RFLAGS_AF));
    switch (known.kind) {
      case L.CC_LOGIC:
        return this.v.const(0n);
      case L.CC_GIVEN:
        if (known.product) return rotated ? this.v.const(0n) : undefined;
        return this.v.and(this.source(), this.v.const(BigInt(GIVEN_FLAGS & ~mask)));
      case L.CC_SUB:
        if (!rotated) return undefined;
        return this.v.and(this.v.xor(this.v.xor(this.minuend(), this.source()), this.result()), auxiliary);
      case L.CC_ADD: {
        if (!rotated) return undefined;
        const { w } = known;
        const a = this.v.sub(w, this.result(), this.source());
        return this.v.and(this.v.xor(this.v.xor(a, this.source()), this.result()), auxiliary);
      }
    }
    return undefined;
  }

  carry(): Value {
    return this.carryTruth() ?? this.#unknownCarry();
  }
  /**
   * CF of flags that come from anywhere: at once where FLAGS_SOURCE has it, which a loop that counts down finds but
   * once.
   */
  #unknownCarry(): Value {
    const { e } = this.v;
    const page = this.known === PAGE;
    this.settle();
    const carry = this.v.locals.scratch(32);
    e.i32(CARRIED);
    if (page) e.get(STATE).mem(W.i32_load8_u, L.ST_CC_OP);
    else e.get(FLAGS_OP); // a negative one shifts by 31
    e.op(W.i32_shr_u).i32(1).op(W.i32_and, W.i32_eqz);
    this.v.unlikely.push(e.length);
    e.op(W.if, I32);
    const status = this.status();
    this.v.put(status, 32);
    e.op(W.else);
    if (page) this.#pushPageCarry();
    else e.get(FLAGS_SOURCE);
    if (this.v.native === 64) e.op(W.i32_wrap_i64);
    e.op(W.end).i32(RFLAGS_CF).op(W.i32_and).set(carry);
    return new Value(32, carry, 1);
  }
  /** Pushes ST_CC_SRC as a native value. */
  #pushPageCarry(): void {
    this.v.e.get(STATE).mem(this.v.native === 64 ? W.i64_load : W.i32_load, L.ST_CC_SRC);
  }
  /**
   * With all flags in the state page: puts CF into ST_CC_SRC, which makes the others wrong unless it was there: INC or
   * DEC sets them next.
   */
  #carryToPage(): void {
    const { e } = this.v;
    e.i32(CARRIED).get(STATE).mem(W.i32_load8_u, L.ST_CC_OP).op(W.i32_shr_u).i32(1).op(W.i32_and, W.i32_eqz);
    this.v.unlikely.push(e.length);
    e.op(W.if, VOID);
    e.get(STATE).get(STATE).call(this.v.functions.flags).i32(RFLAGS_CF).op(W.i32_and, W.i64_extend_i32_u);
    e.mem(W.i64_store, L.ST_CC_SRC).op(W.end);
  }
  protected carryTruth(): Value | undefined {
    const { known } = this;
    switch (known?.kind) {
      case OVERRIDDEN:
        return known.mask! & RFLAGS_CF ? this.overridden(0n) : undefined;
      case L.CC_SUB:
        return this.v.below(this.minuend(), this.source());
      case L.CC_ADD:
        return this.v.below(this.result(), this.source());
      case L.CC_LOGIC:
        return this.v.const(0n);
      case L.CC_INC:
      case L.CC_DEC:
      case L.CC_GIVEN:
        if (known.carryInPage) {
          this.#pushPageCarry();
          return this.v.and(this.v.pop(this.v.native), this.v.const(1n));
        }
        if (known.product) {
          this.#pushProductCarry(known.w);
          return this.v.popTruth();
        }
        return this.v.and(this.source(), this.v.const(1n));
      case L.CC_ADC: {
        // res < src, or equal with a carry in.
        const less = this.v.below(this.result(), this.source());
        const same = this.v.equal(this.result(), this.source());
        return this.v.either(less, this.v.both(same, this.#carryIn()));
      }
      case L.CC_SBB: {
        // a = res + src + carry: a borrow where a < src, or equal with one in.
        const { w } = known;
        const a = this.v.add(w, this.v.add(w, this.result(), this.source()), this.#carryIn());
        const less = this.v.below(a, this.source());
        return this.v.either(less, this.v.both(this.v.equal(a, this.source()), this.#carryIn()));
      }
    }
    return undefined;
  }

  /** A flag that FLAGS_SOURCE has. */
  protected overridden(bit: bigint): Value {
    const source = new Value(this.v.native, FLAGS_SOURCE, 12);
    return this.v.and(this.v.shr(4, source, this.v.const(bit)), this.v.const(1n));
  }
}
