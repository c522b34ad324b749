/**
 * Functions of the generated module for what a processor may do without asking its surroundings (see `Shortcuts`): IN
 * from a counter of virtual time, RDTSC, PAUSE; CLI and STI where nothing depends on them; string instructions in plain
 * memory. Where that is not allowed, or not simply so, they hand the record to TypeScript.
 */
import {
  CR0_PE,
  CR4_TSD,
  RFLAGS_IF,
  RFLAGS_IOPL,
  RFLAGS_VM,
  SEG_ATTR_DPL_SHIFT,
  SEG_SS,
} from '@smm/x86-defs';
import { type Insn, K_IMM } from '../../insn.ts';
import * as L from '../../layout.ts';
import { OP, OP_NAMES } from '../../ops.ts';
import { Emitter, F64, I32, I64, VOID, W } from './emitter.ts';
import type { Body, ModuleBuilder, Signature } from './module.ts';
import * as R from './record.ts';
import { STRING_SHAPES, stringFunction, stringShape } from './string-function.ts';

/** Indices of the functions that these call. */
interface Callees {
  /** Executes a record in TypeScript. */
  readonly execute: number;
  /** Block at a RIP. */
  readonly follow: number;
}

/** Keys of an operation; those of string instructions, by shape, lie behind all of these. */
const VARIANTS = 16;
const STRING_KEYS = OP_NAMES.length * VARIANTS;

/** These have one form. */
const UNSIZED: readonly number[] = [OP.PAUSE, OP.RDTSC, OP.CLI, OP.STI];

/** Forms that have such a function, by what tells them apart; undefined for all other instructions. */
export function shortcutKey(insn: Insn): number | undefined {
  if (UNSIZED.includes(insn.op)) return insn.op * VARIANTS;
  if (insn.op === OP.IN) return inKey(insn.size, insn.kind1 === K_IMM);
  const shape = stringShape(insn);
  return shape === undefined ? undefined : STRING_KEYS + shape;
}

function inKey(size: number, immediate: boolean): number {
  return OP.IN * VARIANTS + (immediate ? 8 : 0) + size;
}

/**
 * Adds the functions to a module: `timeIn`, `timeTsc` and `string` by these names, the handlers in the table. Returns
 * the latter by {@link shortcutKey}.
 */
export function addShortcuts(m: ModuleBuilder, callees: Callees): ReadonlyMap<number, number> {
  const [now, timeIn, timeTsc] = [m.reserve(), m.reserve(), m.reserve()];
  m.define(now, nowFunction());
  m.define(timeIn, timeInFunction(now), 'timeIn');
  m.define(timeTsc, timeTscFunction(now), 'timeTsc');
  const table = new Map<number, number>();
  const handler = (key: number, body: Body): void => {
    const index = m.reserve();
    m.define(index, body);
    table.set(key, m.inTable(index));
  };
  for (const size of [1, 2, 4] as const) {
    for (const immediate of [false, true])
      handler(inKey(size, immediate), inHandler(size, immediate, timeIn, callees));
  }
  handler(OP.RDTSC * VARIANTS, rdtscHandler(timeTsc, callees));
  const string = m.reserve();
  m.define(string, stringFunction(), 'string');
  for (const shape of STRING_SHAPES) handler(STRING_KEYS + shape, stringHandler(shape, string, callees));
  for (const op of [OP.PAUSE, OP.CLI, OP.STI]) handler(op * VARIANTS, simpleHandler(op, callees));
  return table;
}

/** Type of `timeIn`: (state, port, size, rest) -> value or -1. */
export const TIME_IN: Signature = { params: [I32, I32, I32, I32], results: [I64] };
/** Type of `timeTsc`: (state, rest) -> value or -1. */
export const TIME_TSC: Signature = { params: [I32, I32], results: [I64] };

const STATE = 0;

/**
 * (state, rest) -> virtual nanoseconds: `Machine`'s time at the current instruction, by the same operations in the same
 * order. `rest`: instructions from the current one on that ST_BUDGET has already been charged for.
 */
function nowFunction(): Body {
  const e = new Emitter();
  const rest = 1;
  e.get(STATE).mem(W.f64_load, L.ST_TIME_NS);
  e.get(STATE).mem(W.f64_load, L.ST_RETIRED);
  e.get(STATE).mem(W.i32_load, L.ST_START_BUDGET).op(W.f64_convert_i32_s, W.f64_add);
  e.get(STATE).mem(W.i32_load, L.ST_HELD_BUDGET).op(W.f64_convert_i32_s, W.f64_sub);
  e.get(STATE).mem(W.i32_load, L.ST_BUDGET).get(rest).op(W.i32_add, W.f64_convert_i32_s, W.f64_sub);
  e.get(STATE).mem(W.f64_load, L.ST_TIME_RETIRED).op(W.f64_sub);
  e.get(STATE).mem(W.f64_load, L.ST_TIME_RATE).op(W.f64_mul, W.f64_add);
  return { signature: { params: [I32, I32], results: [F64] }, locals: [], code: e.bytes };
}

function returnRefusal(e: Emitter): void {
  e.op(W.if, VOID).i64(-1n).op(W.return, W.end);
}

function countRead(e: Emitter): void {
  e.get(STATE)
    .get(STATE)
    .mem(W.i64_load, L.ST_TIME_READS)
    .i64(1n)
    .op(W.i64_add)
    .mem(W.i64_store, L.ST_TIME_READS);
}

/**
 * (state, port, size, rest) -> value of the counter there, or -1: another port, or an access that is not simply
 * allowed.
 */
function timeInFunction(now: number): Body {
  const e = new Emitter();
  const [port, size, rest, ns, seconds] = [1, 2, 3, 4, 5] as const;
  e.get(STATE).mem(W.i32_load, L.ST_TIME_PORT);
  e.get(port).get(size).i32(16).op(W.i32_shl, W.i32_or, W.i32_ne);
  returnRefusal(e);
  e.get(STATE).mem(W.i32_load, L.ST_CR0).i32(CR0_PE).op(W.i32_and, W.if, VOID);
  e.get(STATE).mem(W.i32_load, L.ST_EFLAGS).i32(RFLAGS_VM).op(W.i32_and);
  returnRefusal(e);
  e.get(STATE).mem(W.i32_load, L.ST_SEG_ATTR + SEG_SS * 4);
  e.i32(SEG_ATTR_DPL_SHIFT).op(W.i32_shr_u).i32(3).op(W.i32_and);
  e.get(STATE)
    .mem(W.i32_load, L.ST_EFLAGS)
    .i32(RFLAGS_IOPL)
    .op(W.i32_and)
    .i32(12)
    .op(W.i32_shr_u, W.i32_gt_u);
  returnRefusal(e);
  e.op(W.end);
  countRead(e);
  // ticksAt of @smm/bus.
  const billion = (): void => void e.i32(1_000_000_000).op(W.f64_convert_i32_s);
  const frequency = (): void => void e.get(STATE).mem(W.f64_load, L.ST_TIME_FREQUENCY);
  e.get(STATE).get(rest).call(now).tee(ns);
  billion();
  e.op(W.f64_div, W.f64_floor).tee(seconds);
  frequency();
  e.op(W.f64_mul).get(ns).get(seconds);
  billion();
  e.op(W.f64_mul, W.f64_sub);
  frequency();
  e.op(W.f64_mul);
  billion();
  e.op(W.f64_div, W.f64_floor, W.f64_add, W.i64_trunc_f64_s);
  e.get(STATE).mem(W.i64_load32_u, L.ST_TIME_MASK).op(W.i64_and);
  return {
    signature: TIME_IN,
    locals: [[2, F64]] as const,
    code: e.bytes,
  };
}

/**
 * (state, rest) -> time-stamp counter, or -1: not simply allowed. A counter with the sign bit set goes the long way
 * too.
 */
function timeTscFunction(now: number): Body {
  const e = new Emitter();
  const [rest, tsc] = [1, 2] as const;
  e.get(STATE).mem(W.i32_load, L.ST_TIME_TSC).op(W.i32_eqz);
  e.get(STATE).mem(W.i32_load, L.ST_CR4).i32(CR4_TSD).op(W.i32_and, W.i32_or);
  returnRefusal(e);
  e.get(STATE).get(rest).call(now).op(W.f64_floor, W.i64_trunc_f64_s);
  e.get(STATE).mem(W.i64_load, L.ST_TSC_OFFSET).op(W.i64_add).tee(tsc).i64(0n).op(W.i64_lt_s);
  returnRefusal(e);
  countRead(e);
  e.get(tsc);
  return { signature: TIME_TSC, locals: [[1, I64]] as const, code: e.bytes };
}

/**
 * Handlers are (state, record) -> 0 to go on, 1 to leave, or the next block; a 64-bit and a 32-bit local follow the
 * parameters.
 */
const RECORD = 1;
const VALUE = 2;
const BLOCK = 3;

function handlerBody(e: Emitter): Body {
  return {
    signature: { params: [I32, I32], results: [I32] },
    locals: [
      [1, I64],
      [1, I32],
    ] as const,
    code: e.bytes,
  };
}

/** Pushes the number of instructions from this record on. */
function rest(e: Emitter): void {
  e.get(STATE).mem(W.i32_load, L.ST_BLOCK).tee(BLOCK).mem(W.i32_load, R.H_TAKEN);
  e.get(RECORD).get(BLOCK).op(W.i32_sub).i32(R.HEADER_SIZE).op(W.i32_sub);
  e.i32(Math.log2(R.RECORD_SIZE)).op(W.i32_shr_u, W.i32_sub);
}

/** The value on the stack to VALUE; if it is -1, TypeScript executes the instruction. */
function orExecute(e: Emitter, execute: number): void {
  e.tee(VALUE).i64(0n).op(W.i64_lt_s, W.if, VOID);
  e.get(STATE).get(RECORD).call(execute).op(W.return, W.end);
}

/** Returns the block at the next RIP. */
function goOn(e: Emitter, follow: number): Body {
  e.get(RECORD).mem(W.i32_load, R.R_LINK).tee(BLOCK).i32(R.LINK_NEVER).op(W.i32_gt_u, W.if, VOID);
  e.get(BLOCK).op(W.return, W.end);
  e.get(STATE).get(RECORD).mem(W.i64_load, R.R_NEXT);
  e.i32(0).get(RECORD).i32(R.R_LINK).op(W.i32_add).get(BLOCK).op(W.select).call(follow).tee(BLOCK);
  e.i32(1).get(BLOCK).op(W.select);
  return handlerBody(e);
}

function inHandler(size: 1 | 2 | 4, immediate: boolean, timeIn: number, { execute, follow }: Callees): Body {
  const e = new Emitter();
  e.get(STATE);
  if (immediate) e.get(RECORD).mem(W.i32_load16_u, R.R_PORT);
  else e.get(STATE).mem(W.i32_load16_u, L.ST_GPR + 2 * 8);
  e.i32(size);
  rest(e);
  e.call(timeIn);
  orExecute(e, execute);
  e.get(STATE).get(VALUE);
  e.mem(size === 1 ? W.i64_store8 : size === 2 ? W.i64_store16 : W.i64_store, L.ST_GPR);
  return goOn(e, follow);
}

function rdtscHandler(timeTsc: number, { execute, follow }: Callees): Body {
  const e = new Emitter();
  e.get(STATE);
  rest(e);
  e.call(timeTsc);
  orExecute(e, execute);
  e.get(STATE).get(VALUE).i64(0xffff_ffffn).op(W.i64_and).mem(W.i64_store, L.ST_GPR);
  e.get(STATE)
    .get(VALUE)
    .i64(32n)
    .op(W.i64_shr_u)
    .mem(W.i64_store, L.ST_GPR + 2 * 8);
  return goOn(e, follow);
}

function stringHandler(shape: number, string: number, { execute, follow }: Callees): Body {
  const e = new Emitter();
  e.get(STATE).i32(shape).call(string).op(W.i32_eqz, W.if, VOID);
  e.get(STATE).get(RECORD).call(execute).op(W.return, W.end);
  return goOn(e, follow);
}

function simpleHandler(op: number, { execute, follow }: Callees): Body {
  const e = new Emitter();
  pushSimpleRefusal(e, STATE, op);
  e.op(W.if, VOID).get(STATE).get(RECORD).call(execute).op(W.return, W.end);
  simpleEffect(e, STATE, op);
  return goOn(e, follow);
}

/**
 * Pushes whether TypeScript must execute a PAUSE, CLI or STI: somebody watches; CPL is not 0, so that IOPL matters;
 * interrupts become possible. The state page is at the local `state`.
 */
export function pushSimpleRefusal(e: Emitter, state: number, op: number): void {
  if (op === OP.PAUSE) {
    e.get(state).mem(W.i32_load, L.ST_PAUSE_WATCHED);
    return;
  }
  e.get(state)
    .mem(W.i32_load, L.ST_SEG_ATTR + SEG_SS * 4)
    .i32(3 << SEG_ATTR_DPL_SHIFT)
    .op(W.i32_and);
  if (op === OP.CLI) return;
  e.get(state).mem(W.i32_load, L.ST_EFLAGS).i32(RFLAGS_IF).op(W.i32_and, W.i32_eqz, W.i32_or);
}

/** What the instruction does where {@link pushSimpleRefusal} says no. */
export function simpleEffect(e: Emitter, state: number, op: number): void {
  if (op !== OP.CLI) return;
  e.get(state).get(state).mem(W.i32_load, L.ST_EFLAGS).i32(~RFLAGS_IF).op(W.i32_and);
  e.mem(W.i32_store, L.ST_EFLAGS);
}
