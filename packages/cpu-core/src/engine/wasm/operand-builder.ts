/**
 * The part of the WebAssembly back end that reaches registers, memory and the stack, with operands read from the
 * record.
 */
import { CR4_UMIP, SEG_SS } from '@smm/x86-defs';
import { type Insn, K_IMM, K_MEM, K_REG, REG_RIP } from '../../insn.ts';
import * as L from '../../layout.ts';
import { OP } from '../../ops.ts';
import type { Operands, Width } from '../../semantics/builder.ts';
import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_READ_TAG, TLB_WRITE_TAG } from '../tlb.ts';
import {
  type Addressing,
  type Labels,
  LOCAL_POOL32,
  LOCAL_RECORD,
  LOCAL_STATE,
  LOCAL_TLB,
} from './convention.ts';
import { type Emitter, I32, VOID, W } from './emitter.ts';
import * as R from './record.ts';
import type { ValueBuilder } from './value-builder.ts';

const RSP = 4;

/** Operands. An access that the inline TLB lookup does not answer takes the slow path, which may leave. */
export class OperandBuilder implements Operands<number> {
  readonly #v: ValueBuilder;
  readonly #e: Emitter;
  readonly #addressing: Addressing;
  readonly #labels: Labels;
  insn!: Insn;
  /** Add the segment base that the record names (64-bit FS and GS). */
  segmented = false;
  /** Host offset of the memory operand once translated for writing. */
  #writeHost: number | undefined;
  /** Distance from the record in LOCAL_RECORD to the one being compiled (fused pairs). */
  recordOffset = 0;
  /** Locals with the host addresses of registers, by record byte. */
  readonly #addresses = new Map<number, number>();

  constructor(values: ValueBuilder, addressing: Addressing, labels: Labels) {
    this.#v = values;
    this.#e = values.e;
    this.#addressing = addressing;
    this.#labels = labels;
  }

  /** Starts an instruction of this form. `at`: offset of its record from the current one. */
  begin(insn: Insn, at: number): void {
    this.insn = insn;
    this.recordOffset = at;
    this.#writeHost = undefined;
    this.#addresses.clear();
  }

  /** Pushes what the record has at an offset. */
  field(opcode: number, offset: number): void {
    this.#e.get(LOCAL_RECORD).mem(opcode, this.recordOffset + offset);
  }
  /**
   * Pushes the host address of the register whose offset is in a record byte: worked out once where all of the handler
   * runs.
   */
  registerAddress(field: number): void {
    const known = this.#addresses.get(field);
    if (known !== undefined) {
      this.#e.get(known);
      return;
    }
    this.#e.get(LOCAL_STATE);
    this.field(W.i32_load8_u, field);
    this.#e.op(W.i32_add);
    if (this.#v.depth > 0) return;
    const address = this.#v.new32();
    this.#addresses.set(field, address);
    this.#e.get(address);
  }
  #loadAt(w: Width, offset: number): number {
    const opcode = w === 1 ? W.i64_load8_u : w === 2 ? W.i64_load16_u : w === 4 ? W.i64_load32_u : W.i64_load;
    this.#e.mem(opcode, offset);
    return this.#v.new64();
  }
  #storeRegister(w: Width, offset: number): void {
    // A 32-bit write clears the upper half: the value is zero-extended already.
    this.#e.mem(w === 1 ? W.i64_store8 : w === 2 ? W.i64_store16 : W.i64_store, offset);
  }
  size(n: number): Width {
    const i = this.insn;
    return (n === 0 ? i.size0 : n === 1 ? i.size1 : i.size2) as Width;
  }
  kind(n: number): number {
    const i = this.insn;
    return n === 0 ? i.kind0 : n === 1 ? i.kind1 : i.kind2;
  }
  reg(register: number, w: Width): number {
    this.#e.get(LOCAL_STATE);
    return this.#loadAt(w, L.ST_GPR + register * 8);
  }
  setReg(register: number, w: Width, value: number): void {
    this.#e.get(LOCAL_STATE);
    this.#v.put(value);
    this.#storeRegister(w, L.ST_GPR + register * 8);
  }
  read(n: number): number {
    switch (this.kind(n)) {
      case K_REG:
        this.registerAddress(R.R_REG + n);
        return this.#loadAt(this.size(n), 0);
      case K_IMM: {
        const w = this.insn.size as Width;
        if (w === 8)
          this.field(this.insn.immHigh ? W.i64_load : W.i64_load32_s, this.insn.immHigh ? R.R_DISP : R.R_IMM);
        else {
          this.#e.get(LOCAL_RECORD);
          return this.#loadAt(w, this.recordOffset + R.R_IMM);
        }
        return this.#v.new64();
      }
      case K_MEM:
        return this.#loadHost(this.translateOperand(this.size(n), false), this.size(n));
    }
    throw new RangeError(`wasm: operand kind ${this.kind(n)}`);
  }
  readForWrite(n: number): number {
    if (this.kind(n) !== K_MEM) return this.read(n);
    this.#writeHost = this.translateOperand(this.size(n), true);
    return this.#loadHost(this.#writeHost, this.size(n));
  }
  write(n: number, value: number): void {
    const w = this.size(n);
    if (this.kind(n) === K_REG) {
      this.registerAddress(R.R_REG + n);
      this.#v.put(value);
      this.#storeRegister(w, 0);
      return;
    }
    this.#storeHost(this.#writeHost ?? this.translateOperand(this.size(n), true), w, value);
  }
  displace(): void {
    throw new RangeError('wasm: bit offsets in registers go to the evaluator');
  }
  effectiveAddress(): number {
    const e = this.#e;
    const i = this.insn;
    const wide = this.#addressing === 'flat64';
    if (i.base === REG_RIP)
      throw new RangeError('wasm: RIP-relative operands are made absolute in the record');
    this.registerAddress(R.R_BASE);
    e.mem(wide ? W.i64_load : W.i32_load, 0);
    if (i.index !== 16) {
      this.registerAddress(R.R_INDEX);
      e.mem(wide ? W.i64_load : W.i32_load, 0);
      this.field(wide ? W.i64_load8_u : W.i32_load8_u, R.R_SCALE);
      e.op(wide ? W.i64_shl : W.i32_shl, wide ? W.i64_add : W.i32_add);
    }
    this.field(wide ? W.i64_load : W.i32_load, R.R_DISP);
    if (wide && this.segmented && i.op !== OP.LEA) {
      e.op(W.i64_add).get(LOCAL_STATE);
      this.field(W.i32_load8_u, R.R_SEGMENT);
      e.i32(3).op(W.i32_shl, W.i32_add).mem(W.i64_load, 0);
    }
    if (wide) e.op(W.i64_add);
    else {
      e.op(W.i32_add);
      if (this.#addressing === 'general') {
        e.i32(-1);
        this.field(W.i32_load8_u, R.R_UNUSED_BITS);
        e.op(W.i32_shr_u, W.i32_and);
      }
      e.op(W.i64_extend_i32_u);
    }
    return this.#v.new64();
  }

  /**
   * Host offset (an i32 local) of the memory operand, `w` bytes. `aligned`: the evaluator faults unless its address is
   * a multiple of that.
   */
  translateOperand(w: number, write: boolean, aligned = false): number {
    let linear = this.effectiveAddress();
    if (this.#addressing === 'general') {
      const segment = (): void => this.field(W.i32_load8_u, R.R_SEGMENT);
      linear = this.#inSegment(segment, linear, w, write);
    }
    if (aligned) {
      this.#e
        .get(linear)
        .op(W.i32_wrap_i64)
        .i32(w - 1)
        .op(W.i32_and);
      this.faultIf(this.#v.new32());
    }
    return this.#translate(linear, w, write);
  }
  #translateStack(pointer: number, w: Width, write: boolean): number {
    if (this.#addressing !== 'general') return this.#translate(pointer, w, write);
    const segment = (): void => void this.#e.i32(SEG_SS);
    return this.#translate(this.#inSegment(segment, pointer, w, write), w, write);
  }
  /**
   * Linear address of an access in the segment whose number is pushed by `segment`; leaves to the evaluator if it may
   * fault.
   */
  #inSegment(segment: () => void, offset: number, w: number, write: boolean): number {
    const e = this.#e;
    e.get(LOCAL_STATE);
    segment();
    this.#v.put(offset);
    e.i32(w | (write ? 0x100 : 0)).call(this.#v.functions.segment);
    const linear = this.#v.new64();
    e.get(linear).i64(-1n).op(W.i64_eq);
    this.faultIf(this.#v.new32());
    return linear;
  }

  /** Host offset (an i32 local) of an access: TLB inline, everything else in the slow path, which may leave. */
  #translate(linear: number, w: number, write: boolean): number {
    const e = this.#e;
    e.get(linear).op(W.i32_wrap_i64).i32(7).op(W.i32_shr_u);
    e.i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE)
      .op(W.i32_and)
      .get(LOCAL_TLB)
      .op(W.i32_add);
    const entry = this.#v.new32();
    e.get(entry)
      .mem(W.i64_load, write ? TLB_WRITE_TAG : TLB_READ_TAG)
      .get(linear);
    if (w > 1) e.i64(BigInt(w - 1)).op(W.i64_add);
    e.i64(~0xfffn).op(W.i64_and, W.i64_ne).rarely().op(W.if, I32);
    e.get(LOCAL_STATE).get(LOCAL_RECORD).get(linear);
    e.i32(w | (write ? 0x100 : 0)).call(this.#v.functions.slowPath);
    const host = LOCAL_POOL32 + this.#v.next32;
    e.tee(host)
      .i32(-1)
      .op(W.i32_eq)
      .brIf(this.#v.depth + 1 + this.#labels.exit)
      .get(host);
    e.op(W.else).get(linear).op(W.i32_wrap_i64).get(entry).mem(W.i32_load, TLB_ADDEND).op(W.i32_add, W.end);
    return this.#v.new32();
  }
  #loadHost(host: number, w: Width): number {
    this.#e.get(host);
    return this.#loadAt(w, 0);
  }
  #storeHost(host: number, w: Width, value: number): void {
    this.#e.get(host);
    this.#v.put(value);
    this.#e.mem(w === 1 ? W.i64_store8 : w === 2 ? W.i64_store16 : w === 4 ? W.i64_store32 : W.i64_store, 0);
  }

  immediateByte(): number {
    this.field(W.i64_load8_u, R.R_IMM);
    return this.#v.new64();
  }

  storeTable(limitAt: number, baseAt: number): void {
    const e = this.#e;
    const { size } = this.insn;
    e.get(LOCAL_STATE).mem(W.i32_load, L.ST_CR4).i32(CR4_UMIP).op(W.i32_and);
    this.faultIf(this.#v.new32());
    const host = this.translateOperand(size === 8 ? 10 : 6, true);
    e.get(host).get(LOCAL_STATE).mem(W.i32_load, limitAt).mem(W.i32_store16, 0);
    e.get(host).get(LOCAL_STATE).mem(W.i64_load, baseAt);
    if (size === 2) e.i64(0xff_ffffn).op(W.i64_and);
    e.mem(size === 8 ? W.i64_store : W.i64_store32, 2);
  }
  /** Leaves to the evaluator, which executes the instruction and faults as it must. */
  faultIf(c: number): void {
    this.#e
      .get(c)
      .rarely()
      .brIf(this.#v.depth + this.#labels.abort);
  }

  #stackWidth(): Width {
    return this.#addressing === 'flat64' ? 8 : 4;
  }
  /** Pushes the truth of 'the stack pointer has 32 bits'. */
  #wideStack(): void {
    this.#e.get(LOCAL_STATE).mem(W.i32_load, L.ST_MODE).i32(L.MODE_SS32).op(W.i32_and);
  }
  /** In code of any kind the stack segment says at run time how wide the pointer is. */
  #stackCut(pointer: number): number {
    if (this.#addressing !== 'general') return pointer;
    const e = this.#e;
    this.#v.put(pointer);
    e.i64(0xffff_ffffn).i64(0xffffn);
    this.#wideStack();
    e.op(W.select, W.i64_and);
    return this.#v.new64();
  }
  stackPointer(): number {
    return this.#stackCut(this.reg(RSP, this.#stackWidth()));
  }
  stackAdd(pointer: number, bytes: number): number {
    return this.#stackCut(this.#v.add(this.#stackWidth(), pointer, bytes));
  }
  setStackPointer(pointer: number): void {
    if (this.#addressing !== 'general') {
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
}
