/** Decodes blocks into the op cache. */
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_SS } from '@smm/x86-defs';
import { decode } from '../decode/decode.ts';
import { Insn, K_IMM, K_MEM, K_REG, K_REL, REG_NONE, REG_RIP } from '../insn.ts';
import * as L from '../layout.ts';
import { ENDS_BLOCK, OP } from '../ops.ts';
import { SEMANTICS } from '../semantics/semantics.ts';
import type { Views } from '../state.ts';
import { isCanonical, nextRip, relativeTarget } from './branch.ts';
import type { Block, CodePages } from './code-pages.ts';
import type { Core } from './core.ts';
import { codeSize, type Fetcher } from './fetch.ts';
import { FLAGS_KEEPS, FLAGS_SETS, flagUse } from './flag-use.ts';
import type { Translator } from './translator/translator.ts';
import type { Model } from './wasm/convention.ts';
import { formKey, IDLE, pairKey } from './wasm/forms.ts';
import type { Program } from './wasm/program.ts';
import * as R from './wasm/record.ts';
import { shortcutKey } from './wasm/shortcut-functions.ts';

/** Most instructions of a block. */
export const BLOCK_LIMIT = 32;
/** Most bytes of a block in the op cache. */
const BLOCK_BYTES = R.HEADER_SIZE + (BLOCK_LIMIT + 2) * R.RECORD_SIZE;

/** Addressing model of a mode word. */
export function modelOf(mode: number): Model {
  const code = mode & L.MODE_CODE_MASK;
  if (code === 2) return 'flat64';
  const flat = L.MODE_FLAT_CODE | L.MODE_FLAT_DATA | L.MODE_SS32;
  return code === 1 && (mode & flat) === flat ? 'flat32' : 'general';
}

/** An instruction that TypeScript executes. */
export interface Executable {
  readonly insn: Insn;
  readonly rip: bigint;
  /** RIP of the instruction after it. */
  readonly next: bigint;
}

/** Fills the op cache of an engine; blocks are shared by its processors. */
export class BlockBuilder {
  readonly #views: Views;
  readonly #code: CodePages;
  readonly #program: Program;
  readonly #start: number;
  #end: number;
  #free: number;
  #blocks: Block[] = [];
  #instructions: Executable[] = [];
  readonly #scratch: Insn[] = Array.from({ length: BLOCK_LIMIT }, () => new Insn());
  /** How often the op cache was emptied. */
  generation = 0;
  /** Told of all that is decoded and forgotten, if there is one. */
  translator: Translator | undefined;

  constructor(views: Views, code: CodePages, program: Program, start: number, end: number) {
    this.#views = views;
    this.#code = code;
    this.#program = program;
    this.#start = start;
    this.#free = start;
    this.#end = end;
    code.onDrop = (block) => {
      for (const link of block.incoming) this.#views.i32[link >>> 2] = R.LINK_OPEN;
      this.#views.i32[(block.host + R.H_COUNT) >>> 2] = R.DEAD;
      this.translator?.dropped(block);
    };
  }

  /** Gives up the upper part of the op cache, from a host offset on. False if decoded code is in the way. */
  shrink(end: number): boolean {
    if (end - this.#start < 4 * BLOCK_BYTES || this.#free > end) return false;
    this.#end = end;
    return true;
  }

  /** The block whose header is at this host offset. */
  blockAt(core: Core, header: number): Block {
    return this.#blocks[core.views.i32[(header + R.H_INDEX) >>> 2]!]!;
  }

  /** The instruction that a record's immediate names. */
  instruction(index: number): Executable {
    return this.#instructions[index]!;
  }

  /**
   * Decodes the block at ST_RIP, whose first byte is at `host`. Undefined if not even one instruction can be cached
   * (it comes from a device). Faults of the first instruction's fetch are raised.
   */
  build(core: Core, fetcher: Fetcher, host: number): Block | undefined {
    if (this.#free + BLOCK_BYTES > this.#end) this.#clear();
    const { state, views } = core;
    const mode = state.mode;
    const limit = state.segLimit(SEG_CS);
    const rip = state.rip;
    const list = this.#scratch;
    const size = codeSize(mode);
    const onPage = 0x1000 - (host & 0xfff);
    const end = host + (size === 64 ? onPage : Math.min(onPage, limit - Number(rip) + 1));
    let at = host;
    let count = 0;
    while (count < BLOCK_LIMIT && at < end) {
      const insn = list[count]!;
      const length = decode(views.u8, at, end - at, size, insn);
      if (length === 0) break;
      at += length;
      count++;
      if (ENDS_BLOCK.has(insn.op)) break;
    }
    let tail = 0;
    let tailPage = -1;
    if (count === 0) {
      // The first instruction reaches over the page (or it faults): a block of its own.
      const insn = fetcher.fetch(rip);
      if (fetcher.host < 0 || fetcher.secondHost < 0) return undefined;
      list[0] = insn.clone();
      count = 1;
      at = host + 0x1000 - (host & 0xfff);
      tail = insn.length - (at - host);
      tailPage = fetcher.secondHost;
    }
    const block: Block = {
      host: this.#free,
      rip,
      ripLow: Number(BigInt.asIntN(32, rip)),
      ripHigh: Number(BigInt.asIntN(32, rip >> 32n)),
      mode,
      limit,
      start: host,
      length: at - host,
      tail,
      tailPage,
      incoming: [],
      dead: false,
    };
    this.#emit(core, block, list, count);
    this.#code.add(block);
    return block;
  }

  /** Starts the op cache anew. Blocks write all their words, so what lies there needs no erasing. */
  #clear(): void {
    this.translator?.clear();
    this.#code.clear();
    this.#blocks = [];
    this.#instructions = [];
    this.#free = this.#start;
    this.generation++;
  }

  #emit(core: Core, block: Block, list: readonly Insn[], count: number): void {
    const { i32, u64 } = core.views;
    const model = modelOf(block.mode);
    const header = block.host >>> 2;
    i32.fill(0, header, (block.host + BLOCK_BYTES) >>> 2);
    u64[block.host >>> 3] = block.rip;
    i32[header + (R.H_COUNT >>> 2)] = count;
    i32[header + (R.H_TAKEN >>> 2)] = count;
    i32[header + (R.H_INDEX >>> 2)] = this.#blocks.length;
    i32[header + (R.H_HEAT >>> 2)] = this.translator?.threshold ?? R.COLD_FOR_EVER;
    this.#blocks.push(block);
    let record = block.host + R.HEADER_SIZE;
    let next = block.rip;
    let jumps = false;
    for (let k = 0; k < count; k++) {
      const insn = list[k]!;
      const rip = next;
      next = nextRip(block.mode, rip, insn.length);
      jumps = this.#record(core, block, model, insn, record, rip, next);
      record += R.RECORD_SIZE;
    }
    const last = list[count - 1]!;
    if (jumps) record += R.RECORD_SIZE;
    else if (ENDS_BLOCK.has(last.op)) {
      i32[record >>> 2] = R.HANDLER_CONTINUE | (R.HANDLER_CONTINUE << 16);
      record += R.RECORD_SIZE;
    } else {
      i32[record >>> 2] = R.HANDLER_NEXT | (R.HANDLER_NEXT << 16);
      this.#extension(core, block, record, next, next);
      record += 2 * R.RECORD_SIZE;
    }
    this.#dropDeadFlags(core, block, model, list, count);
    if (jumps && last.op === OP.JCC && count > 1)
      this.#fuse(core, block, model, list[count - 2]!, last, count);
    this.#free = record;
  }

  /** Writes one record. Returns true if it is a jump with an extension. */
  #record(
    core: Core,
    block: Block,
    model: Model,
    insn: Insn,
    record: number,
    rip: bigint,
    next: bigint,
  ): boolean {
    const { i32, u8, u16, i64 } = core.views;
    const at = record >>> 2;
    u16[(record + R.R_OFFSET) >>> 1] = Number(BigInt.asUintN(16, rip - block.rip));
    const target = insn.kind0 === K_REL ? relativeTarget(core.cpu, insn, next) : 0n;
    const general = model === 'general';
    const far = !general && usesSegmentBase(insn);
    let handler: number | undefined;
    let index: number | undefined;
    if (this.#eligible(block, model, insn, target)) {
      if (!far) handler = this.#program.handlers[model].get(formKey(insn, false));
      if (handler === undefined) {
        index = this.#program.functions[model].get(formKey(insn, false, true));
        if (index !== undefined) handler = R.HANDLER_CALL;
      }
    }
    if (handler === undefined) {
      i32[at] = R.HANDLER_EXECUTE | (R.HANDLER_EXECUTE << 16);
      i32[at + (R.R_IMM >>> 2)] = this.#instructions.length;
      this.#instructions.push({ insn: insn.clone(), rip, next });
      const shortcut = this.#program.shortcuts.get(shortcutKey(insn) ?? -1);
      if (shortcut !== undefined) this.#shortcut(core, block, insn, record, next, shortcut);
      return false;
    }
    i32[at] = handler | (handler << 16);
    if (index !== undefined) u16[(record + R.R_FUNCTION) >>> 1] = index;
    u8[record + R.R_SEGMENT] = (far ? L.ST_SEG_BASE + insn.segment * 8 : L.ST_ZERO) >>> 3;
    if (general) {
      u8[record + R.R_SEGMENT] = insn.segment;
      u8[record + R.R_UNUSED_BITS] = 32 - insn.addressSize * 8;
    }
    u8[record + R.R_REG] = insn.kind0 === K_REG ? insn.val0 : 0;
    u8[record + R.R_REG + 1] = insn.kind1 === K_REG ? insn.val1 : 0;
    u8[record + R.R_REG + 2] = insn.kind2 === K_REG ? insn.val2 : 0;
    i32[at + (R.R_IMM >>> 2)] = insn.imm;
    const relative = insn.base === REG_RIP;
    u8[record + R.R_BASE] = relative || insn.base === REG_NONE ? L.ST_ZERO : insn.base * 8;
    u8[record + R.R_INDEX] = insn.index === REG_NONE ? L.ST_ZERO : insn.index * 8;
    u8[record + R.R_SCALE] = insn.scale;
    const memory = insn.kind0 === K_MEM || insn.kind1 === K_MEM || insn.kind2 === K_MEM;
    let wide = memory
      ? (BigInt(insn.dispHigh) << 32n) | BigInt(insn.disp >>> 0)
      : (BigInt(insn.immHigh) << 32n) | BigInt(insn.imm >>> 0);
    if (relative) wide += next;
    i64[(record + R.R_DISP) >>> 3] = wide;
    if (!SEMANTICS.has(insn.op) || !ENDS_BLOCK.has(insn.op)) return false;
    this.#extension(core, block, record, next, target);
    return true;
  }

  /** Makes a record for TypeScript one that may do without it. */
  #shortcut(core: Core, block: Block, insn: Insn, record: number, next: bigint, index: number): void {
    const { i32, u16, u64 } = core.views;
    i32[record >>> 2] = R.HANDLER_CALL | (R.HANDLER_CALL << 16);
    u16[(record + R.R_FUNCTION) >>> 1] = index;
    u16[(record + R.R_PORT) >>> 1] = insn.imm & 0xff;
    u64[(record + R.R_NEXT) >>> 3] = next;
    i32[(record + R.R_LINK) >>> 2] = this.#openLink(block, next);
  }

  #extension(core: Core, block: Block, record: number, next: bigint, target: bigint): void {
    const { i32, u64 } = core.views;
    u64[(record + R.X_NEXT) >>> 3] = next;
    u64[(record + R.X_TARGET) >>> 3] = target;
    i32[(record + R.X_LINK_NEXT) >>> 2] = this.#openLink(block, next);
    i32[(record + R.X_LINK_TARGET) >>> 2] = this.#openLink(block, target);
  }

  /** What a link from a block to a RIP starts as. */
  #openLink(block: Block, rip: bigint): number {
    const from = Number(BigInt.asIntN(32, rip - block.rip)) + (block.start & 0xfff);
    const far = rip - block.rip !== BigInt(Number(BigInt.asIntN(32, rip - block.rip)));
    return !far && from >= 0 && from < 0x1000 && block.tail === 0 ? R.LINK_OPEN : R.LINK_NEVER;
  }

  /** The generated handlers assume this of the operands. */
  #eligible(block: Block, model: Model, i: Insn, target: bigint): boolean {
    if (!SEMANTICS.has(i.op)) return false;
    if (IDLE.has(i.op)) return true;
    const memory = i.kind0 === K_MEM || i.kind1 === K_MEM || i.kind2 === K_MEM;
    const native = model === 'flat64' ? 8 : 4;
    if (memory) {
      if (i.addressSize !== native && model !== 'general') return false;
      if (i.op !== OP.LEA) {
        if (model === 'flat32' && !FLAT_SEGMENTS.has(i.segment)) return false;
        if ((i.op === OP.BT || i.op === OP.BTS || i.op === OP.BTR || i.op === OP.BTC) && i.kind1 !== K_IMM)
          return false;
      }
    }
    if (LOOPS.has(i.op) && i.addressSize !== native) return false;
    if (i.kind0 !== K_REL) return true;
    return model === 'flat64' ? isCanonical(target) : target <= BigInt(block.limit);
  }

  /** Joins a comparison with the conditional jump after it; the exact handlers stay apart. */
  #fuse(core: Core, block: Block, model: Model, first: Insn, jump: Insn, count: number): void {
    const { u16 } = core.views;
    const record = (block.host + R.HEADER_SIZE + (count - 2) * R.RECORD_SIZE) >>> 1;
    if (u16[record]! < R.HANDLER_FIRST || u16[record + (R.RECORD_SIZE >>> 1)]! < R.HANDLER_FIRST) return;
    const pair = this.#program.pairs[model].get(pairKey(first, jump));
    if (pair !== undefined) u16[record] = pair;
  }

  /** Replaces handlers whose flags nobody sees: overwritten before a use, with nothing in between that may leave the block. */
  #dropDeadFlags(core: Core, block: Block, model: Model, list: readonly Insn[], count: number): void {
    const { u16 } = core.views;
    let live = true;
    for (let k = count - 1; k >= 0; k--) {
      const insn = list[k]!;
      const at = (block.host + R.HEADER_SIZE + k * R.RECORD_SIZE) >>> 1;
      if (u16[at] === R.HANDLER_EXECUTE || u16[at] === R.HANDLER_CALL) {
        live = true;
        continue;
      }
      if (!live) {
        const handler = this.#program.handlers[model].get(formKey(insn, true));
        if (handler !== undefined) {
          u16[at] = handler;
          continue; // reads no flags any more (INC and DEC keep CF)
        }
      }
      const memory = insn.kind0 === K_MEM || insn.kind1 === K_MEM || insn.kind2 === K_MEM;
      if (memory && insn.op !== OP.LEA) live = true;
      else {
        const use = flagUse(insn);
        if (use === FLAGS_SETS) live = false;
        else if (use !== FLAGS_KEEPS) live = true;
      }
    }
  }
}

const LOOPS: ReadonlySet<number> = new Set([OP.LOOP, OP.LOOPE, OP.LOOPNE, OP.JCXZ]);

/** A memory operand with an FS or GS override. */
function usesSegmentBase(i: Insn): boolean {
  const memory = i.kind0 === K_MEM || i.kind1 === K_MEM || i.kind2 === K_MEM;
  return memory && i.op !== OP.LEA && i.segment >= SEG_FS;
}

const FLAT_SEGMENTS: ReadonlySet<number> = new Set([SEG_ES, SEG_SS, SEG_DS]);
