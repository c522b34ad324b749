/**
 * What an instruction's meaning is written against. One description, many back ends: the evaluator runs it, the wasm
 * tier compiles it.
 */

import type { Conversion, FloatOp, FloatWidth } from './float-ops.ts';
import type { VectorOp, VectorShift } from './vector-ops.ts';

/** Operand or operation width in bytes. */
export type Width = 1 | 2 | 4 | 8;

/**
 * A back end. `V` is a value of up to 64 bit, always zero-extended from its width, or a vector of 128 bit; `C` is a
 * truth value. A back end may generate code, so a description never branches on values in JavaScript: it uses
 * {@link Builder.if_} and {@link Values.select}. Rule of precision: everything that may fault (reads,
 * {@link Operands.readForWrite}, the first write to memory, {@link Builder.faultIf}, the checks) comes before the first
 * change of a register or flag.
 */
export interface Builder<V, C> {
  /** Arithmetic and truths. */
  readonly values: Values<V, C>;
  /** Registers, memory and the stack. */
  readonly operands: Operands<V>;
  /** Status flags and conditions. */
  readonly flags: Flags<V, C>;
  /** What works on vector registers. */
  readonly vectors: Vectors<V>;
  /** SSE floating point. */
  readonly floats: Floats<V>;

  /** Runs `body` if `c`. No value made inside may be used outside. */
  if_(c: C, body: () => void): void;
  /** Raises a fault without error code. */
  faultIf(c: C, vector: number): void;
  /** RIP of the next instruction. */
  nextRip(): V;
  /** Faults if the relative target is outside the code segment or not canonical (only if `when`). */
  checkRelative(when?: C): void;
  /** Faults if an indirect target is outside the code segment or not canonical. */
  checkTarget(rip: V): void;
  /** Jumps to the relative target, checked before. */
  jumpRelative(): void;
  /** Jumps to the relative target if `c`, checked before. */
  jumpRelativeIf(c: C): void;
  /** Jumps to a checked RIP. */
  jumpTo(rip: V): void;
  /** 64-bit DIV or IDIV of RDX:RAX by a value: a helper shared by all back ends. */
  divideWide(signed: boolean): void;
}

/** The part of a back end that computes. */
export interface Values<V, C> {
  /** A value known when the code is made; up to 64 bit, two's complement. */
  const(value: bigint): V;
  /** a + b, truncated to the width. */
  add(w: Width, a: V, b: V): V;
  /** a - b, truncated to the width. */
  sub(w: Width, a: V, b: V): V;
  /** Low half of a * b. */
  mul(w: Width, a: V, b: V): V;
  /** High half of the double-width product. */
  mulHigh(w: Width, signed: boolean, a: V, b: V): V;
  /** Bitwise and. */
  and(a: V, b: V): V;
  /** Bitwise or. */
  or(a: V, b: V): V;
  /** Bitwise exclusive or. */
  xor(a: V, b: V): V;
  /** a << count, truncated; count below 64. */
  shl(w: Width, a: V, count: V): V;
  /** a >> count, zeros in; count below 64. */
  shr(w: Width, a: V, count: V): V;
  /** a >> count, sign of the width in; count below 64. */
  sar(w: Width, a: V, count: V): V;
  /** Unsigned 64-bit quotient; the divisor is not 0. */
  divU(a: V, b: V): V;
  /** Unsigned 64-bit remainder; the divisor is not 0. */
  remU(a: V, b: V): V;
  /** Signed 64-bit quotient; neither by 0 nor -2^63 by -1. */
  divS(a: V, b: V): V;
  /** Signed 64-bit remainder; the divisor is not 0. */
  remS(a: V, b: V): V;
  /** Sign-extends from one width to another. */
  signExtend(from: Width, to: Width, a: V): V;
  /** Keeps the low bytes. */
  truncate(w: Width, a: V): V;
  /** Leading zeros of a 64-bit value (64 for 0). */
  countLeadingZeros(a: V): V;
  /** Trailing zeros of a 64-bit value (64 for 0). */
  countTrailingZeros(a: V): V;
  /** a = b. */
  equal(a: V, b: V): C;
  /** a < b, unsigned. */
  below(a: V, b: V): C;
  /** a < b as signed 64-bit values. */
  less(a: V, b: V): C;
  /** a and b, both computed. */
  both(a: C, b: C): C;
  /** a or b, both computed. */
  either(a: C, b: C): C;
  /** True where c is false. */
  not(c: C): C;
  /** 1 or 0. */
  toValue(c: C): V;
  /** c ? a : b, both computed. */
  select(c: C, a: V, b: V): V;
}

/** The part of a back end that reaches registers, memory and the stack, as the instruction's operands or by name. */
export interface Operands<V> {
  /** Operand `n` at its own width; immediates at the instruction's operand size. May fault on memory. */
  read(n: number): V;
  /**
   * As {@link read}, for a destination: memory is checked for writing first, so that a later {@link write} cannot
   * fault.
   */
  readForWrite(n: number): V;
  /**
   * Writes operand `n`. A 32-bit register write clears the upper half. Memory not read by {@link readForWrite} may
   * fault.
   */
  write(n: number, value: V): void;
  /** Moves the memory operand by a signed byte distance, before it is accessed (BT with a register offset). */
  displace(bytes: V): void;
  /** Offset part of the memory operand, at address size (LEA). */
  effectiveAddress(): V;
  /** General register by number and width (never a high-byte one). */
  reg(register: number, width: Width): V;
  /** Writes a general register by number. */
  setReg(register: number, width: Width, value: V): void;
  /** Stack pointer at stack-address size. */
  stackPointer(): V;
  /** Stack pointer plus a (two's complement) distance, wrapped at stack-address size. */
  stackAdd(pointer: V, bytes: V): V;
  /** Writes SP, ESP or RSP by stack-address size. */
  setStackPointer(pointer: V): void;
  /** Reads the stack. */
  loadStack(pointer: V, w: Width): V;
  /** Writes the stack. */
  storeStack(pointer: V, w: Width, value: V): void;
  /** POP to memory: the address is computed with the new stack pointer, which is taken back if the write faults. */
  popToMemory(pointer: V, value: V): void;
  /**
   * SGDT and SIDT: limit and base, from fields of the state page, to the memory operand, all or nothing. #GP(0) as
   * CR4.UMIP wants it.
   */
  storeTable(limitAt: number, baseAt: number): void;
  /** The immediate byte, zero-extended. */
  immediateByte(): V;
}

/** The part of a back end that sets and reads status flags. */
export interface Flags<V, C> {
  /** Status flags of a result, lazily: kind is CC_ADD, CC_SUB or CC_LOGIC. */
  set(kind: number, w: Width, result: V, source: V): void;
  /** As {@link set} for ADC and SBB: `carry` is 1 or 0. */
  setWithCarry(kind: number, w: Width, result: V, source: V, carry: V): void;
  /** CC_INC or CC_DEC: CF stays. */
  setKeepCarry(kind: number, w: Width, result: V): void;
  /** ZF, SF and PF from the result; CF, OF and AF as given in RFLAGS positions. */
  setGiven(w: Width, result: V, bits: V): void;
  /** Flags of the signed product x * y: ZF, SF and PF from its low half; CF = OF = it does not fit in there; AF = 0. */
  setProduct(w: Width, low: V, x: V, y: V): void;
  /** The six status flags in RFLAGS positions. */
  status(): V;
  /** Replaces the RFLAGS bits in `mask` (status flags or others) by `bits`. */
  change(mask: number, bits: V): void;
  /** CF as 1 or 0. */
  carry(): V;
  /** Condition code 0..15 of the instruction. */
  condition(): C;
}

/** The part of a back end that moves and computes vectors of 128 bit. */
export interface Vectors<V> {
  /** #UD, #NM and (with MMX registers) #MF as the instruction raises them. Before anything else. */
  check(): void;
  /**
   * Operand `n`: an XMM register, an MMX register with zeros above it, memory with zeros above it. `aligned` (the
   * default): #GP unless the address of 16 bytes is a multiple of 16.
   */
  read(n: number, aligned?: boolean): V;
  /**
   * Writes operand `n`, an XMM register, 16 bytes of memory, or an MMX register, which gets the low half and does
   * {@link enterMmx}; nothing of the instruction comes after it.
   */
  write(n: number, value: V, aligned?: boolean): void;
  /**
   * Where operand 1 is an MMX register: the x87 registers become MMX's, all in use and none on top of another. Last,
   * in a description that does not write an MMX register.
   */
  enterMmx(): void;
  /** Vector of an operation on two. */
  apply(op: VectorOp, a: V, b: V): V;
  /** All lanes shifted by a 64-bit count. */
  shiftLanes(op: VectorShift, a: V, count: V): V;
  /** Shifts a whole vector by a number of bytes below 256. */
  shiftBytes(a: V, count: V, left: boolean): V;
  /** Doublewords by two-bit fields of `order`: the lower two from `a`, the others from `b`. */
  shuffle32(a: V, b: V, order: V): V;
  /** Words of one half by two-bit fields of `order`; the other half as it is. */
  shuffle16(a: V, high: boolean, order: V): V;
  /** Highest bits of the lanes. */
  moveMask(w: 1 | FloatWidth, a: V): V;
  /** Lane `n` of 2, 4 or 8 bytes. */
  lane(w: Width, n: number, a: V): V;
  /** Vector of a value, zeros above it. */
  of(value: V): V;
  /** Vector `a` with its low `w` bytes from `low`. */
  withLow(w: FloatWidth, a: V, low: V): V;
}

/**
 * The part of a back end that computes in floating point as MXCSR says. What may raise an exception comes after all
 * that may fault otherwise, once in a description, and before the first change: #XM leaves nothing but MXCSR's flags.
 */
export interface Floats<V> {
  /** An operation in the lanes of two vectors. */
  compute(op: FloatOp, a: V, b: V): V;
  /** CMPPS and kin: lanes all ones where predicate 0 to 7 holds; lanes that are not compared are those of `a`. */
  compare(width: FloatWidth, packed: boolean, predicate: V, a: V, b: V): V;
  /** The lowest lanes compared: ZF, PF and CF as RFLAGS has them. `quiet`: only signaling NaNs are invalid. */
  order(width: FloatWidth, quiet: boolean, a: V, b: V): V;
  /** A vector converted. */
  convert(conversion: Conversion, a: V): V;
  /** Vector of a signed integer of `from` bytes in floating point, zeros above it. */
  fromInteger(width: FloatWidth, from: 4 | 8, value: V): V;
  /** The lowest lane as a signed integer of `to` bytes. */
  toInteger(width: FloatWidth, to: 4 | 8, truncate: boolean, a: V): V;
  /** MXCSR. */
  control(): V;
  /** Writes MXCSR; #GP(0) for bits that do not exist. */
  setControl(value: V): void;
}
