/**
 * MOVS and STOS, with or without REP, where all is plain: both operands in flat segments and each within one page that is in the TLB, upwards, all
 * iterations within the budget, no copy onto what is still to be read. The rest is `system/strings.ts`'s.
 */
import { RFLAGS_DF } from '@smm/x86-defs';
import { type Insn, REP_NONE } from '../../insn.ts';
import * as L from '../../layout.ts';
import { OP } from '../../ops.ts';
import { TLB_ADDEND, TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_READ_TAG, TLB_WRITE_TAG } from '../tlb.ts';
import { Emitter, I32, I64, S, V128, VOID, W } from './emitter.ts';
import type { Body, Signature } from './module.ts';

const [RAX, RCX, RSI, RDI] = [0, 1, 6, 7];
const SEG_ES = 0;
const SEG_SS = 2;
const SEG_DS = 3;
/* Shape of an instruction: logarithm of the element size in the low two bits, then these. */
const SHAPE_REP = 4;
const SHAPE_WIDE = 8;
/** Of a shape: MOVS. */
export const SHAPE_READS = 16;
/** Iterations are counted in 32 bits below this. */
const MOST = 0x1000;
/** Up to so many bytes a loop beats a call of the host's copy. */
const SHORT = 16;

/** General registers, as a mask, that the function may read or write in the state page. */
export const STRING_REGISTERS: number = (1 << RAX) | (1 << RCX) | (1 << RSI) | (1 << RDI);

/** What the function has to know of an instruction; undefined if it cannot execute such a one. */
export function stringShape({ op, size, addressSize, segment, rep }: Insn): number | undefined {
  const reads = op === OP.MOVS;
  if ((!reads && op !== OP.STOS) || addressSize === 2) return undefined;
  if (reads && segment !== SEG_DS && segment !== SEG_ES && segment !== SEG_SS) return undefined;
  return (
    Math.log2(size) |
    (rep === REP_NONE ? 0 : SHAPE_REP) |
    (addressSize === 8 ? SHAPE_WIDE : 0) |
    (reads ? SHAPE_READS : 0)
  );
}

/** Type of the function: (state, shape) -> 1 if it has executed the instruction, whose own budget was taken before; else nothing has changed. */
export const STRING: Signature = { params: [I32, I32], results: [I32] };

const [STATE, SHAPE] = [0, 1] as const;
const [BYTES, ENTRY, TO, FROM, AT] = [2, 3, 4, 5, 6] as const;
const [LINEAR, COUNT, PATTERN] = [7, 8, 9] as const;
const VECTOR = 10;

/** The function. */
export function stringFunction(): Body {
  const e = new Emitter();
  const refuse = (): void => void e.op(W.if, VOID).i32(0).op(W.return, W.end);
  const has = (bit: number): Emitter => e.get(SHAPE).i32(bit).op(W.i32_and);

  e.get(STATE).mem(W.i32_load, L.ST_EFLAGS).i32(RFLAGS_DF).op(W.i32_and);
  refuse();
  // Segments with base 0 and no limit: 64-bit code, or flat 32-bit code without upper halves.
  e.get(STATE)
    .mem(W.i32_load, L.ST_MODE)
    .i32(L.MODE_CODE_MASK | L.MODE_FLAT_DATA | L.MODE_WIDE)
    .op(W.i32_and);
  e.i32(2 | L.MODE_FLAT_DATA).i32(1 | L.MODE_FLAT_DATA);
  has(SHAPE_WIDE).op(W.select, W.i32_ne);
  refuse();

  e.i64(1n).set(COUNT);
  has(SHAPE_REP).op(W.if, VOID);
  pushRegister(e, RCX);
  e.tee(COUNT).op(W.i64_eqz, W.if, VOID).i32(1).op(W.return, W.end);
  e.get(COUNT).i64(BigInt(MOST)).op(W.i64_gt_u);
  // The last one is the instruction itself, which is paid for.
  e.get(COUNT).i64(1n).op(W.i64_sub).get(STATE).mem(W.i64_load32_s, L.ST_BUDGET).op(W.i64_gt_s, W.i32_or);
  refuse();
  e.op(W.end);
  e.get(COUNT).op(W.i32_wrap_i64).get(SHAPE).i32(3).op(W.i32_and, W.i32_shl).set(BYTES);

  locate(e, RDI, TLB_WRITE_TAG, TO, refuse);
  has(SHAPE_READS).op(W.if, VOID);
  locate(e, RSI, TLB_READ_TAG, FROM, refuse);
  e.get(TO).get(FROM).op(W.i32_ne);
  e.get(TO).get(FROM).op(W.i32_sub).get(BYTES).op(W.i32_lt_u, W.i32_and);
  refuse();
  copy(e);
  pushRegister(e, RSI);
  advance(e, RSI);
  e.op(W.else);
  fill(e);
  e.op(W.end);
  pushRegister(e, RDI);
  advance(e, RDI);
  has(SHAPE_REP).op(W.if, VOID);
  e.get(STATE)
    .i64(0n)
    .mem(W.i64_store, L.ST_GPR + RCX * 8);
  e.get(STATE).get(STATE).mem(W.i32_load, L.ST_BUDGET);
  e.get(COUNT).op(W.i32_wrap_i64, W.i32_sub).i32(1).op(W.i32_add).mem(W.i32_store, L.ST_BUDGET);
  e.op(W.end).i32(1);
  return {
    signature: STRING,
    locals: [
      [5, I32],
      [3, I64],
      [1, V128],
    ] as const,
    code: e.bytes,
  };
}

/** Pushes a register at address size, zero-extended. */
function pushRegister(e: Emitter, register: number): void {
  const at = L.ST_GPR + register * 8;
  e.get(STATE).mem(W.i64_load, at).get(STATE).mem(W.i64_load32_u, at);
  e.get(SHAPE).i32(SHAPE_WIDE).op(W.i32_and, W.select);
}

/** A register, whose value is pushed, moves on behind the bytes; at 32 bits the upper half becomes 0. */
function advance(e: Emitter, register: number): void {
  e.get(BYTES).op(W.i64_extend_i32_u, W.i64_add).set(LINEAR);
  e.get(STATE).get(LINEAR).get(LINEAR).i64(0xffff_ffffn).op(W.i64_and);
  e.get(SHAPE).i32(SHAPE_WIDE).op(W.i32_and, W.select);
  e.mem(W.i64_store, L.ST_GPR + register * 8);
}

/** Sets `host` to the host offset of the bytes that a register points to; refuses unless they are on one page with that tag. */
function locate(e: Emitter, register: number, tag: number, host: number, refuse: () => void): void {
  pushRegister(e, register);
  e.tee(LINEAR).op(W.i32_wrap_i64).i32(0xfff).op(W.i32_and).get(BYTES).op(W.i32_add);
  e.i32(0x1000).op(W.i32_gt_u);
  refuse();
  e.get(LINEAR).op(W.i32_wrap_i64).i32(7).op(W.i32_shr_u);
  e.i32((TLB_ENTRIES - 1) * TLB_ENTRY_SIZE).op(W.i32_and);
  e.get(STATE).mem(W.i32_load, L.ST_TLB).op(W.i32_add).tee(ENTRY);
  e.mem(W.i64_load, tag).get(LINEAR).i64(~0xfffn).op(W.i64_and, W.i64_ne);
  refuse();
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
  // All of RAX, for the element is repeated to 64 bits: multiplied by the sum of its places.
  e.get(STATE).mem(W.i64_load, L.ST_GPR + RAX * 8);
  const bits = (): void => void e.i64(64n).i64(8n).get(SHAPE).i32(3).op(W.i32_and, W.i64_extend_i32_u);
  bits();
  e.op(W.i64_shl, W.i64_sub).tee(LINEAR).op(W.i64_shl).get(LINEAR).op(W.i64_shr_u);
  for (const [log, places] of [
    [0, 0x0101_0101_0101_0101n],
    [1, 0x0001_0001_0001_0001n],
    [2, 0x0000_0001_0000_0001n],
  ] as const)
    e.i64(places)
      .i64(log === 0 ? 1n : 0n)
      .get(SHAPE)
      .i32(3)
      .op(W.i32_and)
      .i32(log)
      .op(W.i32_eq, W.select)
      .op(...(log === 0 ? [] : [W.i64_or]));
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
