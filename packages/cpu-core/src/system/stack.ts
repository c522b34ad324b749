/** Pushes and pops on the current or on another stack, with nothing committed until the caller says so. */
import { SEG_ATTR_DB, SEG_SS, SS_VECTOR } from '@smm/x86-defs';
import type { Processor } from '../processor.ts';
import { isUser, legacyAddress, longAddress, withinLimit } from './operands.ts';

/** ESP, RSP or SP number in the GPR file. */
const RSP = 4;

/** A stack being worked on: the pointer is private until {@link Stack.commit}. */
export class Stack {
  readonly #cpu: Processor;
  readonly #width: 2 | 4 | 8;
  #pointer: bigint;
  readonly #user: boolean;
  readonly #other: { base: number; limit: number; attributes: number; selector: number } | undefined;

  private constructor(
    cpu: Processor,
    width: 2 | 4 | 8,
    pointer: bigint,
    user: boolean,
    other?: { base: number; limit: number; attributes: number; selector: number },
  ) {
    this.#cpu = cpu;
    this.#width = width;
    this.#pointer = pointer;
    this.#user = user;
    this.#other = other;
  }

  /** The stack in SS:RSP, with its own address size. */
  static current(cpu: Processor): Stack {
    const s = cpu.state;
    const width = cpu.code64 ? 8 : s.segAttr(SEG_SS) & SEG_ATTR_DB ? 4 : 2;
    return new Stack(cpu, width, s.gpr64(RSP), isUser(cpu));
  }

  /** The stack segment with another pointer than RSP, as wide as the stack. */
  static at(cpu: Processor, pointer: bigint): Stack {
    const stack = Stack.current(cpu);
    stack.#pointer = pointer;
    return stack;
  }

  /** A 64-bit stack by address (interrupts in long mode). */
  static long(cpu: Processor, pointer: bigint, user: boolean): Stack {
    return new Stack(cpu, 8, pointer, user);
  }

  /** A stack in another segment, for a change of privilege outside 64-bit mode. `user` is for its new privilege. */
  static inSegment(
    cpu: Processor,
    pointer: number,
    segment: { base: number; limit: number; attributes: number; selector: number },
    user: boolean,
  ): Stack {
    return new Stack(cpu, segment.attributes & SEG_ATTR_DB ? 4 : 2, BigInt(pointer), user, segment);
  }

  /** The pointer as it stands, not cut to the address size. */
  get pointer(): bigint {
    return this.#pointer;
  }

  #advance(bytes: number): void {
    const bits = this.#width * 8;
    const moved = BigInt.asUintN(bits, this.#pointer + BigInt(bytes));
    this.#pointer = (this.#pointer & ~((1n << BigInt(bits)) - 1n)) | moved;
  }

  #linear(size: number, write: boolean): number {
    const offset = BigInt.asUintN(this.#width * 8, this.#pointer);
    if (this.#width === 8) return longAddress(this.#cpu, SEG_SS, offset, size);
    const other = this.#other;
    if (!other) return legacyAddress(this.#cpu, SEG_SS, Number(offset), size, write);
    if (!withinLimit(other.attributes, other.limit, Number(offset), size)) {
      this.#cpu.fault(SS_VECTOR, other.selector & 0xfffc);
    }
    return (other.base + Number(offset)) >>> 0;
  }

  /** Pushes 2, 4 or 8 bytes. */
  push(value: bigint | number, size: number): void {
    this.#advance(-size);
    const linear = this.#linear(size, true);
    if (size === 8) this.#cpu.memory.store64(linear, BigInt.asUintN(64, BigInt(value)), this.#user);
    else {
      const low = Number(BigInt.asUintN(size * 8, BigInt(value)));
      this.#cpu.memory.store(linear, size as 2 | 4, low, this.#user);
    }
  }

  /** Pops 2, 4 or 8 bytes. */
  pop(size: number): bigint {
    const linear = this.#linear(size, false);
    const value =
      size === 8
        ? this.#cpu.memory.load64(linear, this.#user)
        : BigInt(this.#cpu.memory.load(linear, size as 2 | 4, this.#user));
    this.#advance(size);
    return value;
  }

  /** Moves down, then reads: for frames that are walked towards lower addresses (ENTER). */
  readBelow(size: number): bigint {
    this.#advance(-size);
    const value = this.pop(size);
    this.#advance(-size);
    return value;
  }

  /** Faults as a write at the pointer would. */
  probe(size: number): void {
    this.#cpu.memory.probeWrite(this.#linear(size, true), size, this.#user);
  }

  /** Skips `bytes` upwards (RET n). */
  release(bytes: number): void {
    this.#advance(bytes);
  }

  /** Writes the pointer to RSP, ESP or SP. */
  commit(): void {
    const s = this.#cpu.state;
    if (this.#width === 8) s.setGpr64(RSP, BigInt.asUintN(64, this.#pointer));
    else if (this.#width === 4) s.setGpr32(RSP, Number(BigInt.asUintN(32, this.#pointer)));
    else s.setGpr16(RSP, Number(this.#pointer & 0xffffn));
  }
}
