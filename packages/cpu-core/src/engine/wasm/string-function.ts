/**
 * MOVS, STOS, CMPS and SCAS, with or without REP, where all is plain: operands in flat segments and each within one
 * page that is in the TLB, upwards, all iterations within the budget, no copy onto what is still to be read. The rest
 * is `system/strings.ts`'s.
 */
import { RFLAGS_DF, SEG_DS, SEG_ES, SEG_SS } from '@smm/x86-defs';
import { type Insn, REP_F2, REP_NONE } from '../../insn.ts';
import * as L from '../../layout.ts';
import { OP } from '../../ops.ts';
import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_READ_TAG, TLB_WRITE_TAG } from '../tlb.ts';
import { Emitter, I32, I64, S, V128, VOID, W } from './emitter.ts';
import type { Body, Signature } from './module.ts';

const [RAX, RCX, RSI, RDI] = [0, 1, 6, 7];
/* Shape of an instruction: logarithm of the element size in the low two bits, then these. */
const SHAPE_REP = 4;
const SHAPE_WIDE = 8;
/** REPNE. */
const SHAPE_UNTIL_EQUAL = 16;
/** MOVS, CMPS: RSI points to memory. */
const SHAPE_READS = 32;
/** CMPS, SCAS. */
const SHAPE_COMPARES = 64;
/** Operations, and what their shapes have in common. */
const OPERATIONS: ReadonlyMap<number, number> = new Map([
  [OP.MOVS, SHAPE_READS],
  [OP.STOS, 0],
  [OP.CMPS, SHAPE_READS | SHAPE_COMPARES],
  [OP.SCAS, SHAPE_COMPARES],
]);
/** All shapes. */
export const STRING_SHAPES: readonly number[] = [...OPERATIONS.values()].flatMap((of) =>
  Array.from({ length: SHAPE_READS }, (_, shape) => of | shape),
);
/** Iterations at a time are less than this many, so that 32 bits hold what is computed of them. */
const MOST = 0x1000;
/** Up to so many bytes a loop beats a call of the host's copy. */
const SHORT = 16;

/** General registers, as a mask, that the function may read or write in the state page. */
export const STRING_REGISTERS: number = (1 << RAX) | (1 << RCX) | (1 << RSI) | (1 << RDI);

/** What the function has to know of an instruction; undefined if it cannot execute such a one. */
export function stringShape({ op, size, addressSize, segment, rep }: Insn): number | undefined {
  const of = OPERATIONS.get(op);
  if (of === undefined || addressSize === 2) return undefined;
  if (of & SHAPE_READS && segment !== SEG_DS && segment !== SEG_ES && segment !== SEG_SS) return undefined;
  return (
    of |
    Math.log2(size) |
    (rep === REP_NONE ? 0 : SHAPE_REP) |
    (rep === REP_F2 ? SHAPE_UNTIL_EQUAL : 0) |
    (addressSize === 8 ? SHAPE_WIDE : 0)
  );
}

/**
 * Type of the function: (state, shape) -> 1 if it has executed the instruction, whose own budget was taken before; else
 * nothing has changed.
 */
export const STRING: Signature = { params: [I32, I32], results: [I32] };

const [STATE, SHAPE] = [0, 1] as const;
const [BYTES, ENTRY, TO, FROM, AT] = [2, 3, 4, 5, 6] as const;
const [LINEAR, COUNT, PATTERN, LEFT, RIGHT] = [7, 8, 9, 10, 11] as const;
/** Bits of a 64-bit word beside an element. */
const SHIFT = 12;
const VECTOR = 13;

/** Code that gives up: nothing may have changed. */
function refuse(e: Emitter): void {
  e.op(W.if, VOID).i32(0).op(W.return, W.end);
}

/** Pushes whether a shape has a bit. */
function has(e: Emitter, bit: number): Emitter {
  return e.get(SHAPE).i32(bit).op(W.i32_and);
}

/** The function. */
export function stringFunction(): Body {
  const e = new Emitter();
  check(e);
  count(e);
  e.i64(64n).i64(8n).get(SHAPE).i32(3).op(W.i32_and, W.i64_extend_i32_u, W.i64_shl, W.i64_sub).set(SHIFT);
  has(e, SHAPE_COMPARES).op(W.if, VOID);
  locate(e, RDI, TLB_READ_TAG, TO);
  has(e, SHAPE_READS).op(W.if, VOID);
  locate(e, RSI, TLB_READ_TAG, FROM);
  e.op(W.else);
  e.get(STATE)
    .mem(W.i64_load, L.ST_GPR + RAX * 8)
    .get(SHIFT)
    .op(W.i64_shl)
    .set(LEFT);
  e.op(W.end);
  compare(e);
  e.op(W.else);
  locate(e, RDI, TLB_WRITE_TAG, TO);
  has(e, SHAPE_READS).op(W.if, VOID);
  locate(e, RSI, TLB_READ_TAG, FROM);
  e.get(TO).get(FROM).op(W.i32_ne);
  e.get(TO).get(FROM).op(W.i32_sub).get(BYTES).op(W.i32_lt_u, W.i32_and);
  refuse(e);
  copy(e);
  e.op(W.else);
  fill(e);
  e.op(W.end, W.end);
  has(e, SHAPE_READS).op(W.if, VOID);
  advance(e, RSI);
  e.op(W.end);
  advance(e, RDI);
  has(e, SHAPE_REP).op(W.if, VOID);
  e.get(STATE);
  pushRegister(e, RCX);
  e.get(COUNT)
    .op(W.i64_sub)
    .mem(W.i64_store, L.ST_GPR + RCX * 8);
  e.get(STATE).get(STATE).mem(W.i32_load, L.ST_BUDGET);
  e.get(COUNT).op(W.i32_wrap_i64, W.i32_sub).i32(1).op(W.i32_add).mem(W.i32_store, L.ST_BUDGET);
  e.op(W.end).i32(1);
  return {
    signature: STRING,
    locals: [
      [5, I32],
      [6, I64],
      [1, V128],
    ] as const,
    code: e.bytes,
  };
}

/** Segments with base 0 and no limit: 64-bit code, or flat 32-bit code without upper halves. Upwards. */
function check(e: Emitter): void {
  e.get(STATE).mem(W.i32_load, L.ST_EFLAGS).i32(RFLAGS_DF).op(W.i32_and);
  refuse(e);
  e.get(STATE)
    .mem(W.i32_load, L.ST_MODE)
    .i32(L.MODE_CODE_MASK | L.MODE_FLAT_DATA | L.MODE_WIDE)
    .op(W.i32_and);
  e.i32(2 | L.MODE_FLAT_DATA).i32(1 | L.MODE_FLAT_DATA);
  has(e, SHAPE_WIDE).op(W.select, W.i32_ne);
  refuse(e);
}

/** COUNT and BYTES: of all iterations, which the budget must reach to. None at all: done. */
function count(e: Emitter): void {
  e.i64(1n).set(COUNT);
  has(e, SHAPE_REP).op(W.if, VOID);
  pushRegister(e, RCX);
  e.tee(COUNT).op(W.i64_eqz, W.if, VOID).i32(1).op(W.return, W.end);
  e.get(COUNT).i64(BigInt(MOST)).op(W.i64_gt_u);
  // The last one is the instruction itself, which is paid for.
  e.get(COUNT).i64(1n).op(W.i64_sub).get(STATE).mem(W.i64_load32_s, L.ST_BUDGET).op(W.i64_gt_s, W.i32_or);
  refuse(e);
  e.op(W.end);
  e.get(COUNT).op(W.i32_wrap_i64).get(SHAPE).i32(3).op(W.i32_and, W.i32_shl).set(BYTES);
}

/** Pushes a register at address size, zero-extended. */
function pushRegister(e: Emitter, register: number): void {
  const at = L.ST_GPR + register * 8;
  e.get(STATE).mem(W.i64_load, at).get(STATE).mem(W.i64_load32_u, at);
  has(e, SHAPE_WIDE).op(W.select);
}

/** A register moves on behind the bytes; at 32 bits the upper half becomes 0. */
function advance(e: Emitter, register: number): void {
  pushRegister(e, register);
  e.get(BYTES).op(W.i64_extend_i32_u, W.i64_add).set(LINEAR);
  e.get(STATE).get(LINEAR).get(LINEAR).i64(0xffff_ffffn).op(W.i64_and);
  has(e, SHAPE_WIDE).op(W.select);
  e.mem(W.i64_store, L.ST_GPR + register * 8);
}

/**
 * Sets `host` to the host offset of the bytes that a register points to; refuses unless they are on one page with that
 * tag.
 */
function locate(e: Emitter, register: number, tag: number, host: number): void {
  pushRegister(e, register);
  e.tee(LINEAR).op(W.i32_wrap_i64).i32(0xfff).op(W.i32_and).get(BYTES).op(W.i32_add);
  e.i32(0x1000).op(W.i32_gt_u);
  refuse(e);
  e.get(LINEAR).op(W.i32_wrap_i64).i32(7).op(W.i32_shr_u);
  e.i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).op(W.i32_and);
  e.get(STATE).mem(W.i32_load, L.ST_TLB).op(W.i32_add).tee(ENTRY);
  e.mem(W.i64_load, tag).get(LINEAR).i64(~0xfffn).op(W.i64_and, W.i64_ne);
  refuse(e);
  e.get(LINEAR).op(W.i32_wrap_i64).get(ENTRY).mem(W.i32_load, TLB_ADDEND).op(W.i32_add).set(host);
}

/** From FROM to TO; where they overlap TO is lower, so that single moves would do the same. */
function copy(e: Emitter): void {
  e.get(BYTES).i32(SHORT).op(W.i32_le_u, W.if, VOID).i32(0).set(AT).op(W.loop, VOID);
  e.get(TO).get(AT).op(W.i32_add);
  e.get(FROM).get(AT).op(W.i32_add).mem(W.i32_load8_u, 0).mem(W.i32_store8, 0);
  step(e, 1);
  e.op(W.i32_lt_u).brIf(0).op(W.end);
  e.op(W.else).get(TO).get(FROM).get(BYTES).memoryCopy().op(W.end);
}

/** The low bytes of RAX, again and again. */
function fill(e: Emitter): void {
  // The element is repeated to 64 bits: multiplied by the sum of its places.
  e.get(STATE)
    .mem(W.i64_load, L.ST_GPR + RAX * 8)
    .get(SHIFT)
    .op(W.i64_shl)
    .get(SHIFT)
    .op(W.i64_shr_u);
  e.i64(1n);
  for (const [log, places] of [
    [0, 0x0101_0101_0101_0101n],
    [1, 0x0001_0001_0001_0001n],
    [2, 0x0000_0001_0000_0001n],
  ] as const)
    e.i64(places).i64(0n).get(SHAPE).i32(3).op(W.i32_and).i32(log).op(W.i32_eq, W.select, W.i64_or);
  e.op(W.i64_mul).set(PATTERN);
  e.get(BYTES).i32(SHORT).op(W.i32_lt_u, W.if, VOID).i32(0).set(AT).op(W.loop, VOID);
  e.get(TO).get(AT).op(W.i32_add).get(PATTERN).mem(W.i64_store8, 0);
  e.get(PATTERN).i64(8n).op(W.i64_rotr).set(PATTERN);
  step(e, 1);
  e.op(W.i32_lt_u).brIf(0).op(W.end);
  e.op(W.else);
  e.get(PATTERN).simd(S.i64x2_splat).set(VECTOR).i32(0).set(AT).op(W.loop, VOID);
  e.get(TO).get(AT).op(W.i32_add).get(VECTOR).simdMem(S.v128_store, 0);
  step(e, 16);
  e.i32(16).op(W.i32_sub, W.i32_le_u).brIf(0).op(W.end);
  // What is left over ends with the pattern's end, for the bytes are a multiple of the element.
  e.get(TO).get(BYTES).op(W.i32_add).i32(16).op(W.i32_sub).get(VECTOR).simdMem(S.v128_store, 0);
  e.op(W.end);
}

/** AT moves on; it and BYTES are pushed. */
function step(e: Emitter, by: number): void {
  e.get(AT).i32(by).op(W.i32_add).tee(AT).get(BYTES);
}

/**
 * Compares elements from FROM (or LEFT, for SCAS) and TO until the prefix says stop, and leaves the flags of the last
 * comparison. BYTES and COUNT become those of the iterations done.
 */
function compare(e: Emitter): void {
  // Elements are read with the bytes before them, so as to be at the top of 64 bits, where lazy flags want them.
  e.get(TO).i32(8).op(W.i32_lt_u).get(FROM).i32(8).op(W.i32_lt_u);
  has(e, SHAPE_READS).op(W.i32_eqz, W.i32_eqz, W.i32_and, W.i32_or);
  refuse(e);
  const element = (from: number, into: number): void => {
    e.get(from).get(AT).op(W.i32_add);
    e.i32(1).get(SHAPE).i32(3).op(W.i32_and, W.i32_shl, W.i32_add).i32(8).op(W.i32_sub).mem(W.i64_load, 0);
    e.get(SHIFT).op(W.i64_shr_u).get(SHIFT).op(W.i64_shl).set(into);
  };
  e.i32(0).set(AT);
  passOver(e);
  e.op(W.block, VOID, W.loop, VOID);
  has(e, SHAPE_READS).op(W.if, VOID);
  element(FROM, LEFT);
  e.op(W.end);
  element(TO, RIGHT);
  e.get(AT)
    .i32(1)
    .get(SHAPE)
    .i32(3)
    .op(W.i32_and, W.i32_shl, W.i32_add)
    .tee(AT)
    .get(BYTES)
    .op(W.i32_eq)
    .brIf(1);
  e.get(LEFT).get(RIGHT).op(W.i64_eq);
  has(e, SHAPE_UNTIL_EQUAL).op(W.i32_eqz, W.i32_eqz, W.i32_ne).brIf(0);
  e.op(W.end, W.end);
  e.get(AT).tee(BYTES).get(SHAPE).i32(3).op(W.i32_and, W.i32_shr_u, W.i64_extend_i32_u).set(COUNT);
  e.get(STATE).get(LEFT).get(RIGHT).op(W.i64_sub).mem(W.i64_store, L.ST_CC_RES);
  e.get(STATE).get(RIGHT).mem(W.i64_store, L.ST_CC_SRC);
  e.get(STATE).get(SHAPE).i32(3).op(W.i32_and).i32(8).op(W.i32_shl).i32(L.CC_SUB).op(W.i32_or);
  e.mem(W.i32_store, L.ST_CC_OP);
}

/** Moves AT on by 16 bytes while more follow and none of them is a reason to stop: REPE CMPS, REPNE SCASB. */
function passOver(e: Emitter): void {
  e.op(W.block, VOID);
  e.get(SHAPE)
    .i32(SHAPE_REP | SHAPE_UNTIL_EQUAL | SHAPE_READS)
    .op(W.i32_and)
    .i32(SHAPE_REP | SHAPE_READS)
    .op(W.i32_ne);
  e.get(SHAPE)
    .i32(SHAPE_REP | SHAPE_UNTIL_EQUAL | SHAPE_READS | 3)
    .op(W.i32_and)
    .i32(SHAPE_REP | SHAPE_UNTIL_EQUAL)
    .op(W.i32_ne, W.i32_and)
    .brIf(0);
  e.get(LEFT).i64(56n).op(W.i64_shr_u, W.i32_wrap_i64).simd(S.i8x16_splat).set(VECTOR);
  e.op(W.loop, VOID);
  e.get(AT).i32(16).op(W.i32_add).get(BYTES).op(W.i32_ge_u).brIf(1);
  const load = (at: number): Emitter => e.get(at).get(AT).op(W.i32_add).simdMem(S.v128_load, 0);
  has(e, SHAPE_READS).op(W.if, I32);
  load(FROM);
  load(TO).simd(S.v128_xor, S.v128_any_true).op(W.else);
  load(TO).get(VECTOR).simd(S.i8x16_eq, S.v128_any_true).op(W.end);
  e.brIf(1);
  e.get(AT).i32(16).op(W.i32_add).set(AT).br(0);
  e.op(W.end, W.end);
}
