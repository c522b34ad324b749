/** The back end that compiles a description into a handler: code that reads its operands from the record at run time. */
import { SEG_CS, SEG_SS } from '@smm/x86-defs';
import { STATUS_FLAGS } from '../../flags.ts';
import { type Insn, K_IMM, K_MEM, K_REG, REG_RIP } from '../../insn.ts';
import * as L from '../../layout.ts';
import { OP } from '../../ops.ts';
import type { Builder, Width } from '../../semantics/builder.ts';
import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_READ_TAG, TLB_WRITE_TAG } from '../tlb.ts';
import { type Emitter, VOID, W } from './emitter.ts';
import * as R from './record.ts';

/** Which addressing a set of handlers is for. */
export type Model = 'flat32' | 'flat64' | 'general';

/** Indices of the functions that handlers call. */
export interface Functions {
  readonly abort: number;
  readonly slowPath: number;
  readonly flags: number;
  readonly carry: number;
  readonly follow: number;
  readonly mulHigh: number;
  /** Linear address of an access in a segment, or -1 where it is not simply allowed. */
  readonly segment: number;
}

/** Local variables that every handler knows. */
export const LOCAL_STATE = 0;
export const LOCAL_RECORD = 1;
export const LOCAL_BLOCK = 2;
export const LOCAL_TLB = 3;
/** First local of the 64-bit pool. */
const LOCAL_POOL64 = 4;
export const POOL64 = 64;
/** First local of the 32-bit pool. */
const LOCAL_POOL32: number = LOCAL_POOL64 + POOL64;
export const POOL32 = 40;

const RAX = 0;
const RDX = 2;
const RSP = 4;

/** Lazy flags just made by the first half of a fused pair. */
interface FreshFlags {
  kind: number;
  w: Width;
  result: number;
  source: number;
}

/**
 * Values are locals of type i64 (or constants, as negative numbers), truths are locals of type i32. Every value is zero-extended
 * from its width.
 */
export class WasmBuilder implements Builder<number, number> {
  readonly #e: Emitter;
  readonly #f: Functions;
  readonly #model: Model;
  #insn!: Insn;
  #constants: bigint[] = [];
  #next64 = 0;
  #next32 = 0;
  #host: number | undefined;
  /** Blocks opened inside the handler. */
  #depth = 0;
  /** Distance from the record in LOCAL_RECORD to the one being compiled (fused pairs). */
  #at = 0;
  #fresh: FreshFlags | undefined;
  /** Labels around the handler: exit, next block. */
  readonly exitLabel: number;
  readonly goLabel: number;
  /** The handler has left by itself (jump). */
  jumped = false;
  /** Add the segment base that the record names (64-bit FS and GS). */
  segmented = false;
  /** Leave the flags alone: nobody looks at them. */
  noFlags = false;

  constructor(emitter: Emitter, functions: Functions, model: Model, exitLabel: number, goLabel: number) {
    this.#e = emitter;
    this.#f = functions;
    this.#model = model;
    this.exitLabel = exitLabel;
    this.goLabel = goLabel;
  }

  /** Starts a handler for instructions of this form. `at`: offset of its record from the current one. */
  begin(insn: Insn, at = 0): void {
    this.#insn = insn;
    this.#at = at;
    this.#host = undefined;
    this.jumped = false;
    if (at === 0) {
      this.#next64 = 0;
      this.#next32 = 0;
      this.#constants = [];
      this.#fresh = undefined;
    }
  }

  // Values

  #put(v: number): void {
    if (v < 0) this.#e.i64(this.#constants[-v - 1]!);
    else this.#e.get(v);
  }
  #new64(): number {
    if (this.#next64 === POOL64) throw new RangeError('wasm: out of 64-bit locals');
    const local = LOCAL_POOL64 + this.#next64++;
    this.#e.set(local);
    return local;
  }
  #new32(): number {
    if (this.#next32 === POOL32) throw new RangeError('wasm: out of 32-bit locals');
    const local = LOCAL_POOL32 + this.#next32++;
    this.#e.set(local);
    return local;
  }
  const(value: bigint): number {
    this.#constants.push(BigInt.asUintN(64, value));
    return -this.#constants.length;
  }
  #constantOf(v: number): bigint | undefined {
    return v < 0 ? this.#constants[-v - 1] : undefined;
  }

  /** Cuts the value on the stack to a width. */
  #mask(w: Width): void {
    if (w === 8) return;
    if (w === 4) this.#e.op(W.i32_wrap_i64, W.i64_extend_i32_u);
    else this.#e.i64(w === 1 ? 0xffn : 0xffffn).op(W.i64_and);
  }
  #binary(w: Width, opcode64: number, opcode32: number, a: number, b: number): number {
    const e = this.#e;
    this.#put(a);
    if (w === 4) {
      e.op(W.i32_wrap_i64);
      this.#put(b);
      e.op(W.i32_wrap_i64, opcode32, W.i64_extend_i32_u);
    } else {
      this.#put(b);
      e.op(opcode64);
      this.#mask(w);
    }
    return this.#new64();
  }
  add(w: Width, a: number, b: number): number {
    return this.#binary(w, W.i64_add, W.i32_add, a, b);
  }
  sub(w: Width, a: number, b: number): number {
    return this.#binary(w, W.i64_sub, W.i32_sub, a, b);
  }
  mul(w: Width, a: number, b: number): number {
    return this.#binary(w, W.i64_mul, W.i32_mul, a, b);
  }
  mulHigh(w: Width, signed: boolean, a: number, b: number): number {
    const e = this.#e;
    if (w === 8) {
      this.#put(a);
      this.#put(b);
      e.i32(signed ? 1 : 0).call(this.#f.mulHigh);
      return this.#new64();
    }
    this.#put(signed ? this.signExtend(w, 8, a) : a);
    this.#put(signed ? this.signExtend(w, 8, b) : b);
    e.op(W.i64_mul)
      .i64(BigInt(w * 8))
      .op(W.i64_shr_u);
    this.#mask(w);
    return this.#new64();
  }
  #plain(opcode: number, a: number, b: number): number {
    this.#put(a);
    this.#put(b);
    this.#e.op(opcode);
    return this.#new64();
  }
  and(a: number, b: number): number {
    return this.#plain(W.i64_and, a, b);
  }
  or(a: number, b: number): number {
    return this.#plain(W.i64_or, a, b);
  }
  xor(a: number, b: number): number {
    return this.#plain(W.i64_xor, a, b);
  }
  shl(w: Width, a: number, count: number): number {
    this.#put(a);
    this.#put(count);
    this.#e.op(W.i64_shl);
    this.#mask(w);
    return this.#new64();
  }
  shr(_w: Width, a: number, count: number): number {
    return this.#plain(W.i64_shr_u, a, count);
  }
  sar(w: Width, a: number, count: number): number {
    this.#put(w === 8 ? a : this.signExtend(w, 8, a));
    this.#put(count);
    this.#e.op(W.i64_shr_s);
    this.#mask(w);
    return this.#new64();
  }
  divU(a: number, b: number): number {
    return this.#plain(W.i64_div_u, a, b);
  }
  remU(a: number, b: number): number {
    return this.#plain(W.i64_rem_u, a, b);
  }
  divS(a: number, b: number): number {
    return this.#plain(W.i64_div_s, a, b);
  }
  remS(a: number, b: number): number {
    return this.#plain(W.i64_rem_s, a, b);
  }
  signExtend(from: Width, to: Width, a: number): number {
    this.#put(a);
    if (from === 1) this.#e.op(W.i64_extend8_s);
    else if (from === 2) this.#e.op(W.i64_extend16_s);
    else if (from === 4) this.#e.op(W.i64_extend32_s);
    this.#mask(to);
    return this.#new64();
  }
  truncate(w: Width, a: number): number {
    if (w === 8) return a;
    this.#put(a);
    this.#mask(w);
    return this.#new64();
  }
  countLeadingZeros(a: number): number {
    this.#put(a);
    this.#e.op(W.i64_clz);
    return this.#new64();
  }
  countTrailingZeros(a: number): number {
    this.#put(a);
    this.#e.op(W.i64_ctz);
    return this.#new64();
  }
  #compare(opcode: number, a: number, b: number): number {
    this.#put(a);
    this.#put(b);
    this.#e.op(opcode);
    return this.#new32();
  }
  equal(a: number, b: number): number {
    if (this.#constantOf(b) !== 0n) return this.#compare(W.i64_eq, a, b);
    this.#put(a);
    this.#e.op(W.i64_eqz);
    return this.#new32();
  }
  below(a: number, b: number): number {
    return this.#compare(W.i64_lt_u, a, b);
  }
  less(a: number, b: number): number {
    return this.#compare(W.i64_lt_s, a, b);
  }
  both(a: number, b: number): number {
    this.#e.get(a).get(b).op(W.i32_and);
    return this.#new32();
  }
  either(a: number, b: number): number {
    this.#e.get(a).get(b).op(W.i32_or);
    return this.#new32();
  }
  not(c: number): number {
    this.#e.get(c).op(W.i32_eqz);
    return this.#new32();
  }
  toValue(c: number): number {
    this.#e.get(c).op(W.i64_extend_i32_u);
    return this.#new64();
  }
  select(c: number, a: number, b: number): number {
    this.#put(a);
    this.#put(b);
    this.#e.get(c).op(W.select);
    return this.#new64();
  }
  if_(c: number, body: () => void): void {
    this.#e.get(c).op(W.if, VOID);
    this.#depth++;
    body();
    this.#depth--;
    this.#e.op(W.end);
  }

  // Registers and operands

  #field(opcode: number, offset: number): void {
    this.#e.get(LOCAL_RECORD).mem(opcode, this.#at + offset);
  }
  /** Pushes the host address of the register whose offset is in a record byte. */
  #registerAddress(field: number): void {
    this.#e.get(LOCAL_STATE);
    this.#field(W.i32_load8_u, field);
    this.#e.op(W.i32_add);
  }
  #loadAt(w: Width, offset: number): number {
    const opcode = w === 1 ? W.i64_load8_u : w === 2 ? W.i64_load16_u : w === 4 ? W.i64_load32_u : W.i64_load;
    this.#e.mem(opcode, offset);
    return this.#new64();
  }
  #storeRegister(w: Width, offset: number): void {
    // A 32-bit write clears the upper half: the value is zero-extended already.
    this.#e.mem(w === 1 ? W.i64_store8 : w === 2 ? W.i64_store16 : W.i64_store, offset);
  }
  #size(n: number): Width {
    const i = this.#insn;
    return (n === 0 ? i.size0 : n === 1 ? i.size1 : i.size2) as Width;
  }
  #kind(n: number): number {
    const i = this.#insn;
    return n === 0 ? i.kind0 : n === 1 ? i.kind1 : i.kind2;
  }
  reg(register: number, w: Width): number {
    this.#e.get(LOCAL_STATE);
    return this.#loadAt(w, L.ST_GPR + register * 8);
  }
  setReg(register: number, w: Width, value: number): void {
    this.#e.get(LOCAL_STATE);
    this.#put(value);
    this.#storeRegister(w, L.ST_GPR + register * 8);
  }
  read(n: number): number {
    switch (this.#kind(n)) {
      case K_REG:
        this.#registerAddress(R.R_REG + n);
        return this.#loadAt(this.#size(n), 0);
      case K_IMM: {
        const w = this.#insn.size as Width;
        if (w === 8)
          this.#field(
            this.#insn.immHigh ? W.i64_load : W.i64_load32_s,
            this.#insn.immHigh ? R.R_DISP : R.R_IMM,
          );
        else {
          this.#e.get(LOCAL_RECORD);
          return this.#loadAt(w, this.#at + R.R_IMM);
        }
        return this.#new64();
      }
      case K_MEM:
        return this.#loadHost(this.#translateOperand(n, false), this.#size(n));
    }
    throw new RangeError(`wasm: operand kind ${this.#kind(n)}`);
  }
  readForWrite(n: number): number {
    if (this.#kind(n) !== K_MEM) return this.read(n);
    this.#host = this.#translateOperand(n, true);
    return this.#loadHost(this.#host, this.#size(n));
  }
  write(n: number, value: number): void {
    const w = this.#size(n);
    if (this.#kind(n) === K_REG) {
      this.#registerAddress(R.R_REG + n);
      this.#put(value);
      this.#storeRegister(w, 0);
      return;
    }
    this.#storeHost(this.#host ?? this.#translateOperand(n, true), w, value);
  }
  displace(): void {
    throw new RangeError('wasm: bit offsets in registers go to the evaluator');
  }
  effectiveAddress(): number {
    const e = this.#e;
    const i = this.#insn;
    const wide = this.#model === 'flat64';
    if (i.base === REG_RIP)
      throw new RangeError('wasm: RIP-relative operands are made absolute in the record');
    this.#registerAddress(R.R_BASE);
    e.mem(wide ? W.i64_load : W.i32_load, 0);
    if (i.index !== 16) {
      this.#registerAddress(R.R_INDEX);
      e.mem(wide ? W.i64_load : W.i32_load, 0);
      this.#field(wide ? W.i64_load8_u : W.i32_load8_u, R.R_SCALE);
      e.op(wide ? W.i64_shl : W.i32_shl, wide ? W.i64_add : W.i32_add);
    }
    this.#field(wide ? W.i64_load : W.i32_load, R.R_DISP);
    if (wide && this.segmented && i.op !== OP.LEA) {
      e.op(W.i64_add).get(LOCAL_STATE);
      this.#field(W.i32_load8_u, R.R_SEGMENT);
      e.i32(3).op(W.i32_shl, W.i32_add).mem(W.i64_load, 0);
    }
    if (wide) e.op(W.i64_add);
    else {
      e.op(W.i32_add);
      if (this.#model === 'general') {
        e.i32(-1);
        this.#field(W.i32_load8_u, R.R_UNUSED_BITS);
        e.op(W.i32_shr_u, W.i32_and);
      }
      e.op(W.i64_extend_i32_u);
    }
    return this.#new64();
  }

  // Memory

  #translateOperand(n: number, write: boolean): number {
    const w = this.#size(n);
    const offset = this.effectiveAddress();
    if (this.#model !== 'general') return this.#translate(offset, w, write);
    const segment = (): void => this.#field(W.i32_load8_u, R.R_SEGMENT);
    return this.#translate(this.#inSegment(segment, offset, w, write), w, write);
  }
  #translateStack(pointer: number, w: Width, write: boolean): number {
    if (this.#model !== 'general') return this.#translate(pointer, w, write);
    const segment = (): void => void this.#e.i32(SEG_SS);
    return this.#translate(this.#inSegment(segment, pointer, w, write), w, write);
  }
  /** Linear address of an access in the segment whose number is pushed by `segment`; leaves to the evaluator if it may fault. */
  #inSegment(segment: () => void, offset: number, w: Width, write: boolean): number {
    const e = this.#e;
    e.get(LOCAL_STATE);
    segment();
    this.#put(offset);
    e.i32(w | (write ? 0x100 : 0)).call(this.#f.segment);
    const linear = this.#new64();
    e.get(linear).i64(-1n).op(W.i64_eq);
    this.faultIf(this.#new32());
    return linear;
  }

  /** Host offset (an i32 local) of an access: TLB inline, everything else in the slow path, which may leave. */
  #translate(linear: number, w: Width, write: boolean): number {
    const e = this.#e;
    e.get(linear).op(W.i32_wrap_i64).i32(7).op(W.i32_shr_u);
    e.i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE)
      .op(W.i32_and)
      .get(LOCAL_TLB)
      .op(W.i32_add);
    const entry = this.#new32();
    e.get(entry)
      .mem(W.i64_load, write ? TLB_WRITE_TAG : TLB_READ_TAG)
      .get(linear);
    if (w > 1) e.i64(BigInt(w - 1)).op(W.i64_add);
    e.i64(~0xfffn).op(W.i64_and, W.i64_eq, W.if, 0x7f);
    e.get(linear).op(W.i32_wrap_i64).get(entry).mem(W.i32_load, TLB_ADDEND).op(W.i32_add);
    e.op(W.else).get(LOCAL_STATE).get(LOCAL_RECORD).get(linear);
    e.i32(w | (write ? 0x100 : 0)).call(this.#f.slowPath);
    const host = LOCAL_POOL32 + this.#next32;
    e.tee(host)
      .i32(-1)
      .op(W.i32_eq)
      .brIf(this.#depth + 1 + this.exitLabel)
      .get(host)
      .op(W.end);
    return this.#new32();
  }
  #loadHost(host: number, w: Width): number {
    this.#e.get(host);
    return this.#loadAt(w, 0);
  }
  #storeHost(host: number, w: Width, value: number): void {
    this.#e.get(host);
    this.#put(value);
    this.#e.mem(w === 1 ? W.i64_store8 : w === 2 ? W.i64_store16 : w === 4 ? W.i64_store32 : W.i64_store, 0);
  }

  // Flags

  #storeLazy(kind: number, w: Width, result: number): void {
    const e = this.#e;
    e.get(LOCAL_STATE)
      .i32(kind | ((31 - Math.clz32(w)) << 8))
      .mem(W.i32_store, L.ST_CC_OP);
    e.get(LOCAL_STATE);
    this.#putTop(result, w);
    e.mem(W.i64_store, L.ST_CC_RES);
  }
  #putTop(v: number, w: Width): void {
    this.#put(v);
    if (w < 8) this.#e.i64(BigInt(64 - 8 * w)).op(W.i64_shl);
  }
  setFlags(kind: number, w: Width, result: number, source: number): void {
    if (this.noFlags) return;
    this.#storeLazy(kind, w, result);
    if (kind !== L.CC_LOGIC) {
      this.#e.get(LOCAL_STATE);
      this.#putTop(source, w);
      this.#e.mem(W.i64_store, L.ST_CC_SRC);
    }
    this.#fresh = { kind, w, result, source };
  }
  setFlagsWithCarry(kind: number, w: Width, result: number, source: number, carry: number): void {
    if (this.noFlags) return;
    const e = this.#e;
    this.setFlags(kind, w, result, source);
    this.#fresh = undefined;
    e.get(LOCAL_STATE);
    this.#put(carry);
    e.op(W.i32_wrap_i64)
      .i32(L.CC_ADC - L.CC_ADD)
      .op(W.i32_mul);
    e.i32(kind | ((31 - Math.clz32(w)) << 8))
      .op(W.i32_add)
      .mem(W.i32_store, L.ST_CC_OP);
  }
  setFlagsKeepCarry(kind: number, w: Width, result: number): void {
    if (this.noFlags) return;
    const carry = this.carry();
    this.#storeLazy(kind, w, result);
    this.#e.get(LOCAL_STATE).get(carry).mem(W.i64_store, L.ST_CC_SRC);
    this.#fresh = { kind, w, result, source: carry };
  }
  setFlagsGiven(w: Width, result: number, bits: number): void {
    if (this.noFlags) return;
    this.#storeLazy(L.CC_GIVEN, w, result);
    this.#fresh = undefined;
    this.#e.get(LOCAL_STATE);
    this.#put(bits);
    this.#e.mem(W.i64_store, L.ST_CC_SRC);
  }
  #status(): void {
    this.#e.get(LOCAL_STATE).call(this.#f.flags);
  }
  statusFlags(): number {
    this.#status();
    this.#e.op(W.i64_extend_i32_u);
    return this.#new64();
  }
  changeFlags(mask: number, bits: number): void {
    const e = this.#e;
    e.get(LOCAL_STATE).get(LOCAL_STATE).mem(W.i32_load, L.ST_EFLAGS);
    if (mask & STATUS_FLAGS) {
      e.i32(~(STATUS_FLAGS | mask)).op(W.i32_and);
      this.#status();
      e.i32(~mask).op(W.i32_and, W.i32_or);
    } else e.i32(~mask).op(W.i32_and);
    this.#put(bits);
    e.op(W.i32_wrap_i64, W.i32_or).mem(W.i32_store, L.ST_EFLAGS);
    if (mask & STATUS_FLAGS) e.get(LOCAL_STATE).i32(L.CC_EAGER).mem(W.i32_store, L.ST_CC_OP);
  }
  carry(): number {
    this.#e.get(LOCAL_STATE).call(this.#f.carry);
    return this.#new64();
  }

  condition(): number {
    const cc = this.#insn.cc;
    const fresh = this.#fresh;
    const even = cc & ~1;
    if (fresh && this.#freshCondition(fresh, even)) {
      if (cc & 1) this.#e.op(W.i32_eqz);
      return this.#new32();
    }
    const e = this.#e;
    if (even === 0x4 || even === 0x8) {
      // ZF and SF come from the result whatever the operation was.
      e.get(LOCAL_STATE).mem(W.i32_load, L.ST_CC_OP).op(W.i32_eqz, W.if, 0x7f);
      e.get(LOCAL_STATE)
        .mem(W.i32_load, L.ST_EFLAGS)
        .i32(even === 4 ? 6 : 7);
      e.op(W.i32_shr_u).i32(1).op(W.i32_and, W.else);
      e.get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_RES);
      if (even === 4) e.op(W.i64_eqz);
      else e.i64(0n).op(W.i64_lt_s);
      e.op(W.end);
    } else if (even === 0x2 || even === 0x6 || even >= 0xc) {
      e.get(LOCAL_STATE).mem(W.i32_load8_u, L.ST_CC_OP).i32(L.CC_SUB).op(W.i32_eq, W.if, 0x7f);
      // a - src = res, all at the top of 64 bits: compare a = res + src with src.
      e.get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_RES).get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_SRC);
      e.op(W.i64_add).get(LOCAL_STATE).mem(W.i64_load, L.ST_CC_SRC);
      e.op(even === 2 ? W.i64_lt_u : even === 6 ? W.i64_le_u : even === 0xc ? W.i64_lt_s : W.i64_le_s);
      e.op(W.else);
      this.#slowCondition(even);
      e.op(W.end);
    } else this.#slowCondition(even);
    if (cc & 1) e.op(W.i32_eqz);
    return this.#new32();
  }
  #freshCondition(f: FreshFlags, even: number): boolean {
    const e = this.#e;
    if (even === 0x4) {
      this.#put(f.result);
      e.op(W.i64_eqz);
      return true;
    }
    if (even === 0x8) {
      this.#putTop(f.result, f.w);
      e.i64(0n).op(W.i64_lt_s);
      return true;
    }
    const relation = { 2: W.i64_lt_u, 6: W.i64_le_u, 12: W.i64_lt_s, 14: W.i64_le_s }[even];
    if (relation === undefined) return false;
    if (f.kind === L.CC_SUB) {
      this.#putTop(f.result, f.w);
      this.#putTop(f.source, f.w);
      e.op(W.i64_add);
      this.#putTop(f.source, f.w);
      e.op(relation);
      return true;
    }
    if (f.kind === L.CC_LOGIC) {
      if (even === 2) e.i32(0);
      else {
        this.#putTop(f.result, f.w);
        e.i64(0n).op(even === 6 ? W.i64_eq : relation);
      }
      return true;
    }
    return false;
  }
  /** Pushes the truth of an even condition code from the evaluated flags. */
  #slowCondition(even: number): void {
    const e = this.#e;
    this.#status();
    if (even < 0xc) {
      const mask = { 0: 0x800, 2: 0x1, 4: 0x40, 6: 0x41, 8: 0x80, 10: 0x4 }[even]!;
      e.i32(mask).op(W.i32_and).i32(0).op(W.i32_ne);
      return;
    }
    const flags = LOCAL_POOL32 + this.#next32; // scratch: taken again at once
    e.tee(flags).i32(4).op(W.i32_shr_u).get(flags).op(W.i32_xor).i32(0x80).op(W.i32_and);
    if (even === 0xe) e.get(flags).i32(0x40).op(W.i32_and, W.i32_or);
    e.i32(0).op(W.i32_ne);
  }
  faultIf(c: number): void {
    const e = this.#e;
    e.get(c).op(W.if, VOID).get(LOCAL_STATE).get(LOCAL_RECORD).call(this.#f.abort);
    e.br(this.#depth + 1 + this.exitLabel).op(W.end);
  }

  // Stack

  #stackWidth(): Width {
    return this.#model === 'flat64' ? 8 : 4;
  }
  /** Pushes the truth of 'the stack pointer has 32 bits'. */
  #wideStack(): void {
    this.#e.get(LOCAL_STATE).mem(W.i32_load, L.ST_MODE).i32(L.MODE_SS32).op(W.i32_and);
  }
  /** In code of any kind the stack segment says at run time how wide the pointer is. */
  #stackCut(pointer: number): number {
    if (this.#model !== 'general') return pointer;
    const e = this.#e;
    this.#put(pointer);
    e.i64(0xffff_ffffn).i64(0xffffn);
    this.#wideStack();
    e.op(W.select, W.i64_and);
    return this.#new64();
  }
  stackPointer(): number {
    return this.#stackCut(this.reg(RSP, this.#stackWidth()));
  }
  stackAdd(pointer: number, bytes: number): number {
    return this.#stackCut(this.add(this.#stackWidth(), pointer, bytes));
  }
  setStackPointer(pointer: number): void {
    if (this.#model !== 'general') {
      this.setReg(RSP, this.#stackWidth(), pointer);
      return;
    }
    this.#wideStack();
    this.#e.op(W.if, VOID);
    this.setReg(RSP, 4, pointer);
    this.#e.op(W.else);
    this.setReg(RSP, 2, pointer);
    this.#e.op(W.end);
  }
  loadStack(pointer: number, w: Width): number {
    return this.#loadHost(this.#translateStack(pointer, w, false), w);
  }
  storeStack(pointer: number, w: Width, value: number): void {
    this.#storeHost(this.#translateStack(pointer, w, true), w, value);
  }
  popToMemory(): void {
    throw new RangeError('wasm: POP to memory goes to the evaluator');
  }

  // Control

  nextRip(): number {
    this.#field(W.i64_load, R.X_NEXT);
    return this.#new64();
  }
  checkRelative(): void {
    // Checked when the block was decoded: an instruction whose target is bad goes to the evaluator.
  }
  checkTarget(rip: number): void {
    if (this.#model === 'flat32') return; // the limit is 4 GiB in the flat model
    const e = this.#e;
    if (this.#model === 'general') {
      e.get(rip)
        .get(LOCAL_STATE)
        .mem(W.i64_load32_u, L.ST_SEG_LIMIT + SEG_CS * 4)
        .op(W.i64_gt_u);
      this.faultIf(this.#new32());
      return;
    }
    e.get(rip).i64(16n).op(W.i64_shl).i64(16n).op(W.i64_shr_s).get(rip).op(W.i64_ne);
    this.faultIf(this.#new32());
  }
  jumpRelative(): void {
    this.#field(W.i32_load, R.X_LINK_TARGET);
    this.#e.set(LOCAL_BLOCK);
    this.#go(() => this.#field(W.i64_load, R.X_TARGET), R.X_LINK_TARGET);
  }
  jumpRelativeIf(c: number): void {
    const e = this.#e;
    e.get(c).op(W.if, VOID);
    this.#depth++;
    this.jumpRelative();
    this.#depth--;
    e.op(W.end);
    this.jumpNext();
  }
  /** Goes on at the next RIP, in another block. */
  jumpNext(): void {
    this.#field(W.i32_load, R.X_LINK_NEXT);
    this.#e.set(LOCAL_BLOCK);
    this.#go(() => this.#field(W.i64_load, R.X_NEXT), R.X_LINK_NEXT);
  }
  /** To the block in LOCAL_BLOCK if that is one, else by RIP. */
  #go(rip: () => void, slot: number): void {
    const e = this.#e;
    e.get(LOCAL_BLOCK)
      .i32(R.LINK_NEVER)
      .op(W.i32_gt_u)
      .brIf(this.#depth + this.goLabel);
    e.get(LOCAL_STATE);
    rip();
    e.i32(0)
      .get(LOCAL_RECORD)
      .i32(this.#at + slot)
      .op(W.i32_add)
      .get(LOCAL_BLOCK)
      .op(W.select);
    this.#follow();
  }
  jumpTo(rip: number): void {
    this.#e.get(LOCAL_STATE);
    this.#put(rip);
    this.#e.i32(0);
    this.#follow();
  }
  /** Goes on at ST_RIP. */
  jumpToStateRip(): void {
    const e = this.#e;
    e.get(LOCAL_STATE).get(LOCAL_STATE).mem(W.i64_load, L.ST_RIP).i32(0);
    this.#follow();
  }
  #follow(): void {
    this.#e
      .call(this.#f.follow)
      .tee(LOCAL_BLOCK)
      .brIf(this.#depth + this.goLabel);
    this.#e.br(this.#depth + this.exitLabel);
    this.jumped = true;
  }
  divideWide(signed: boolean): void {
    // Dividends of 64 bits here; the evaluator does the others, and raises the faults.
    const divisor = this.read(0);
    const low = this.reg(RAX, 8);
    const high = this.reg(RDX, 8);
    const zero = this.const(0n);
    const fits = this.equal(high, signed ? this.sar(8, low, this.const(63n)) : zero);
    this.faultIf(this.not(fits));
    this.faultIf(this.equal(divisor, zero));
    if (signed) this.faultIf(this.equal(divisor, this.const(-1n)));
    const quotient = signed ? this.divS(low, divisor) : this.divU(low, divisor);
    const remainder = signed ? this.remS(low, divisor) : this.remU(low, divisor);
    this.setReg(RAX, 8, quotient);
    this.setReg(RDX, 8, remainder);
  }
}
