/**
 * The back end that runs a description at once, on BigInts. Slow and plain: for single steps, odd cases, debugging and
 * as an oracle.
 */
import { DE_VECTOR, GP_VECTOR, SEG_CS, SEG_SS } from '@smm/x86-defs';
import { type Insn, K_IMM, K_MEM, K_REG, REG_NONE, REG_RIP } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { Builder, Width } from '../semantics/builder.ts';
import { operandAddress, segmentedAddress } from '../system/operands.ts';
import { storeTable } from '../system/system-registers.ts';
import { isCanonical, relativeTarget } from './branch.ts';
import { EvalFlags } from './eval-flags.ts';
import { EvalVectors } from './eval-vectors.ts';

const RSP = 4;
const MASK: Readonly<Record<number, bigint>> = {
  1: 0xffn,
  2: 0xffffn,
  4: 0xffff_ffffn,
  8: 0xffff_ffff_ffff_ffffn,
};

/** Evaluates one instruction of one processor. */
export class EvalBuilder implements Builder<bigint, boolean> {
  readonly flags: EvalFlags = new EvalFlags(this);
  readonly vectors: EvalVectors = new EvalVectors(this);
  readonly cpu: Processor;
  insn!: Insn;
  #displacement = 0n;
  /** Linear address of the memory operand once translated for writing, else undefined. */
  #linear: number | undefined;

  constructor(cpu: Processor) {
    this.cpu = cpu;
  }

  /** Prepares for one instruction; RIP is on the next one. */
  begin(insn: Insn): void {
    this.insn = insn;
    this.#displacement = 0n;
    this.#linear = undefined;
  }

  /** RIP after the instruction, until it jumps. */
  get #next(): bigint {
    return this.cpu.state.rip;
  }

  /** CPL is 3. */
  get user(): boolean {
    return (this.cpu.state.mode & L.MODE_USER) !== 0;
  }

  #size(n: number): Width {
    const i = this.insn;
    return (n === 0 ? i.size0 : n === 1 ? i.size1 : i.size2) as Width;
  }
  /** Kind of operand `n`. */
  kind(n: number): number {
    const i = this.insn;
    return n === 0 ? i.kind0 : n === 1 ? i.kind1 : i.kind2;
  }
  /** Value of operand `n`, by kind. */
  value(n: number): number {
    const i = this.insn;
    return n === 0 ? i.val0 : n === 1 ? i.val1 : i.val2;
  }

  /** Reads up to 8 bytes at a linear address. */
  load(linear: number, w: Width): bigint {
    const { memory } = this.cpu;
    return w === 8 ? memory.load64(linear, this.user) : BigInt(memory.load(linear, w, this.user));
  }
  /** Writes up to 8 bytes at a linear address. */
  store(linear: number, w: Width, value: bigint): void {
    const { memory } = this.cpu;
    if (w === 8) memory.store64(linear, value, this.user);
    else memory.store(linear, w, Number(value), this.user);
  }

  effectiveAddress(): bigint {
    const i = this.insn;
    const { state } = this.cpu;
    let ea = (BigInt(i.dispHigh) << 32n) + BigInt(i.disp >>> 0) + this.#displacement;
    if (i.base === REG_RIP) ea += this.#next;
    else if (i.base !== REG_NONE) ea += state.gpr64(i.base);
    if (i.index !== REG_NONE) ea += state.gpr64(i.index) << BigInt(i.scale);
    return ea & MASK[i.addressSize]!;
  }

  /** Linear address of the memory operand. */
  address(w: number, write: boolean): number {
    if (this.#displacement === 0n) return operandAddress(this.cpu, this.insn, w, write);
    return segmentedAddress(this.cpu, this.insn.segment, this.effectiveAddress(), w, write);
  }

  #getRegister(byte: number, w: Width): bigint {
    const { state } = this.cpu;
    if (w === 1) return BigInt(state.gpr8(byte));
    const register = byte >>> 3;
    if (w === 2) return BigInt(state.gpr16(register));
    return w === 4 ? BigInt(state.gpr32(register)) : state.gpr64(register);
  }
  #setRegister(byte: number, w: Width, value: bigint): void {
    const { state } = this.cpu;
    const register = byte >>> 3;
    if (w === 1) state.setGpr8(byte, Number(value));
    else if (w === 2) state.setGpr16(register, Number(value));
    else if (w === 4) state.setGpr32(register, Number(value));
    else state.setGpr64(register, value);
  }

  read(n: number): bigint {
    const w = this.#size(n);
    switch (this.kind(n)) {
      case K_REG:
        return this.#getRegister(this.value(n), w);
      case K_MEM:
        return this.load(this.address(w, false), w);
      case K_IMM: {
        const i = this.insn;
        return ((BigInt(i.immHigh) << 32n) | BigInt(i.imm >>> 0)) & MASK[i.size]!;
      }
    }
    throw new RangeError(`evaluator: operand ${n} has kind ${this.kind(n)}`);
  }
  readForWrite(n: number): bigint {
    if (this.kind(n) !== K_MEM) return this.read(n);
    const w = this.#size(n);
    this.#linear = this.address(w, true);
    this.cpu.memory.probeWrite(this.#linear, w, this.user);
    return this.load(this.#linear, w);
  }
  write(n: number, value: bigint): void {
    const w = this.#size(n);
    if (this.kind(n) === K_REG) this.#setRegister(this.value(n), w, value);
    else this.store(this.#linear ?? this.address(w, true), w, value & MASK[w]!);
  }

  immediateByte(): bigint {
    return BigInt(this.insn.imm & 0xff);
  }

  displace(bytes: bigint): void {
    this.#displacement = bytes;
  }
  reg(register: number, w: Width): bigint {
    return this.#getRegister(register * 8, w);
  }
  setReg(register: number, w: Width, value: bigint): void {
    this.#setRegister(register * 8, w, value);
  }

  const(value: bigint): bigint {
    return BigInt.asUintN(64, value);
  }
  add(w: Width, a: bigint, b: bigint): bigint {
    return (a + b) & MASK[w]!;
  }
  sub(w: Width, a: bigint, b: bigint): bigint {
    return (a - b) & MASK[w]!;
  }
  mul(w: Width, a: bigint, b: bigint): bigint {
    return (a * b) & MASK[w]!;
  }
  mulHigh(w: Width, signed: boolean, a: bigint, b: bigint): bigint {
    const bits = w * 8;
    const product = signed ? BigInt.asIntN(bits, a) * BigInt.asIntN(bits, b) : a * b;
    return (product >> BigInt(bits)) & MASK[w]!;
  }
  and(a: bigint, b: bigint): bigint {
    return a & b;
  }
  or(a: bigint, b: bigint): bigint {
    return a | b;
  }
  xor(a: bigint, b: bigint): bigint {
    return a ^ b;
  }
  shl(w: Width, a: bigint, count: bigint): bigint {
    return (a << (count & 63n)) & MASK[w]!;
  }
  shr(_w: Width, a: bigint, count: bigint): bigint {
    return a >> (count & 63n);
  }
  sar(w: Width, a: bigint, count: bigint): bigint {
    return (BigInt.asIntN(w * 8, a) >> (count & 63n)) & MASK[w]!;
  }
  divU(a: bigint, b: bigint): bigint {
    return a / b;
  }
  remU(a: bigint, b: bigint): bigint {
    return a % b;
  }
  divS(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, BigInt.asIntN(64, a) / BigInt.asIntN(64, b));
  }
  remS(a: bigint, b: bigint): bigint {
    return BigInt.asUintN(64, BigInt.asIntN(64, a) % BigInt.asIntN(64, b));
  }
  signExtend(from: Width, to: Width, a: bigint): bigint {
    return BigInt.asIntN(from * 8, a) & MASK[to]!;
  }
  truncate(w: Width, a: bigint): bigint {
    return a & MASK[w]!;
  }
  countLeadingZeros(a: bigint): bigint {
    return a === 0n ? 64n : BigInt(64 - a.toString(2).length);
  }
  countTrailingZeros(a: bigint): bigint {
    return a === 0n ? 64n : BigInt((a & -a).toString(2).length - 1);
  }
  equal(a: bigint, b: bigint): boolean {
    return a === b;
  }
  below(a: bigint, b: bigint): boolean {
    return a < b;
  }
  less(a: bigint, b: bigint): boolean {
    return BigInt.asIntN(64, a) < BigInt.asIntN(64, b);
  }
  both(a: boolean, b: boolean): boolean {
    return a && b;
  }
  either(a: boolean, b: boolean): boolean {
    return a || b;
  }
  not(c: boolean): boolean {
    return !c;
  }
  toValue(c: boolean): bigint {
    return c ? 1n : 0n;
  }
  select(c: boolean, a: bigint, b: bigint): bigint {
    return c ? a : b;
  }
  if_(c: boolean, body: () => void): void {
    if (c) body();
  }

  faultIf(c: boolean, vector: number): void {
    if (c) this.cpu.fault(vector);
  }

  get #stackSize(): Width {
    const mode = this.cpu.state.mode;
    if ((mode & L.MODE_CODE_MASK) === 2) return 8;
    return mode & L.MODE_SS32 ? 4 : 2;
  }
  stackPointer(): bigint {
    return this.reg(RSP, this.#stackSize);
  }
  stackAdd(pointer: bigint, bytes: bigint): bigint {
    return (pointer + bytes) & MASK[this.#stackSize]!;
  }
  setStackPointer(pointer: bigint): void {
    this.setReg(RSP, this.#stackSize, pointer);
  }
  loadStack(pointer: bigint, w: Width): bigint {
    return this.load(segmentedAddress(this.cpu, SEG_SS, pointer, w, false), w);
  }
  storeStack(pointer: bigint, w: Width, value: bigint): void {
    this.store(segmentedAddress(this.cpu, SEG_SS, pointer, w, true), w, value & MASK[w]!);
  }
  popToMemory(pointer: bigint, value: bigint): void {
    const { state } = this.cpu;
    const before = state.gpr64(RSP);
    this.setStackPointer(pointer);
    try {
      this.write(0, value);
    } catch (error) {
      state.setGpr64(RSP, before);
      throw error;
    }
  }

  nextRip(): bigint {
    return this.#next;
  }
  checkRelative(when = true): void {
    if (when) this.checkTarget(relativeTarget(this.cpu, this.insn, this.#next));
  }
  checkTarget(rip: bigint): void {
    const { state } = this.cpu;
    const outside =
      (state.mode & L.MODE_CODE_MASK) === 2 ? !isCanonical(rip) : rip > BigInt(state.segLimit(SEG_CS));
    if (outside) this.cpu.fault(GP_VECTOR, 0);
  }
  jumpRelative(): void {
    this.cpu.state.rip = relativeTarget(this.cpu, this.insn, this.#next);
  }
  jumpRelativeIf(c: boolean): void {
    if (c) this.jumpRelative();
  }
  jumpTo(rip: bigint): void {
    this.cpu.state.rip = rip;
  }

  storeTable(limitAt: number, baseAt: number): void {
    storeTable(this.cpu, this.insn, limitAt, baseAt);
  }
  divideWide(signed: boolean): void {
    const divisor = this.read(0);
    if (divisor === 0n) this.cpu.fault(DE_VECTOR);
    const { state } = this.cpu;
    const dividend = (state.gpr64(2) << 64n) | state.gpr64(0);
    const n = signed ? BigInt.asIntN(128, dividend) : dividend;
    const d = signed ? BigInt.asIntN(64, divisor) : divisor;
    const quotient = n / d;
    if (quotient !== (signed ? BigInt.asIntN(64, quotient) : BigInt.asUintN(64, quotient))) {
      this.cpu.fault(DE_VECTOR);
    }
    state.setGpr64(0, BigInt.asUintN(64, quotient));
    state.setGpr64(2, BigInt.asUintN(64, n % d));
  }
}
