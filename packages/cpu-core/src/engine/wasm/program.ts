/** Generates the interpreter: one module, with one loop per addressing model. */
import { RFLAGS_CF, SEG_ATTR_CODE, SEG_ATTR_DC, SEG_ATTR_P, SEG_ATTR_RW } from '@smm/x86-defs';
import { STATUS_FLAGS } from '../../flags.ts';
import * as L from '../../layout.ts';
import { SEMANTICS } from '../../semantics/semantics.ts';
import { JUMP_CACHE_ENTRIES, JUMP_CACHE_ENTRY_SIZE } from '../jump-cache.ts';
import { TLB_SIZE } from '../tlb.ts';
import { Emitter, I32, I64, VOID, W } from './emitter.ts';
import { coldFormsOf, type Form, formKey, formsOf, type Pair, pairKey, pairsOf } from './forms.ts';
import { ModuleBuilder } from './module.ts';
import * as R from './record.ts';
import {
  type Functions,
  LOCAL_BLOCK,
  LOCAL_RECORD,
  LOCAL_STATE,
  LOCAL_TLB,
  type Model,
  POOL32,
  POOL64,
  WasmBuilder,
} from './wasm-builder.ts';

/** State page word through which a linear address reaches the slow path. */
export const ENGINE_LINEAR: number = L.ST_ENGINE;

/** The models, in the order of the exported functions. */
const MODELS: readonly Model[] = ['flat32', 'flat64', 'general'];

/** What TypeScript provides to the generated code. All offsets are host offsets; -1 or 0 as described makes it return. */
export interface Imports {
  /** Host offset for an access that the TLB does not answer (linear address at ENGINE_LINEAR; size | write << 8), or -1. */
  slow(state: number, record: number, access: number): number;
  /** Executes the record's instruction; 0 to go on, else return. */
  execute(state: number, record: number): number;
  /** Block at ST_RIP, entered in the jump cache and, if `slot` is not 0, in that link; 0 to return. */
  lookup(state: number, slot: number): number;
  /** The record's instruction is to be executed by the evaluator after the return. */
  abort(state: number, record: number): void;
}

/** The interpreter's code and what handler each form has. */
export interface Program {
  /** The module. */
  readonly bytes: Uint8Array;
  /** Handlers by form, one map per model. */
  readonly handlers: Readonly<Record<Model, ReadonlyMap<number, number>>>;
  /** Handlers of a comparison with the jump after it, one map per model. */
  readonly pairs: Readonly<Record<Model, ReadonlyMap<number, number>>>;
  /** Functions in the table by form with an index register (or no memory), one map per model. */
  readonly functions: Readonly<Record<Model, ReadonlyMap<number, number>>>;
}

/** Generates the module, for memories of any size. */
export function generate(shared: boolean): Program {
  const m = new ModuleBuilder();
  const three = { params: [I32, I32, I32], results: [I32] };
  const slow = m.importFunction('slow', three);
  const execute = m.importFunction('execute', { params: [I32, I32], results: [I32] });
  const lookup = m.importFunction('lookup', { params: [I32, I32], results: [I32] });
  const abort = m.importFunction('abort', { params: [I32, I32], results: [] });
  const functions: Functions = {
    abort,
    slowPath: m.reserve(),
    flags: m.reserve(),
    carry: m.reserve(),
    follow: m.reserve(),
    mulHigh: m.reserve(),
    segment: m.reserve(),
  };
  m.define(functions.slowPath, slowPath(slow));
  m.define(functions.flags, flagsFunction());
  m.define(functions.carry, carryFunction(functions.flags));
  m.define(functions.follow, followFunction(lookup));
  m.define(functions.mulHigh, mulHighFunction());
  m.define(functions.segment, segmentFunction());
  const handlers: Record<Model, Map<number, number>> = {
    flat32: new Map(),
    flat64: new Map(),
    general: new Map(),
  };
  const pairs: Record<Model, Map<number, number>> = {
    flat32: new Map(),
    flat64: new Map(),
    general: new Map(),
  };
  const table: Record<Model, Map<number, number>> = {
    flat32: new Map(),
    flat64: new Map(),
    general: new Map(),
  };
  for (const model of MODELS) {
    for (const form of coldFormsOf(model)) {
      const index = m.reserve();
      m.define(index, formFunction(model, form, functions));
      table[model].set(formKey(form.insn, false), m.inTable(index));
    }
  }
  const indirect = m.type(HANDLER_SIGNATURE);
  for (const model of MODELS) {
    const forms = new Map<number, Form>();
    for (const form of formsOf(model)) forms.set(formKey(form.insn, form.noFlags), form);
    let next = R.HANDLER_FIRST;
    for (const key of forms.keys()) handlers[model].set(key, next++);
    const fused = pairsOf(model);
    for (const { first, jump } of fused) pairs[model].set(pairKey(first.insn, jump), next++);
    const code = runFunction(model, [...forms.values()], fused, functions, execute, indirect);
    m.define(m.reserve(), code, model);
  }
  return { bytes: m.build(shared), handlers, pairs, functions: table };
}

function runFunction(
  model: Model,
  forms: Form[],
  fused: Pair[],
  functions: Functions,
  execute: number,
  indirect: number,
) {
  const e = new Emitter();
  const count = R.HANDLER_FIRST + forms.length + fused.length;
  e.get(LOCAL_STATE).mem(W.i32_load, L.ST_TLB).set(LOCAL_TLB);
  e.op(W.block, VOID, W.loop, VOID);
  // A block: is there budget for all of it?
  e.get(LOCAL_STATE).mem(W.i32_load, L.ST_BUDGET).get(LOCAL_BLOCK).mem(W.i32_load, R.H_COUNT);
  e.op(W.i32_sub).tee(LOCAL_RECORD).i32(0).op(W.i32_lt_s, W.if, VOID);
  e.get(LOCAL_STATE).get(LOCAL_BLOCK).mem(W.i64_load, R.H_RIP).mem(W.i64_store, L.ST_RIP).br(2).op(W.end);
  e.get(LOCAL_STATE).get(LOCAL_RECORD).mem(W.i32_store, L.ST_BUDGET);
  e.get(LOCAL_STATE).get(LOCAL_BLOCK).mem(W.i32_store, L.ST_BLOCK);
  e.get(LOCAL_BLOCK).i32(R.HEADER_SIZE).op(W.i32_add).set(LOCAL_RECORD);
  e.op(W.loop, VOID);
  for (let k = 0; k < count; k++) e.op(W.block, VOID);
  e.get(LOCAL_RECORD).mem(W.i32_load16_u, R.R_HANDLER).op(W.br_table).unsigned(count);
  for (let k = 0; k < count; k++) e.unsigned(k);
  e.unsigned(R.HANDLER_EXIT);
  for (let k = 0; k < count; k++) {
    e.op(W.end);
    const next = count - 1 - k;
    const b = new WasmBuilder(e, functions, model, next + 2, next + 1);
    if (k === R.HANDLER_EXIT) e.br(next + 2);
    else if (k === R.HANDLER_EXECUTE) {
      e.get(LOCAL_STATE)
        .get(LOCAL_RECORD)
        .call(execute)
        .brIf(next + 2);
      nextRecord(e, next);
    } else if (k === R.HANDLER_CALL) {
      // 0: go on; 1: leave; else the next block.
      e.get(LOCAL_STATE).get(LOCAL_RECORD).get(LOCAL_RECORD).mem(W.i32_load16_u, R.R_FUNCTION);
      e.op(W.call_indirect).unsigned(indirect).op(0).tee(LOCAL_BLOCK).op(W.i32_eqz, W.if, VOID);
      nextRecord(e, next + 1);
      e.op(W.end)
        .get(LOCAL_BLOCK)
        .i32(1)
        .op(W.i32_ne)
        .brIf(next + 1)
        .br(next + 2);
    } else if (k === R.HANDLER_CONTINUE) b.jumpToStateRip();
    else if (k === R.HANDLER_NEXT) b.jumpNext();
    else if (k >= R.HANDLER_FIRST + forms.length) {
      const { first, jump } = fused[k - R.HANDLER_FIRST - forms.length]!;
      b.begin(first.insn);
      SEMANTICS.get(first.insn.op)!(b, first.insn);
      b.begin(jump, R.RECORD_SIZE);
      SEMANTICS.get(jump.op)!(b, jump);
    } else {
      const { insn, noFlags } = forms[k - R.HANDLER_FIRST]!;
      b.noFlags = noFlags;
      b.begin(insn);
      SEMANTICS.get(insn.op)!(b, insn);
      if (!b.jumped) nextRecord(e, next);
    }
  }
  e.op(W.end, W.end, W.end);
  return {
    signature: { params: [I32, I32, I32], results: [] },
    locals: [
      [1, I32],
      [POOL64, I64],
      [POOL32, I32],
    ] as const,
    code: e.bytes,
  };
}

/** A form as a function (state, record) -> 0 to go on, 1 to leave, or the next block. */
function formFunction(model: Model, { insn }: Form, functions: Functions) {
  const e = new Emitter();
  e.get(LOCAL_STATE).mem(W.i32_load, L.ST_TLB).set(LOCAL_TLB).op(W.block, VOID, W.block, VOID);
  const b = new WasmBuilder(e, functions, model, 1, 0);
  b.segmented = true;
  b.begin(insn);
  SEMANTICS.get(insn.op)!(b, insn);
  if (!b.jumped) e.i32(0).op(W.return);
  e.op(W.end).get(LOCAL_BLOCK).op(W.return, W.end).i32(1);
  return {
    signature: HANDLER_SIGNATURE,
    locals: [
      [2, I32],
      [POOL64, I64],
      [POOL32, I32],
    ] as const,
    code: e.bytes,
  };
}

const HANDLER_SIGNATURE = { params: [I32, I32], results: [I32] };

function nextRecord(e: Emitter, next: number): void {
  e.get(LOCAL_RECORD).i32(R.RECORD_SIZE).op(W.i32_add).set(LOCAL_RECORD).br(next);
}

/** (state, record, linear, access) -> host. */
function slowPath(slow: number) {
  const e = new Emitter();
  e.get(0).get(2).mem(W.i64_store, ENGINE_LINEAR);
  e.get(0).get(1).get(3).call(slow);
  return { signature: { params: [I32, I32, I64, I32], results: [I32] }, locals: [], code: e.bytes };
}

/** (state) -> the six status flags: the cases of `evaluateFlags`. */
function flagsFunction() {
  const e = new Emitter();
  const [kind, res, src, a, flags] = [1, 2, 3, 4, 5] as const;
  e.get(0).mem(W.i32_load8_u, L.ST_CC_OP).tee(kind).op(W.i32_eqz, W.if, VOID);
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

/** (state) -> CF as an i64: the frequent cases at once. */
function carryFunction(flags: number) {
  const e = new Emitter();
  const kind = 1;
  e.get(0).mem(W.i32_load8_u, L.ST_CC_OP).tee(kind).i32(L.CC_SUB).op(W.i32_eq, W.if, VOID);
  e.get(0).mem(W.i64_load, L.ST_CC_RES).get(0).mem(W.i64_load, L.ST_CC_SRC).op(W.i64_add);
  e.get(0).mem(W.i64_load, L.ST_CC_SRC).op(W.i64_lt_u, W.i64_extend_i32_u, W.return, W.end);
  e.get(kind).i32(L.CC_ADD).op(W.i32_eq, W.if, VOID).get(0).mem(W.i64_load, L.ST_CC_RES);
  e.get(0).mem(W.i64_load, L.ST_CC_SRC).op(W.i64_lt_u, W.i64_extend_i32_u, W.return, W.end);
  e.get(kind).i32(L.CC_LOGIC).op(W.i32_eq, W.if, VOID).i64(0n).op(W.return, W.end);
  e.get(kind).i32(L.CC_INC).op(W.i32_eq).get(kind).i32(L.CC_DEC).op(W.i32_eq, W.i32_or).get(kind);
  e.i32(L.CC_GIVEN).op(W.i32_eq, W.i32_or, W.if, VOID);
  e.get(0).mem(W.i64_load, L.ST_CC_SRC).i64(BigInt(RFLAGS_CF)).op(W.i64_and, W.return, W.end);
  e.get(0).call(flags).i32(RFLAGS_CF).op(W.i32_and, W.i64_extend_i32_u);
  return { signature: { params: [I32], results: [I64] }, locals: [[1, I32]] as const, code: e.bytes };
}

/** (state, rip, slot) -> block or 0: the jump cache (unless a link is to be made), then TypeScript. */
function followFunction(lookup: number) {
  const e = new Emitter();
  const entry = 3;
  e.get(2).op(W.i32_eqz, W.if, VOID);
  e.get(1).op(W.i32_wrap_i64).get(1).op(W.i32_wrap_i64).i32(11).op(W.i32_shr_u, W.i32_xor);
  e.i32(JUMP_CACHE_ENTRIES - 1)
    .op(W.i32_and)
    .i32(Math.log2(JUMP_CACHE_ENTRY_SIZE))
    .op(W.i32_shl);
  e.get(0)
    .op(W.i32_add)
    .i32(4096 + 2 * TLB_SIZE)
    .op(W.i32_add)
    .tee(entry);
  e.mem(W.i64_load, 0).get(1).op(W.i64_eq);
  e.get(entry).mem(W.i32_load, 8).get(0).mem(W.i32_load, L.ST_MODE).op(W.i32_eq, W.i32_and);
  e.get(entry).mem(W.i32_load, 12).i32(0).op(W.i32_ne, W.i32_and);
  e.op(W.if, VOID).get(entry).mem(W.i32_load, 12).op(W.return, W.end, W.end);
  e.get(0).get(1).mem(W.i64_store, L.ST_RIP).get(0).get(2).call(lookup);
  return {
    signature: { params: [I32, I64, I32], results: [I32] },
    locals: [[1, I32]] as const,
    code: e.bytes,
  };
}

/** (state, segment, offset, size | write << 8) -> linear address or -1: what `legacyAddress` lets pass, expand-down segments apart. */
function segmentFunction() {
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
function mulHighFunction() {
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
