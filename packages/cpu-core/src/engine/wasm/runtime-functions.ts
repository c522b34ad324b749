/** Functions of the generated module that handlers call: slow path, flags, block lookup, products, segments. */
import { RFLAGS_CF, RFLAGS_OF, SEG_ATTR_CODE, SEG_ATTR_DC, SEG_ATTR_P, SEG_ATTR_RW } from '@smm/x86-defs';
import { STATUS_FLAGS } from '../../flags.ts';
import * as L from '../../layout.ts';
import { JUMP_CACHE_ENTRIES, JUMP_CACHE_ENTRY_SIZE, JUMP_CACHE_SIZE } from '../jump-cache.ts';
import { JUMP_LOG_ENTRY_SIZE, JUMP_LOG_SIZE } from '../jump-log.ts';
import { TLB_SIZE } from '../tlb.ts';
import { Emitter, I32, I64, VOID, W } from './emitter.ts';
import type { Body, Signature } from './module.ts';
import { H_HEAT, LINK_NEVER } from './record.ts';

/** State page word through which a linear address reaches the slow path. */
export const ENGINE_LINEAR: number = L.ST_ENGINE;

/** (state, record, linear, access) -> host. */
export function slowPath(slow: number): Body {
  const e = new Emitter();
  e.get(0).get(2).mem(W.i64_store, ENGINE_LINEAR);
  e.get(0).get(1).get(3).call(slow);
  return { signature: { params: [I32, I32, I64, I32], results: [I32] }, locals: [], code: e.bytes };
}

/** (state, site, linear, access, budget) -> host offset or -1: the slow path of a region. */
export function accessFunction(signature: Signature, access: number): Body {
  const e = new Emitter();
  e.get(0).get(2).mem(W.i64_store, ENGINE_LINEAR).get(0).get(4).mem(W.i32_store, L.ST_BUDGET);
  e.get(0).get(1).get(3).call(access);
  return { signature, locals: [], code: e.bytes };
}

/** (state, site, budget): a call from a region to TypeScript, with the budget in its place. */
export function withBudget(signature: Signature, target: number): Body {
  const e = new Emitter();
  e.get(0).get(2).mem(W.i32_store, L.ST_BUDGET).get(0).get(1).call(target);
  return { signature, locals: [], code: e.bytes };
}

/**
 * (state, rip, link) -> block to go on at, or 0 to leave: finds the block, through a link word if there is one and it
 * is made, and goes straight into its region if it has one. `region`: type of regions.
 */
export function chainFunction(signature: Signature, follow: number, region: number): Body {
  const e = new Emitter();
  const block = 3;
  const heat = 4;
  e.op(W.block, VOID);
  e.get(2).op(W.if, VOID);
  e.get(2).mem(W.i32_load, 0).tee(block).i32(LINK_NEVER).op(W.i32_gt_u).brIf(1);
  e.get(block).op(W.if, VOID).i32(0).set(2).op(W.end, W.end);
  e.get(0).get(1).get(2).call(follow).tee(block).op(W.i32_eqz, W.if, VOID).i32(0).op(W.return, W.end);
  e.op(W.end);
  e.get(block).mem(W.i32_load, H_HEAT).tee(heat).i32(0).op(W.i32_lt_s, W.if, VOID);
  e.get(0).i32(0).get(heat).op(W.i32_sub, W.return_call_indirect).unsigned(region).op(0, W.end);
  e.get(block);
  return { signature, locals: [[2, I32]] as const, code: e.bytes };
}

/** (state) -> the six status flags: `evaluateFlags`. */
export function flagsFunction(lazy: number): Body {
  const e = new Emitter();
  const apart = 1;
  e.get(0).mem(W.i32_load8_u, L.ST_CC_OP).set(apart);
  const bit = (of: number, flag: number): void => {
    e.get(apart).i32(of).op(W.i32_and, W.i32_eqz, W.i32_eqz);
    e.i32(Math.log2(flag)).op(W.i32_shl);
  };
  bit(L.CC_CF_APART, RFLAGS_CF);
  bit(L.CC_OF_APART, RFLAGS_OF);
  e.op(W.i32_or).set(apart);
  e.get(0).call(lazy).get(apart).i32(-1).op(W.i32_xor, W.i32_and);
  e.get(0).mem(W.i32_load, L.ST_EFLAGS).get(apart).op(W.i32_and, W.i32_or);
  return { signature: { params: [I32], results: [I32] }, locals: [[1, I32]] as const, code: e.bytes };
}

/** (state) -> the six status flags where none is apart: the cases of `lazyFlags`. */
export function lazyFlagsFunction(): Body {
  const e = new Emitter();
  const [kind, res, src, a, flags] = [1, 2, 3, 4, 5] as const;
  e.get(0).mem(W.i32_load8_u, L.ST_CC_OP).i32(L.CC_KIND).op(W.i32_and).tee(kind).op(W.i32_eqz, W.if, VOID);
  e.get(0).mem(W.i32_load, L.ST_EFLAGS).i32(STATUS_FLAGS).op(W.i32_and, W.return, W.end);
  e.get(0).mem(W.i64_load, L.ST_CC_RES).set(res).get(0).mem(W.i64_load, L.ST_CC_SRC).set(src);
  // Width: bits below the operand, 64 - 8 * bytes. PF needs the lowest byte of the operand.
  const shift = 6; // i64
  e.i64(64n)
    .i64(8n)
    .get(0)
    .mem(W.i64_load8_u, L.ST_CC_OP + 1)
    .op(W.i64_shl, W.i64_sub)
    .set(shift);
  const low = 7; // i64: the operand's result, in place
  e.get(res).get(shift).op(W.i64_shr_u).set(low);
  e.get(res).op(W.i64_eqz).i32(6).op(W.i32_shl);
  e.get(res).i64(0n).op(W.i64_lt_s).i32(7).op(W.i32_shl, W.i32_or);
  e.get(low).op(W.i32_wrap_i64).i32(0xff).op(W.i32_and, W.i32_popcnt).i32(1).op(W.i32_and, W.i32_eqz);
  e.i32(2).op(W.i32_shl, W.i32_or).set(flags);
  e.get(kind).i32(L.CC_LOGIC).op(W.i32_eq, W.if, VOID).get(flags).op(W.return, W.end);
  e.get(kind).i32(L.CC_GIVEN).op(W.i32_eq, W.if, VOID);
  e.get(flags).get(src).op(W.i32_wrap_i64).i32(0x811).op(W.i32_and, W.i32_or, W.return, W.end);
  // INC: OF where the result is the sign bit, AF where its nibble is 0. DEC: one less than the sign bit, nibble Fh.
  for (const [which, nibble] of [
    [L.CC_INC, 0],
    [L.CC_DEC, 0xf],
  ] as const) {
    e.get(kind).i32(which).op(W.i32_eq, W.if, VOID);
    e.get(flags).get(src).op(W.i32_wrap_i64).i32(1).op(W.i32_and, W.i32_or);
    e.get(low)
      .op(W.i32_wrap_i64)
      .i32(0xf)
      .op(W.i32_and)
      .i32(nibble)
      .op(W.i32_eq)
      .i32(4)
      .op(W.i32_shl, W.i32_or);
    if (which === L.CC_INC)
      e.get(res)
        .i64(1n << 63n)
        .op(W.i64_eq);
    else
      e.get(low)
        .i64((1n << 63n) - 1n)
        .get(shift)
        .op(W.i64_shr_u, W.i64_eq);
    e.i32(11).op(W.i32_shl, W.i32_or, W.return, W.end);
  }
  // ADD, ADC, SUB, SBB: recover the first operand, then carry by comparison, AF and OF by exclusive or.
  const unit = 8; // i64: carry in, at the operand's lowest bit
  const adds = 9; // i32
  e.get(kind).i32(L.CC_ADC).op(W.i32_eq).get(kind).i32(L.CC_SBB).op(W.i32_eq, W.i32_or, W.i64_extend_i32_u);
  e.get(shift).op(W.i64_shl).set(unit);
  e.get(kind).i32(L.CC_ADD).op(W.i32_eq).get(kind).i32(L.CC_ADC).op(W.i32_eq, W.i32_or).set(adds);
  e.get(res).get(src).op(W.i64_sub).get(unit).op(W.i64_sub);
  e.get(res).get(src).op(W.i64_add).get(unit).op(W.i64_add);
  e.get(adds).op(W.select).set(a);
  // CF: addition: res < src (or equal, with a carry in); subtraction: a < src (or equal).
  e.get(res).get(a).get(adds).op(W.select).get(src).op(W.i64_lt_u);
  e.get(res).get(a).get(adds).op(W.select).get(src).op(W.i64_eq);
  e.get(unit).i64(0n).op(W.i64_ne, W.i32_and, W.i32_or);
  e.get(a).get(src).op(W.i64_xor).get(res).op(W.i64_xor).get(shift).op(W.i64_shr_u, W.i32_wrap_i64);
  e.i32(0x10).op(W.i32_and, W.i32_or).get(flags).op(W.i32_or);
  // OF: the operands' signs agree (addition) or differ (subtraction), and the result's differs from the first.
  e.get(a).get(src).op(W.i64_xor).get(adds).op(W.i64_extend_i32_s).i64(63n).op(W.i64_shl, W.i64_xor);
  e.get(a).get(res).op(W.i64_xor, W.i64_and).i64(0n).op(W.i64_lt_s).i32(11).op(W.i32_shl, W.i32_or);
  return {
    signature: { params: [I32], results: [I32] },
    locals: [
      [1, I32],
      [3, I64],
      [1, I32],
      [3, I64],
      [1, I32],
    ] as const,
    code: e.bytes,
  };
}

/**
 * Pushes the truth of 'the jump cache knows where the RIP in a local leads', and puts the entry's host offset into
 * `entry`.
 */
export function probeJumpCache(e: Emitter, state: number, rip: number, entry: number): void {
  e.get(rip).op(W.i32_wrap_i64).get(rip).op(W.i32_wrap_i64).i32(11).op(W.i32_shr_u, W.i32_xor);
  e.i32(JUMP_CACHE_ENTRIES - 1)
    .op(W.i32_and)
    .i32(Math.log2(JUMP_CACHE_ENTRY_SIZE))
    .op(W.i32_shl);
  e.get(state)
    .op(W.i32_add)
    .i32(4096 + 2 * TLB_SIZE)
    .op(W.i32_add)
    .tee(entry);
  e.mem(W.i64_load, 0).get(rip).op(W.i64_eq);
  e.get(entry).mem(W.i32_load, 8).get(state).mem(W.i32_load, L.ST_MODE).op(W.i32_eq, W.i32_and);
  e.get(entry).mem(W.i32_load, 12).i32(0).op(W.i32_ne, W.i32_and);
}

/** (state, rip, slot) -> block or 0: the jump cache (unless a link is to be made), then TypeScript. */
export function followFunction(lookup: number): Body {
  const e = new Emitter();
  const entry = 3;
  e.get(2).op(W.i32_eqz, W.if, VOID);
  probeJumpCache(e, 0, 1, entry);
  e.op(W.if, VOID).get(entry).mem(W.i32_load, 12).op(W.return, W.end, W.end);
  e.get(0).get(1).mem(W.i64_store, L.ST_RIP).get(0).get(2).call(lookup);
  return {
    signature: { params: [I32, I64, I32], results: [I32] },
    locals: [[1, I32]] as const,
    code: e.bytes,
  };
}

/** From the state page to the jump log. */
const JUMP_LOG = 4096 + 2 * TLB_SIZE + JUMP_CACHE_SIZE;

/** (state, record, rip): an indirect jump goes into the jump log. */
export function logJumpFunction(): Body {
  const e = new Emitter();
  const slot = 3;
  const entry = 4;
  e.get(0).get(0).mem(W.i32_load, L.ST_JUMP_LOG).tee(slot).op(W.i32_add).set(entry);
  e.get(entry)
    .get(2)
    .mem(W.i64_store, JUMP_LOG)
    .get(entry)
    .get(1)
    .mem(W.i32_store, JUMP_LOG + 8);
  e.get(0).get(slot).i32(JUMP_LOG_ENTRY_SIZE).op(W.i32_add);
  e.i32(JUMP_LOG_SIZE - 1)
    .op(W.i32_and)
    .mem(W.i32_store, L.ST_JUMP_LOG);
  return { signature: { params: [I32, I32, I64], results: [] }, locals: [[2, I32]] as const, code: e.bytes };
}

/**
 * (state, segment, offset, size | write << 8) -> linear address or -1: what `legacyAddress` lets pass, expand-down
 * segments apart.
 */
export function segmentFunction(): Body {
  const e = new Emitter();
  const [state, segment, offset, access, attributes] = [0, 1, 2, 3, 4] as const;
  const no = (): void => void e.op(W.if, VOID).i64(-1n).op(W.return, W.end);
  const field = (opcode: number, at: number, log: number): void => {
    e.get(state).get(segment).i32(log).op(W.i32_shl, W.i32_add).mem(opcode, at);
  };
  field(W.i32_load, L.ST_SEG_ATTR, 2);
  e.tee(attributes)
    .i32(SEG_ATTR_CODE | SEG_ATTR_DC)
    .op(W.i32_and)
    .i32(SEG_ATTR_DC)
    .op(W.i32_eq);
  no();
  e.get(offset).get(access).i32(0xff).op(W.i32_and).i32(1).op(W.i32_sub, W.i64_extend_i32_u, W.i64_add);
  field(W.i64_load32_u, L.ST_SEG_LIMIT, 2);
  e.op(W.i64_gt_u);
  no();
  e.get(state).mem(W.i32_load, L.ST_MODE);
  e.i32(L.MODE_PE | L.MODE_VM)
    .op(W.i32_and)
    .i32(L.MODE_PE)
    .op(W.i32_eq, W.if, VOID);
  e.get(attributes).i32(SEG_ATTR_P).op(W.i32_and, W.i32_eqz);
  no();
  // A write needs writable data, a read anything but code that is not readable.
  e.get(attributes)
    .i32(SEG_ATTR_CODE | SEG_ATTR_RW)
    .op(W.i32_and);
  e.i32(SEG_ATTR_RW).op(W.i32_ne);
  e.get(attributes)
    .i32(SEG_ATTR_CODE | SEG_ATTR_RW)
    .op(W.i32_and);
  e.i32(SEG_ATTR_CODE).op(W.i32_eq).get(access).i32(0x100).op(W.i32_and, W.select);
  no();
  e.op(W.end);
  field(W.i64_load, L.ST_SEG_BASE, 3);
  e.get(offset).op(W.i64_add).i64(0xffff_ffffn).op(W.i64_and);
  return {
    signature: { params: [I32, I32, I64, I32], results: [I64] },
    locals: [[1, I32]] as const,
    code: e.bytes,
  };
}

/** (a, b, signed) -> high 64 bits of the product. */
export function mulHighFunction(): Body {
  const e = new Emitter();
  const LOW = 0xffff_ffffn;
  const [al, ah, bl, bh, mid, mid2, high] = [3, 4, 5, 6, 7, 8, 9] as const;
  e.get(0).i64(LOW).op(W.i64_and).set(al).get(0).i64(32n).op(W.i64_shr_u).set(ah);
  e.get(1).i64(LOW).op(W.i64_and).set(bl).get(1).i64(32n).op(W.i64_shr_u).set(bh);
  e.get(ah).get(bl).op(W.i64_mul).get(al).get(bl).op(W.i64_mul).i64(32n).op(W.i64_shr_u, W.i64_add).set(mid);
  e.get(al).get(bh).op(W.i64_mul).get(mid).i64(LOW).op(W.i64_and, W.i64_add).set(mid2);
  e.get(ah).get(bh).op(W.i64_mul).get(mid).i64(32n).op(W.i64_shr_u, W.i64_add);
  e.get(mid2).i64(32n).op(W.i64_shr_u, W.i64_add).set(high);
  e.get(2).op(W.if, VOID);
  e.get(high).get(0).i64(63n).op(W.i64_shr_s).get(1).op(W.i64_and, W.i64_sub);
  e.get(1).i64(63n).op(W.i64_shr_s).get(0).op(W.i64_and, W.i64_sub).set(high).op(W.end).get(high);
  return {
    signature: { params: [I64, I64, I32], results: [I64] },
    locals: [[7, I64]] as const,
    code: e.bytes,
  };
}
