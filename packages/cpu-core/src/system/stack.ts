/** Pushes and pops on the current or on another stack, with nothing committed until the caller says so. */
import { SEG_ATTR_DB, SEG_SS, SS_VECTOR } from '@smm/x86-defs';
import type { Processor } from '../processor.ts';
import { isCanonicalRange, isUser, legacyAddress, withinLimit } from './operands.ts';

/** ESP, RSP or SP number in the GPR file. */
const RSP = 4;

/** A stack segment that is not in SS yet. */
interface StackSegment {
  readonly base: number;
  readonly limit: number;
  readonly attributes: number;
  readonly selector: number;
}

/** A stack being worked on: the pointer is private until {@link Stack.commit}. */
export class Stack {
  readonly #cpu: Processor;
  readonly #width: 2 | 4 | 8;
  /**
   * 64-bit stacks: signed, exact where canonical, and nothing is accessed where not. Others: ESP, unsigned, whatever
   * the width.
   */
  #pointer: number;
  readonly #user: boolean;
  readonly #other: StackSegment | undefined;

  private constructor(
    cpu: Processor,
    width: 2 | 4 | 8,
    pointer: number,
    user: boolean,
    other: StackSegment | undefined,
  ) {
    this.#cpu = cpu;
    this.#width = width;
    this.#pointer = pointer;
    this.#user = user;
    this.#other = other;
  }

  /** The stack in SS:RSP, with its own address size. */
  static current(cpu: Processor): Stack {
    return Stack.at(cpu, RSP);
  }

  /** The stack segment with a general register as pointer, as wide as the stack. */
  static at(cpu: Processor, register: number): Stack {
    const s = cpu.state;
    if (cpu.code64) return new Stack(cpu, 8, s.getSigned(register * 8), isUser(cpu), undefined);
    const width = s.segAttr(SEG_SS) & SEG_ATTR_DB ? 4 : 2;
    return new Stack(cpu, width, s.gpr32(register), isUser(cpu), undefined);
  }

  /** A 64-bit stack by address, signed (interrupts in long mode). */
  static long(cpu: Processor, pointer: number, user: boolean): Stack {
    return new Stack(cpu, 8, pointer, user, undefined);
  }

  /** A stack in another segment, for a change of privilege outside 64-bit mode. `user` is for its new privilege. */
  static inSegment(cpu: Processor, pointer: number, segment: StackSegment, user: boolean): Stack {
    return new Stack(cpu, segment.attributes & SEG_ATTR_DB ? 4 : 2, pointer, user, segment);
  }

  /** The pointer as it stands, not cut to the address size; exact once the stack was accessed. */
  get pointer(): bigint {
    return BigInt.asUintN(64, BigInt(this.#pointer));
  }

  #advance(bytes: number): void {
    const moved = this.#pointer + bytes;
    if (this.#width === 8) this.#pointer = moved;
    else if (this.#width === 4) this.#pointer = moved >>> 0;
    else this.#pointer = ((this.#pointer & 0xffff_0000) | (moved & 0xffff)) >>> 0;
  }

  #linear(size: number, write: boolean): number {
    const pointer = this.#pointer;
    if (this.#width === 8) {
      if (!isCanonicalRange(pointer, size)) this.#cpu.fault(SS_VECTOR, 0);
      return pointer;
    }
    const offset = this.#width === 4 ? pointer : pointer & 0xffff;
    const other = this.#other;
    if (!other) return legacyAddress(this.#cpu, SEG_SS, offset, size, write);
    if (!withinLimit(other.attributes, other.limit, offset, size)) {
      this.#cpu.fault(SS_VECTOR, other.selector & 0xfffc);
    }
    return (other.base + offset) >>> 0;
  }

  /** Pushes 2, 4 or 8 bytes of a number, unsigned, 32 bits at most. */
  push(value: number, size: number): void {
    this.#pushWords(value, 0, size);
  }

  /** Pushes 2, 4 or 8 bytes of a 64-bit field of the state page: RIP, or a general register. */
  pushField(offset: number, size: number): void {
    const s = this.#cpu.state;
    this.#pushWords(s.get32(offset), s.get32(offset + 4), size);
  }

  /** Pushes 2, 4 or 8 bytes of a 64-bit value. */
  push64(value: bigint, size: number): void {
    this.#pushWords(Number(value & 0xffff_ffffn), Number(value >> 32n), size);
  }

  #pushWords(low: number, high: number, size: number): void {
    this.#advance(-size);
    const linear = this.#linear(size, true);
    const { memory } = this.#cpu;
    if (size === 8) memory.storeWords(linear, low, high, this.#user);
    else memory.store(linear, size as 2 | 4, size === 2 ? low & 0xffff : low, this.#user);
  }

  /** Pops 2, 4 or 8 bytes and returns their low 32 bits: selectors, flags. */
  pop(size: number): number {
    const linear = this.#linear(size, false);
    const { memory } = this.#cpu;
    this.#advance(size);
    if (size !== 8) return memory.load(linear, size as 2 | 4, this.#user);
    memory.loadWords(linear, this.#user);
    return memory.low;
  }

  /**
   * Pops 2, 4 or 8 bytes; the former as an unsigned number, 8 as a signed one that is exact where canonical:
   * instruction pointers.
   */
  popOffset(size: number): number {
    const low = this.pop(size);
    return size === 8 ? (this.#cpu.memory.high | 0) * 0x1_0000_0000 + low : low;
  }

  /** Pops 2, 4 or 8 bytes, exact. */
  pop64(size: number): bigint {
    const linear = this.#linear(size, false);
    const { memory } = this.#cpu;
    const value =
      size === 8 ? memory.load64(linear, this.#user) : BigInt(memory.load(linear, size as 2 | 4, this.#user));
    this.#advance(size);
    return value;
  }

  /** Moves down, then reads: for frames that are walked towards lower addresses (ENTER). */
  readBelow(size: number): bigint {
    this.#advance(-size);
    const value = this.pop64(size);
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
    if (this.#width === 8) s.setNumber(RSP * 8, this.#pointer);
    else if (this.#width === 4) s.setGpr32(RSP, this.#pointer);
    else s.setGpr16(RSP, this.#pointer & 0xffff);
  }
}
