/** The part of the evaluator that reaches registers, memory and the stack. */
import { SEG_SS } from '@smm/x86-defs';
import { type Insn, K_IMM, K_MEM, K_REG, REG_NONE, REG_RIP } from '../insn.ts';
import * as L from '../layout.ts';
import type { Processor } from '../processor.ts';
import type { Operands, Width } from '../semantics/builder.ts';
import { operandAddress, segmentedAddress } from '../system/operands.ts';
import { storeTable } from '../system/system-registers.ts';
import { MASK } from './eval-values.ts';

const RSP = 4;

/** Operands of one processor's instructions, one at a time. */
export class EvalOperands implements Operands<bigint> {
  readonly cpu: Processor;
  insn!: Insn;
  #displacement = 0n;
  /** Linear address of the memory operand once translated for writing, else undefined. */
  #linear: number | undefined;

  constructor(cpu: Processor) {
    this.cpu = cpu;
  }

  /** Starts an instruction; RIP is on the next one. */
  begin(insn: Insn): void {
    this.insn = insn;
    this.#displacement = 0n;
    this.#linear = undefined;
  }

  /** CPL is 3. */
  get user(): boolean {
    return (this.cpu.state.mode & L.MODE_USER) !== 0;
  }

  /** Bytes of operand `n`. */
  size(n: number): Width {
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
    if (i.base === REG_RIP) ea += this.cpu.state.rip;
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
    const w = this.size(n);
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
    const w = this.size(n);
    this.#linear = this.address(w, true);
    this.cpu.memory.probeWrite(this.#linear, w, this.user);
    return this.load(this.#linear, w);
  }
  write(n: number, value: bigint): void {
    const w = this.size(n);
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

  storeTable(limitAt: number, baseAt: number): void {
    storeTable(this.cpu, this.insn, limitAt, baseAt);
  }
}
