/** The part of the translator's back end that reaches registers, memory and the stack. Registers live in locals. */
import { CR4_UMIP, SEG_DS, SEG_ES, SEG_FS, SEG_SS } from '@smm/x86-defs';
import { type Insn, K_IMM, K_MEM, K_REG, REG_NONE, REG_RIP } from '../../insn.ts';
import * as L from '../../layout.ts';
import type { Operands, Width } from '../../semantics/builder.ts';
import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_READ_TAG, TLB_SIZE, TLB_WRITE_TAG } from '../tlb.ts';
import { type Emitter, VOID, W } from '../wasm/emitter.ts';
import { BUDGET, REGISTERS, STACK_ADDEND, STACK_PAGE, STATE } from './locals.ts';
import { Value } from './value.ts';
import type { ValueEmitter } from './value-emitter.ts';

const RSP = 4;
const RBP = 5;
const LOADS: Readonly<Record<number, readonly [to32: number, to64: number]>> = {
  1: [W.i32_load8_u, W.i64_load8_u],
  2: [W.i32_load16_u, W.i64_load16_u],
  4: [W.i32_load, W.i64_load32_u],
  8: [W.i64_load, W.i64_load],
};
const STORES: Readonly<Record<number, number>> = {
  1: W.i32_store8,
  2: W.i32_store16,
  4: W.i32_store,
  8: W.i64_store,
};

/** Bit of XMM0 in {@link RegisterUse}. */
export const XMM_BIT = 0x1_0000;

/** Registers used by a region. */
export interface RegisterUse {
  /** Bit per general register, then per XMM register, that is read or written. */
  used: number;
  /** Likewise that is written. */
  written: number;
}

/** Operands of a region: registers in locals, memory through the TLB, the stack past it where it can. */
export class OperandEmitter implements Operands<Value> {
  readonly #v: ValueEmitter;
  readonly #e: Emitter;
  /** Mode word of the code. */
  readonly #mode: number;
  /** Called where the instruction may be left from: puts flags in order and answers the site's number. */
  readonly #site: () => number;
  insn!: Insn;
  /** RIP after the instruction. */
  next = 0n;
  /** Registers met so far. */
  readonly registers: RegisterUse = { used: 0, written: 0 };
  #references: Value[] = [];
  /** Local with the host offset of the memory operand once translated for writing. */
  #writeHost: number | undefined;
  #displacement: Value | undefined;

  constructor(values: ValueEmitter, mode: number, site: () => number) {
    this.#v = values;
    this.#e = values.e;
    this.#mode = mode;
    this.#site = site;
  }

  immediateByte(): Value {
    return this.#v.const(BigInt(this.insn.imm & 0xff));
  }

  /** Starts an instruction, the one after which is at `next`. */
  begin(insn: Insn, next: bigint): void {
    this.insn = insn;
    this.next = next;
    this.#references = [];
    this.#writeHost = undefined;
    this.#displacement = undefined;
    this.#v.locals.release();
  }

  size(n: number): Width {
    const i = this.insn;
    return (n === 0 ? i.size0 : n === 1 ? i.size1 : i.size2) as Width;
  }
  kind(n: number): number {
    const i = this.insn;
    return n === 0 ? i.kind0 : n === 1 ? i.kind1 : i.kind2;
  }
  value(n: number): number {
    const i = this.insn;
    return n === 0 ? i.val0 : n === 1 ? i.val1 : i.val2;
  }

  /** A register by byte offset into the register file. */
  #getRegister(byte: number, w: Width): Value {
    const register = byte >>> 3;
    this.registers.used |= 1 << register;
    const local = REGISTERS + register;
    if (w * 8 >= this.#v.native) {
      const reference = new Value(this.#v.native, local, this.#v.native);
      reference.register = register;
      this.#references.push(reference);
      return reference;
    }
    const e = this.#e;
    e.get(local);
    if (this.#v.native === 64) e.op(W.i32_wrap_i64);
    if (w === 4) return this.#v.pop(32);
    if (byte & 1) e.i32(8).op(W.i32_shr_u);
    e.i32(w === 1 ? 0xff : 0xffff).op(W.i32_and);
    return this.#v.pop(32, w * 8);
  }
  #setRegister(byte: number, w: Width, v: Value): void {
    const register = byte >>> 3;
    const local = REGISTERS + register;
    const e = this.#e;
    if (v.local === local && w * 8 === this.#v.native) return;
    this.#detach(register);
    this.registers.used |= 1 << register;
    this.registers.written |= 1 << register;
    if (w >= 4) {
      if (w === 4 && v.type === 64 && v.bits > 32) {
        this.#v.put(v, 32);
        if (this.#v.native === 64) e.op(W.i64_extend_i32_u);
      } else this.#v.put(v, this.#v.native);
      e.set(local);
      return;
    }
    const shift = byte & 1 ? 8 : 0;
    const keep = ~((w === 1 ? 0xff : 0xffff) << shift);
    e.get(local);
    if (this.#v.native === 64) e.i64(BigInt(keep));
    else e.i32(keep);
    e.op(this.#v.native === 64 ? W.i64_and : W.i32_and);
    this.#v.put(v.bits > w * 8 ? this.#v.truncate(w, v) : v, this.#v.native);
    if (shift) {
      if (this.#v.native === 64) e.i64(8n).op(W.i64_shl);
      else e.i32(8).op(W.i32_shl);
    }
    e.op(this.#v.native === 64 ? W.i64_or : W.i32_or).set(local);
  }
  /** Copies a register into scratch for the references to it that are about. */
  #detach(register: number): void {
    let copy = -1;
    for (const reference of this.#references) {
      if (reference.register !== register) continue;
      if (copy < 0) {
        copy = this.#v.locals.scratch(this.#v.native);
        this.#e.get(REGISTERS + register).set(copy);
      }
      reference.local = copy;
      reference.register = -1;
    }
  }
  /** Copies all registers that are referred to: what is written from here on may be read as it was before. */
  detachAll(): void {
    for (const { register } of this.#references) if (register >= 0) this.#detach(register);
  }

  reg(register: number, w: Width): Value {
    return this.#getRegister(register * 8, w);
  }
  setReg(register: number, w: Width, value: Value): void {
    this.#setRegister(register * 8, w, value);
  }
  read(n: number): Value {
    switch (this.kind(n)) {
      case K_REG:
        return this.#getRegister(this.value(n), this.size(n));
      case K_IMM: {
        const i = this.insn;
        return this.#v.const(BigInt.asUintN(i.size * 8, (BigInt(i.immHigh) << 32n) | BigInt(i.imm >>> 0)));
      }
      case K_MEM:
        return this.#loadHost(this.translateOperand(this.size(n), false), this.size(n));
    }
    throw new RangeError(`translator: operand kind ${this.kind(n)}`);
  }
  readForWrite(n: number): Value {
    if (this.kind(n) !== K_MEM) return this.read(n);
    this.#writeHost = this.translateOperand(this.size(n), true);
    return this.#loadHost(this.#writeHost, this.size(n));
  }
  write(n: number, value: Value): void {
    const w = this.size(n);
    if (this.kind(n) === K_REG) this.#setRegister(this.value(n), w, value);
    else this.#storeHost(this.#writeHost ?? this.translateOperand(this.size(n), true), w, value);
  }
  displace(bytes: Value): void {
    this.#displacement = bytes;
  }

  /** A register cut to the address size, on the stack, as wide as addresses are computed. */
  #pushAddressPart(register: number, wide: boolean): void {
    this.registers.used |= 1 << register;
    this.#e.get(REGISTERS + register);
    if (!wide && this.#v.native === 64) this.#e.op(W.i32_wrap_i64);
  }
  effectiveAddress(): Value {
    const e = this.#e;
    const i = this.insn;
    const wide = i.addressSize === 8;
    let disp = (BigInt(i.dispHigh) << 32n) + BigInt(i.disp >>> 0);
    if (i.base === REG_RIP) disp += this.next;
    disp = BigInt.asUintN(i.addressSize * 8, disp);
    const hasBase = i.base !== REG_NONE && i.base !== REG_RIP;
    const hasIndex = i.index !== REG_NONE;
    if (!hasBase && !hasIndex && this.#displacement === undefined) return this.#v.const(disp);
    const add = wide ? W.i64_add : W.i32_add;
    const constant = (k: bigint): void => void (wide ? e.i64(k) : e.i32(Number(BigInt.asIntN(32, k))));
    let terms = 0;
    const term = (): void => {
      if (terms++ > 0) e.op(add);
    };
    if (hasBase) {
      this.#pushAddressPart(i.base, wide);
      term();
    }
    if (hasIndex) {
      this.#pushAddressPart(i.index, wide);
      if (i.scale) {
        constant(BigInt(i.scale));
        e.op(wide ? W.i64_shl : W.i32_shl);
      }
      term();
    }
    if (this.#displacement) {
      this.#v.put(this.#displacement, wide ? 64 : 32);
      term();
    }
    if (disp !== 0n) {
      constant(disp);
      term();
    }
    if (i.addressSize === 2) e.i32(0xffff).op(W.i32_and);
    return this.#v.pop(wide ? 64 : 32, i.addressSize * 8);
  }

  /**
   * Local with the host offset of the memory operand, `w` bytes. `aligned`: the evaluator faults unless its address is
   * a multiple of that.
   */
  translateOperand(w: number, write: boolean, aligned = false): number {
    const { segment, base } = this.insn;
    const stack = base === RSP || base === RBP;
    return this.#translateIn(segment, this.effectiveAddress(), w, write, stack, aligned);
  }
  /**
   * Local with the host offset of an access at an offset in a segment. `stack`: it probably hits the page that the
   * stack is on.
   */
  #translateIn(
    segment: number,
    offset: Value,
    w: number,
    write: boolean,
    stack: boolean,
    aligned = false,
  ): number {
    const e = this.#e;
    if (this.#v.native === 64) {
      if (segment < SEG_FS) return this.#translate(this.#widened(offset), w, write, stack, aligned);
      this.#v.put(offset, 64);
      e.get(STATE)
        .mem(W.i64_load, L.ST_SEG_BASE + segment * 8)
        .op(W.i64_add);
      return this.#translate(this.#v.pop(64), w, write, false, aligned);
    }
    const flat = (this.#mode & L.MODE_FLAT_DATA) !== 0;
    if (flat && (segment === SEG_DS || segment === SEG_ES || segment === SEG_SS))
      return this.#translate(offset, w, write, stack, aligned);
    e.get(STATE).i32(segment);
    this.#v.put(offset, 64);
    e.i32(w | (write ? 0x100 : 0)).call(this.#v.functions.segment);
    const linear = this.#v.pop(64);
    e.get(linear.local).i64(-1n).op(W.i64_eq);
    this.faultIf(this.#v.popTruth());
    e.get(linear.local).op(W.i32_wrap_i64);
    return this.#translate(this.#v.pop(32), w, write, stack, aligned);
  }

  /** A 64-bit address of one that was computed in 32 bits. */
  #widened(offset: Value): Value {
    if (offset.type === 64 || offset.constant !== undefined) return offset;
    this.#v.put(offset, 64);
    return this.#v.pop(64, offset.bits);
  }

  /** Local with the host offset of an access: TLB inline, everything else outside, which may leave. */
  #translate(linear: Value, w: number, write: boolean, stack: boolean, aligned: boolean): number {
    const e = this.#e;
    if (aligned) this.faultIf(this.#pastMultiple(linear, w));
    let at = linear;
    if (at.constant !== undefined) {
      this.#v.put(at, this.#v.native);
      at = this.#v.pop(this.#v.native);
    }
    const host = this.#v.locals.scratch(32);
    const page = this.#v.locals.scratch(this.#v.native);
    this.#pushPage(at, w);
    e.set(page);
    if (!stack) {
      this.#lookUp(at, page, host, w, write, false);
      return host;
    }
    e.get(page)
      .get(STACK_PAGE)
      .op(this.#v.native === 64 ? W.i64_ne : W.i32_ne);
    this.#v.unlikely.push(e.length);
    e.op(W.if, VOID);
    this.#v.depth++;
    this.#lookUp(at, page, host, w, write, write);
    this.#v.depth--;
    e.op(W.else);
    this.#v.put(at, 32);
    e.get(STACK_ADDEND).op(W.i32_add).set(host).op(W.end);
    return host;
  }
  /** Not zero where an address is no multiple of `w`. */
  #pastMultiple(linear: Value, w: number): Value {
    if (linear.constant !== undefined) return this.#v.const(linear.constant & BigInt(w - 1));
    this.#v.put(linear, 32);
    this.#e.i32(w - 1).op(W.i32_and);
    return this.#v.pop(32);
  }
  /** Pushes the page of an access, or that of its last byte: no entry has the tag of a page that it crosses into. */
  #pushPage(at: Value, w: number): void {
    const e = this.#e;
    e.get(at.local);
    if (this.#v.native === 64) {
      if (w > 1) e.i64(BigInt(w - 1)).op(W.i64_add);
      e.i64(~0xfffn).op(W.i64_and);
      return;
    }
    if (w > 1) e.i32(w - 1).op(W.i32_add);
    e.i32(~0xfff).op(W.i32_and);
  }
  /** Sets `host` by the TLB or by TypeScript. `keep`: the page is the stack's from now on. */
  #lookUp(at: Value, page: number, host: number, w: number, write: boolean, keep: boolean): void {
    const e = this.#e;
    // State page, supervisor TLB and user TLB lie one behind the other.
    const tlb = 4096 + (this.#mode & L.MODE_USER ? TLB_SIZE : 0);
    const entry = this.#v.locals.scratch(32);
    this.#v.put(at, 32);
    e.i32(7).op(W.i32_shr_u);
    e.i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE)
      .op(W.i32_and)
      .get(STATE)
      .op(W.i32_add)
      .tee(entry);
    e.mem(W.i64_load, tlb + (write ? TLB_WRITE_TAG : TLB_READ_TAG)).get(page);
    if (this.#v.native === 32) e.op(W.i64_extend_i32_u);
    e.op(W.i64_ne);
    this.#v.unlikely.push(e.length);
    e.op(W.if, VOID);
    e.get(STATE).i32(this.#site());
    this.#v.put(at, 64);
    e.i32(w | (write ? 0x100 : 0))
      .get(BUDGET)
      .call(this.#v.functions.access);
    e.tee(host).i32(-1).op(W.i32_eq);
    this.#v.unlikely.push(e.length);
    e.brIf(this.#v.depth + 1);
    // The walk may have put another page's entry where the stack's was.
    this.forgetStack();
    e.op(W.else);
    this.#v.put(at, 32);
    e.get(entry).mem(W.i32_load, tlb + TLB_ADDEND);
    if (keep) e.tee(STACK_ADDEND).get(page).set(STACK_PAGE);
    e.op(W.i32_add).set(host).op(W.end);
  }
  /** No page is known to be the stack's. */
  forgetStack(): void {
    if (this.#v.native === 64) this.#e.i64(-1n).set(STACK_PAGE);
    else this.#e.i32(-1).set(STACK_PAGE);
  }
  #loadHost(host: number, w: Width): Value {
    const type = w === 8 ? 64 : 32;
    this.#e.get(host).mem(LOADS[w]![type === 64 ? 1 : 0], 0);
    return this.#v.pop(type, w * 8);
  }
  #storeHost(host: number, w: Width, value: Value): void {
    this.#e.get(host);
    this.#v.put(value, w === 8 ? 64 : 32);
    this.#e.mem(STORES[w]!, 0);
  }

  storeTable(limitAt: number, baseAt: number): void {
    const e = this.#e;
    const { size } = this.insn;
    e.get(STATE).mem(W.i32_load, L.ST_CR4).i32(CR4_UMIP).op(W.i32_and);
    this.faultIf(this.#v.pop(32));
    const host = this.translateOperand(size === 8 ? 10 : 6, true);
    e.get(host).get(STATE).mem(W.i32_load, limitAt).mem(W.i32_store16, 0);
    e.get(host).get(STATE).mem(W.i64_load, baseAt);
    if (size === 2) e.i64(0xff_ffffn).op(W.i64_and);
    e.mem(size === 8 ? W.i64_store : W.i64_store32, 2);
  }

  /** Leaves to the evaluator, which executes the instruction and faults as it must. */
  faultIf(c: Value): void {
    if (c.constant === 0n) return;
    const e = this.#e;
    this.#v.put(c, 32);
    this.#v.unlikely.push(e.length);
    e.op(W.if, VOID);
    e.get(STATE).i32(this.#site()).get(BUDGET).call(this.#v.functions.abort);
    e.br(this.#v.depth + 1).op(W.end);
  }

  get #stackWidth(): Width {
    return this.#v.native === 64 ? 8 : this.#mode & L.MODE_SS32 ? 4 : 2;
  }
  stackPointer(): Value {
    return this.reg(RSP, this.#stackWidth);
  }
  stackAdd(pointer: Value, bytes: Value): Value {
    return this.#v.add(this.#stackWidth, pointer, bytes);
  }
  setStackPointer(pointer: Value): void {
    this.setReg(RSP, this.#stackWidth, pointer);
  }
  loadStack(pointer: Value, w: Width): Value {
    return this.#loadHost(this.#translateIn(SEG_SS, pointer, w, false, true), w);
  }
  storeStack(pointer: Value, w: Width, value: Value): void {
    this.#storeHost(this.#translateIn(SEG_SS, pointer, w, true, true), w, value);
  }
  popToMemory(): void {
    throw new RangeError('translator: POP to memory is executed by TypeScript');
  }
}
