/** Generates the interpreter: one module, with one loop per Addressing. */
import { K_MEM } from '../../insn.ts';
import * as L from '../../layout.ts';
import { VECTOR_OPS } from '../../ops.ts';
import { SEMANTICS } from '../../semantics/semantics.ts';
import {
  type Addressing,
  type Functions,
  LOCAL_BLOCK,
  LOCAL_POOL32,
  LOCAL_RECORD,
  LOCAL_RIP,
  LOCAL_STATE,
  LOCAL_TLB,
  labelsAt,
  POOL32,
  POOL64,
  POOL128,
} from './convention.ts';
import { Emitter, I32, I64, V128, VOID, W } from './emitter.ts';
import { coldFormsOf, type Form, formKey, formsOf, type Pair, pairKey, pairsOf } from './forms.ts';
import { ModuleBuilder, type Signature } from './module.ts';
import * as R from './record.ts';
import {
  accessFunction,
  chainFunction,
  flagsFunction,
  followFunction,
  lazyFlagsFunction,
  logJumpFunction,
  mulHighFunction,
  probeJumpCache,
  segmentFunction,
  slowPath,
  withBudget,
} from './runtime-functions.ts';
import { addSettle, SETTLE } from './settle-function.ts';
import { addShortcuts, TIME_IN, TIME_TSC } from './shortcut-functions.ts';
import { STRING } from './string-function.ts';
import { WasmBuilder } from './wasm-builder.ts';

/** The models, in the order of the exported functions. */
const ADDRESSINGS: readonly Addressing[] = ['flat32', 'flat64', 'general'];

/**
 * What TypeScript provides to the generated code. All offsets are host offsets; -1 or 0 as described makes it return.
 */
export interface Imports {
  /**
   * Host offset for an access that the TLB does not answer (linear address at ENGINE_LINEAR; size | write << 8), or -1.
   */
  slow(state: number, record: number, access: number): number;
  /** Executes the record's instruction; 0 to go on, else return. */
  execute(state: number, record: number): number;
  /** Block at ST_RIP, entered in the jump cache and, if `slot` is not 0, in that link; 0 to return. */
  lookup(state: number, slot: number): number;
  /** The record's instruction is to be executed by the evaluator after the return. */
  abort(state: number, record: number): void;
  /** A block has run often: translates what is around it, and writes the block's H_HEAT anew. */
  hot(state: number, block: number): void;
  /**
   * As {@link slow}, {@link abort} and {@link execute} for a site of a region, with the region's budget in the state
   * page.
   */
  regionAccess(state: number, site: number, access: number): number;
  regionAbort(state: number, site: number): void;
  regionExecute(state: number, site: number): number;
  /** The budget does not reach over the block at a site. */
  regionStop(state: number, site: number): void;
}

/** Functions of the generated module that regions call, by name. */
export const REGION_CALLS = [
  'access',
  'abort',
  'execute',
  'chain',
  'stop',
  'flags',
  'segment',
  'timeIn',
  'timeTsc',
  'string',
  'settle',
] as const;

/** The interpreter's code and what handler each form has. */
export interface Program {
  /** The module. */
  readonly bytes: Uint8Array;
  /** Handlers by form, one map per addressing. */
  readonly handlers: Readonly<Record<Addressing, ReadonlyMap<number, number>>>;
  /** Handlers of a comparison with the jump after it, one map per addressing. */
  readonly pairs: Readonly<Record<Addressing, ReadonlyMap<number, number>>>;
  /** Functions in the table by form with an index register (or no memory), one map per addressing. */
  readonly functions: Readonly<Record<Addressing, ReadonlyMap<number, number>>>;
  /** Functions in the table that may do without TypeScript what it would execute, by `shortcutKey`. */
  readonly shortcuts: ReadonlyMap<number, number>;
}

/** Signatures of {@link REGION_CALLS}. */
export const REGION_SIGNATURES: Readonly<Record<(typeof REGION_CALLS)[number], Signature>> = {
  access: { params: [I32, I32, I64, I32, I32], results: [I32] },
  abort: { params: [I32, I32, I32], results: [] },
  execute: { params: [I32, I32, I32], results: [I32] },
  chain: { params: [I32, I64, I32], results: [I32] },
  stop: { params: [I32, I32, I32], results: [] },
  flags: { params: [I32], results: [I32] },
  segment: { params: [I32, I32, I64, I32], results: [I64] },
  timeIn: TIME_IN,
  timeTsc: TIME_TSC,
  string: STRING,
  settle: SETTLE,
};
/** A region: (state) -> block to go on at, or 0 to leave. */
export const REGION_SIGNATURE: Signature = { params: [I32], results: [I32] };

/**
 * Generates the module, for memories of any size. `translator`: its loops count how often blocks run, and run regions.
 */
export function generate(shared: boolean, translator: boolean): Program {
  const m = new ModuleBuilder();
  const three = { params: [I32, I32, I32], results: [I32] };
  const slow = m.importFunction('slow', three);
  const execute = m.importFunction('execute', { params: [I32, I32], results: [I32] });
  const lookup = m.importFunction('lookup', { params: [I32, I32], results: [I32] });
  const abort = m.importFunction('abort', { params: [I32, I32], results: [] });
  const hot = m.importFunction('hot', { params: [I32, I32], results: [] });
  const regionAccess = m.importFunction('regionAccess', three);
  const regionAbort = m.importFunction('regionAbort', { params: [I32, I32], results: [] });
  const regionExecute = m.importFunction('regionExecute', { params: [I32, I32], results: [I32] });
  const regionStop = m.importFunction('regionStop', { params: [I32, I32], results: [] });
  if (translator) m.importTable('regions');
  const functions: Functions = {
    abort,
    slowPath: m.reserve(),
    flags: m.reserve(),
    follow: m.reserve(),
    mulHigh: m.reserve(),
    segment: m.reserve(),
    settle: addSettle(m),
    logJump: translator ? m.reserve() : undefined,
  };
  m.define(functions.slowPath, slowPath(slow));
  const lazy = m.reserve();
  m.define(lazy, lazyFlagsFunction());
  m.define(functions.flags, flagsFunction(lazy), 'flags');
  m.define(functions.follow, followFunction(lookup));
  m.define(functions.mulHigh, mulHighFunction());
  if (functions.logJump !== undefined) m.define(functions.logJump, logJumpFunction());
  m.define(functions.segment, segmentFunction(), 'segment');
  m.define(m.reserve(), accessFunction(REGION_SIGNATURES.access, regionAccess), 'access');
  m.define(m.reserve(), withBudget(REGION_SIGNATURES.abort, regionAbort), 'abort');
  m.define(m.reserve(), withBudget(REGION_SIGNATURES.execute, regionExecute), 'execute');
  m.define(m.reserve(), withBudget(REGION_SIGNATURES.stop, regionStop), 'stop');
  const region = m.type(REGION_SIGNATURE);
  if (translator)
    m.define(m.reserve(), chainFunction(REGION_SIGNATURES.chain, functions.follow, region), 'chain');
  const handlers: Record<Addressing, Map<number, number>> = {
    flat32: new Map(),
    flat64: new Map(),
    general: new Map(),
  };
  const pairs: Record<Addressing, Map<number, number>> = {
    flat32: new Map(),
    flat64: new Map(),
    general: new Map(),
  };
  const table: Record<Addressing, Map<number, number>> = {
    flat32: new Map(),
    flat64: new Map(),
    general: new Map(),
  };
  const inRegisters = new Map<number, number>(); // the same for every addressing
  for (const addressing of ADDRESSINGS) {
    for (const form of coldFormsOf(addressing)) {
      const key = formKey(form.insn, false);
      if (table[addressing].has(key)) continue; // several encodings have it
      let entry = inRegisters.get(key);
      if (entry === undefined) {
        const index = m.reserve();
        m.define(index, formFunction(addressing, form, functions));
        entry = m.inTable(index);
        if (isVectorInRegisters(form)) inRegisters.set(key, entry);
      }
      table[addressing].set(key, entry);
    }
  }
  const shortcuts = addShortcuts(m, { execute, follow: functions.follow });
  const indirect = m.type(HANDLER_SIGNATURE);
  for (const addressing of ADDRESSINGS) {
    const forms = new Map<number, Form>();
    for (const form of formsOf(addressing)) forms.set(formKey(form.insn, form.noFlags), form);
    let next = R.HANDLER_FIRST;
    for (const key of forms.keys()) handlers[addressing].set(key, next++);
    const fused = pairsOf(addressing);
    for (const { first, jump } of fused) pairs[addressing].set(pairKey(first.insn, jump), next++);
    const regions = translator ? { hot, type: region } : undefined;
    const calls = { execute, indirect, table: m.ownTable, regions };
    const code = runFunction(addressing, [...forms.values()], fused, functions, calls);
    m.define(m.reserve(), code, addressing);
  }
  return { bytes: m.build(shared), handlers, pairs, functions: table, shortcuts };
}

/** What a loop calls beside handlers. */
interface LoopCalls {
  readonly execute: number;
  /** Type and table of the functions of {@link R.HANDLER_CALL}. */
  readonly indirect: number;
  readonly table: number;
  /** For the translator: the import, and the type of a region. */
  readonly regions: { readonly hot: number; readonly type: number } | undefined;
}

function runFunction(
  addressing: Addressing,
  forms: Form[],
  fused: Pair[],
  functions: Functions,
  calls: LoopCalls,
) {
  const e = new Emitter();
  const count = R.HANDLER_FIRST + forms.length + fused.length;
  e.get(LOCAL_STATE).mem(W.i32_load, L.ST_TLB).set(LOCAL_TLB);
  e.op(W.block, VOID, W.loop, VOID);
  if (calls.regions) countOrEnter(e, calls.regions);
  // A block: is there budget for all of it?
  e.get(LOCAL_STATE).mem(W.i32_load, L.ST_BUDGET).get(LOCAL_BLOCK).mem(W.i32_load, R.H_COUNT);
  e.op(W.i32_sub).tee(LOCAL_RECORD).i32(0).op(W.i32_lt_s, W.if, VOID);
  e.get(LOCAL_STATE).get(LOCAL_BLOCK).mem(W.i64_load, R.H_RIP).mem(W.i64_store, L.ST_RIP).br(2).op(W.end);
  e.get(LOCAL_STATE).get(LOCAL_RECORD).mem(W.i32_store, L.ST_BUDGET);
  e.get(LOCAL_STATE).get(LOCAL_BLOCK).mem(W.i32_store, L.ST_BLOCK);
  e.get(LOCAL_BLOCK).i32(R.HEADER_SIZE).op(W.i32_add).set(LOCAL_RECORD);
  openLabels(e);
  e.op(W.loop, VOID);
  for (let k = 0; k < count; k++) e.op(W.block, VOID);
  e.get(LOCAL_RECORD).mem(W.i32_load16_u, R.R_HANDLER).op(W.br_table).unsigned(count);
  for (let k = 0; k < count; k++) e.unsigned(k);
  e.unsigned(R.HANDLER_EXIT);
  for (let k = 0; k < count; k++) {
    e.op(W.end);
    const next = count - 1 - k;
    const labels = labelsAt(next + 1);
    const b = new WasmBuilder(e, functions, addressing, labels);
    if (k === R.HANDLER_EXIT) e.br(labels.exit);
    else if (k === R.HANDLER_EXECUTE) {
      b.values.apart(() => {
        e.get(LOCAL_STATE)
          .get(LOCAL_RECORD)
          .call(calls.execute)
          .brIf(1 + labels.exit);
      });
      nextRecord(e, next);
    } else if (k === R.HANDLER_CALL) {
      // 0: go on; 1: leave; else the next block.
      b.values.apart(() => {
        e.get(LOCAL_STATE).get(LOCAL_RECORD).get(LOCAL_RECORD).mem(W.i32_load16_u, R.R_FUNCTION);
        e.op(W.call_indirect).unsigned(calls.indirect).unsigned(calls.table).tee(LOCAL_BLOCK).op(W.if, VOID);
        e.get(LOCAL_BLOCK)
          .i32(1)
          .op(W.i32_ne)
          .brIf(2 + labels.go)
          .br(2 + labels.exit)
          .op(W.end);
      });
      nextRecord(e, next);
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
      b.flags.quiet = noFlags;
      b.begin(insn);
      SEMANTICS.get(insn.op)!(b, insn);
      if (!b.jumped) nextRecord(e, next);
    }
  }
  e.op(W.end);
  closeLabels(e, functions);
  e.op(W.end, W.end);
  return {
    signature: { params: [I32, I32, I32], results: [] },
    locals: [
      [1, I32],
      [1 + POOL64, I64],
      [POOL32, I32],
      [POOL128, V128],
    ] as const,
    code: e.bytes,
    unlikely: e.unlikely,
  };
}

/**
 * Counts down to the translation of the block, or runs its region. Labels outside: the loop over blocks, then the
 * function's block.
 */
function countOrEnter(e: Emitter, { hot, type }: { hot: number; type: number }): void {
  const heat = LOCAL_RECORD; // not in use here
  e.get(LOCAL_BLOCK).mem(W.i32_load, R.H_HEAT).tee(heat).i32(0).op(W.i32_gt_s, W.if, VOID);
  e.get(LOCAL_BLOCK).get(heat).i32(1).op(W.i32_sub).mem(W.i32_store, R.H_HEAT);
  e.op(W.else).get(heat).op(W.i32_eqz, W.if, VOID);
  e.get(LOCAL_STATE).get(LOCAL_BLOCK).call(hot).br(2).op(W.end);
  e.get(LOCAL_STATE).i32(0).get(heat).op(W.i32_sub, W.call_indirect).unsigned(type).op(0);
  e.tee(LOCAL_BLOCK).brIf(1).br(2).op(W.end);
}

/** Opens the blocks of {@link Labels.follow}, `jump` and `abort`, inside those of `exit` and `go`. */
function openLabels(e: Emitter): void {
  e.op(W.block, VOID, W.block, VOID, W.block, VOID);
}

/** What the handlers that leave by these labels have in common. */
function closeLabels(e: Emitter, { follow, abort }: Functions): void {
  // follow
  e.op(W.end).get(LOCAL_STATE).get(LOCAL_RECORD).mem(W.i64_load, 0);
  e.i32(0).get(LOCAL_RECORD).i32(R.RIP_TO_LINK).op(W.i32_add);
  e.get(LOCAL_RECORD).mem(W.i32_load, R.RIP_TO_LINK).op(W.select);
  e.call(follow).tee(LOCAL_BLOCK).brIf(2).br(3);
  // jump
  const entry = LOCAL_POOL32;
  e.op(W.end);
  probeJumpCache(e, LOCAL_STATE, LOCAL_RIP, entry);
  e.op(W.i32_eqz).rarely().op(W.if, VOID);
  e.get(LOCAL_STATE).get(LOCAL_RIP).i32(0).call(follow).tee(LOCAL_BLOCK).brIf(2).br(3);
  e.op(W.end).get(entry).mem(W.i32_load, 12).set(LOCAL_BLOCK).br(1);
  // abort
  e.op(W.end).get(LOCAL_STATE).get(LOCAL_RECORD).call(abort).br(1);
}

/** Vector instructions without memory, jumps or the stack: no addressing makes a difference. */
function isVectorInRegisters({ insn }: Form): boolean {
  const { op, kind0, kind1, kind2 } = insn;
  return VECTOR_OPS.has(op) && kind0 !== K_MEM && kind1 !== K_MEM && kind2 !== K_MEM;
}

/** A form as a function (state, record) -> 0 to go on, 1 to leave, or the next block. */
function formFunction(addressing: Addressing, { insn }: Form, functions: Functions) {
  const e = new Emitter();
  e.get(LOCAL_STATE).mem(W.i32_load, L.ST_TLB).set(LOCAL_TLB).op(W.block, VOID, W.block, VOID);
  openLabels(e);
  const b = new WasmBuilder(e, functions, addressing, labelsAt(0));
  b.operands.segmented = true;
  b.begin(insn);
  SEMANTICS.get(insn.op)!(b, insn);
  if (!b.jumped) e.i32(0).op(W.return);
  closeLabels(e, functions);
  e.op(W.end).get(LOCAL_BLOCK).op(W.return, W.end).i32(1);
  return {
    signature: HANDLER_SIGNATURE,
    locals: [
      [2, I32],
      [1 + POOL64, I64],
      [POOL32, I32],
      [POOL128, V128],
    ] as const,
    code: e.bytes,
    unlikely: e.unlikely,
  };
}

const HANDLER_SIGNATURE = { params: [I32, I32], results: [I32] };

function nextRecord(e: Emitter, next: number): void {
  e.get(LOCAL_RECORD).i32(R.RECORD_SIZE).op(W.i32_add).set(LOCAL_RECORD).br(next);
}
