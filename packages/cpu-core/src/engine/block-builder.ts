/** Decodes blocks into the op cache. */
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_SS } from '@smm/x86-defs';
import { decodeFields } from '../decode/decode.ts';
import type { HookedAddresses } from '../hooked-addresses.ts';
import { Insn, K_IMM, K_MEM, K_MM, K_REG, K_REL, K_XMM, REG_NONE, REG_RIP } from '../insn.ts';
import * as L from '../layout.ts';
import { ENDS_BLOCK, OP, opsWith, opTable, VECTOR_OPS } from '../ops.ts';
import { SEMANTICS } from '../semantics/semantics.ts';
import type { Views } from '../state-access.ts';
import { nextRip } from './branch.ts';
import { Block, type CodePages, highRip } from './code-pages.ts';
import type { Core } from './core.ts';
import { codeSize, type Fetcher, linearRip } from './fetch.ts';
import { FLAGS_KEEPS, FLAGS_SETS, flagUse } from './flag-use.ts';
import { FormIndex, NO_HANDLER } from './form-index.ts';
import type { Translator } from './translator/translator.ts';
import type { Addressing } from './wasm/convention.ts';
import type { Program } from './wasm/program.ts';
import * as R from './wasm/record.ts';
import { shortcutKey } from './wasm/shortcut-functions.ts';

/** Most instructions of a block. */
export const BLOCK_LIMIT = 32;
/** Most bytes of a block in the op cache. */
const BLOCK_BYTES = R.HEADER_SIZE + (BLOCK_LIMIT + 2) * R.RECORD_SIZE;
const TWO_POW_32 = 0x1_0000_0000;

/** Addressing of a mode word. */
export function addressingOf(mode: number): Addressing {
  const code = mode & L.MODE_CODE_MASK;
  if (code === 2) return 'flat64';
  const flat = L.MODE_FLAT_CODE | L.MODE_FLAT_DATA | L.MODE_SS32;
  return code === 1 && (mode & flat) === flat ? 'flat32' : 'general';
}

/** Vector instructions hold as generated code: they raise neither #UD nor #NM. */
export function hasVectorCode(mode: number): boolean {
  return (mode & L.MODE_SSE) !== 0;
}

/** Byte of a register operand in a record: offset in the register file, or among the XMM or x87 registers. */
function registerByte(kind: number, value: number): number {
  return kind === K_REG ? value : kind === K_XMM || kind === K_MM ? value * 16 : 0;
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
  readonly #forms: Readonly<Record<Addressing, FormIndex>>;
  /** Functions of instructions for TypeScript that may do without it. */
  readonly #shortcuts: Program['shortcuts'];
  /** Code that some processor's hooks name. */
  readonly #hooked: HookedAddresses;
  readonly #start: number;
  #end: number;
  #free: number;
  /** Blocks and instructions for TypeScript by their indices; what is beyond the counts is to be used again. */
  readonly #blocks: Block[] = [];
  #blockCount = 0;
  readonly #instructions: Executable[] = [];
  #instructionCount = 0;
  /** The block being built: its instructions, and the slots of their forms. */
  readonly #scratch: Insn[] = Array.from({ length: BLOCK_LIMIT }, () => new Insn());
  readonly #slots = new Int32Array(BLOCK_LIMIT);
  /** How often the op cache was emptied. */
  generation = 0;
  /** Told of all that is decoded and forgotten, if there is one. */
  translator: Translator | undefined;

  constructor(
    views: Views,
    code: CodePages,
    program: Program,
    hooked: HookedAddresses,
    start: number,
    end: number,
  ) {
    this.#hooked = hooked;
    this.#views = views;
    this.#code = code;
    this.#forms = {
      flat32: new FormIndex(program, 'flat32'),
      flat64: new FormIndex(program, 'flat64'),
      general: new FormIndex(program, 'general'),
    };
    this.#shortcuts = program.shortcuts;
    this.#start = start;
    this.#free = start;
    this.#end = end;
    code.onDrop = (block) => {
      const { i32 } = this.#views;
      if (block.incoming) i32[block.incoming >>> 2] = R.LINK_OPEN;
      if (block.moreIncoming) for (const link of block.moreIncoming) i32[link >>> 2] = R.LINK_OPEN;
      i32[(block.host + R.H_COUNT) >>> 2] = R.DEAD;
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
   * (it comes from a device, or is hooked). Faults of the first instruction's fetch are raised.
   */
  build(core: Core, fetcher: Fetcher, host: number): Block | undefined {
    if (this.#free + BLOCK_BYTES > this.#end) this.#clear();
    const { state, views } = core;
    const { available } = core.cpu;
    const mode = state.mode;
    const limit = state.segLimit(SEG_CS);
    const ripLow = state.get32(L.ST_RIP);
    const list = this.#scratch;
    const size = codeSize(mode);
    const onPage = 0x1000 - (host & 0xfff);
    const end = host + (size === 64 ? onPage : Math.min(onPage, limit - ripLow + 1));
    const hooked = mode & L.MODE_HOOKED ? this.#hooked : undefined;
    const linear = hooked === undefined ? 0 : linearRip(state);
    const flat = (mode & L.MODE_FLAT_CODE) !== 0;
    if (hooked?.cuts(linear, flat)) return undefined;
    let at = host;
    let count = 0;
    while (count < BLOCK_LIMIT && at < end) {
      if (hooked?.cuts(linear + at - host, flat)) break;
      const insn = list[count]!;
      const length = decodeFields(views.u8, at, end - at, size, insn, available);
      if (length === 0) break;
      at += length;
      count++;
      if (TRAITS[insn.op]! & T_ENDS) break;
    }
    let tail = 0;
    let tailPage = -1;
    if (count === 0) {
      // The first instruction reaches over the page (or it faults): a block of its own.
      const insn = fetcher.fetch();
      if (fetcher.host < 0 || fetcher.secondHost < 0) return undefined;
      list[0] = insn.clone();
      count = 1;
      at = host + 0x1000 - (host & 0xfff);
      tail = insn.length - (at - host);
      tailPage = fetcher.secondHost;
    }
    const block = this.#newBlock();
    block.host = this.#free;
    block.ripLow = ripLow | 0;
    block.ripHigh = state.get32(L.ST_RIP + 4) | 0;
    block.mode = mode;
    block.limitBits = limit | 0;
    block.start = host;
    block.length = at - host;
    block.tail = tail;
    block.tailPage = tailPage;
    this.#emit(core, block, count);
    this.#code.add(block);
    return block;
  }

  /** A fresh block, known by its index. */
  #newBlock(): Block {
    let block = this.#blocks[this.#blockCount];
    if (block === undefined) {
      block = new Block();
      this.#blocks.push(block);
    } else {
      block.incoming = 0;
      block.moreIncoming = undefined;
      block.dead = false;
    }
    this.#blockCount++;
    return block;
  }

  /**
   * Starts the op cache anew. Blocks write all their words, so what lies there needs no erasing; the objects are used
   * again.
   */
  #clear(): void {
    this.translator?.clear();
    this.#code.clear();
    this.#blockCount = 0;
    this.#instructionCount = 0;
    this.#free = this.#start;
    this.generation++;
  }

  #emit(core: Core, block: Block, count: number): void {
    const { i32 } = core.views;
    const list = this.#scratch;
    const last = list[count - 1]!;
    const addressing = addressingOf(block.mode);
    const forms = this.#forms[addressing];
    const header = block.host >>> 2;
    for (let at = header; at < header + (R.HEADER_SIZE >>> 2); at++) i32[at] = 0;
    i32[header + (R.H_RIP >>> 2)] = block.ripLow;
    i32[header + (R.H_RIP >>> 2) + 1] = block.ripHigh;
    i32[header + (R.H_COUNT >>> 2)] = count;
    i32[header + (R.H_TAKEN >>> 2)] = count;
    i32[header + (R.H_INDEX >>> 2)] = this.#blockCount - 1;
    i32[header + (R.H_HEAT >>> 2)] = this.translator?.threshold ?? R.COLD_FOR_EVER;
    let record = block.host + R.HEADER_SIZE;
    let offset = 0;
    let jumps = false;
    for (let k = 0; k < count; k++) {
      const { length } = list[k]!;
      jumps = this.#record(core, block, addressing, forms, k, record >>> 2, offset);
      offset += length;
      record += R.RECORD_SIZE;
    }
    if (jumps) record += R.RECORD_SIZE;
    else if (TRAITS[last.op]! & T_ENDS) {
      this.#plain(record >>> 2, R.HANDLER_CONTINUE, 0, 0);
      record += R.RECORD_SIZE;
    } else {
      this.#plain(record >>> 2, R.HANDLER_NEXT, 0, 0);
      const low = block.ripLow + offset;
      const high = highRip(block, low);
      this.#extension(block, record >>> 2, low | 0, high, low | 0, high);
      record += 2 * R.RECORD_SIZE;
    }
    this.#dropDeadFlags(block, forms, count);
    if (jumps && last.op === OP.JCC && count > 1) this.#fuse(block, forms, last, count);
    this.#free = record;
  }

  /** Writes a record without operands. `at` is a word index. */
  #plain(at: number, handler: number, offset: number, immediate: number): void {
    const { i32 } = this.#views;
    i32[at] = handler | (handler << 16);
    i32[at + (R.R_OFFSET >>> 2)] = offset;
    i32[at + (R.R_REG >>> 2)] = 0;
    i32[at + (R.R_INDEX >>> 2)] = 0;
    i32[at + (R.R_IMM >>> 2)] = immediate;
    i32[at + (R.R_IMM >>> 2) + 1] = 0;
    i32[at + (R.R_DISP >>> 2)] = 0;
    i32[at + (R.R_DISP >>> 2) + 1] = 0;
  }

  /**
   * Writes the record of instruction `k`, which starts `offset` bytes after the block's RIP, at word index `at`.
   * Returns true if it is a jump with an extension.
   */
  #record(
    core: Core,
    block: Block,
    addressing: Addressing,
    forms: FormIndex,
    k: number,
    at: number,
    offset: number,
  ): boolean {
    const { i32 } = this.#views;
    const insn = this.#scratch[k]!;
    const traits = TRAITS[insn.op]!;
    const { kind0, kind1, kind2, segment } = insn;
    const memory = kind0 === K_MEM || kind1 === K_MEM || kind2 === K_MEM;
    // RIP of the next instruction, and of the target, in signed halves
    const sum = block.ripLow + offset + insn.length;
    const low = sum | 0;
    const high = highRip(block, sum);
    let targetLow = 0;
    let targetHigh = 0;
    if (kind0 === K_REL) {
      targetLow = (low + insn.imm) | 0;
      if ((block.mode & L.MODE_CODE_MASK) === 2) {
        const carry = (low >>> 0) + (insn.imm >>> 0) >= TWO_POW_32 ? 1 : 0;
        targetHigh = (high + (insn.imm >> 31) + carry) | 0;
      } else if (insn.size === 2 && core.cpu.behaviour.truncateNearBranchTo16) targetLow &= 0xffff;
    }
    const general = addressing === 'general';
    const far = !general && memory && insn.op !== OP.LEA && segment >= SEG_FS;
    let handler = NO_HANDLER;
    let called = 0;
    if (
      traits & T_SEMANTICS &&
      (traits & T_IDLE || this.#eligible(block, addressing, insn, memory, targetLow, targetHigh))
    ) {
      const slot = forms.slot(insn);
      this.#slots[k] = slot;
      if (!far) handler = forms.handler[slot]!;
      if (handler < 0) {
        called = forms.called[slot]!;
        if (called >= 0) handler = R.HANDLER_CALL;
        else called = 0;
      }
    }
    if (handler < 0) {
      if (block.tail === 0) insn.keepBytes(this.#views.u8, block.start + offset);
      const rip = nextRip(block.mode, block.rip, offset);
      const number = this.#instructionCount++;
      this.#plain(at, R.HANDLER_EXECUTE, offset, number);
      this.#scratch[k] = this.#instructions[number]?.insn ?? new Insn();
      this.#instructions[number] = { insn, rip, next: nextRip(block.mode, rip, insn.length) };
      const shortcut = this.#shortcuts.get(shortcutKey(insn) ?? -1);
      if (shortcut !== undefined) this.#shortcut(block, insn, at, low, high, shortcut);
      return false;
    }
    i32[at] = handler | (handler << 16);
    i32[at + (R.R_OFFSET >>> 2)] = offset | (called << 16); // and R_FUNCTION
    const relative = insn.base === REG_RIP;
    const base = relative || insn.base === REG_NONE ? L.ST_ZERO : insn.base * 8;
    i32[at + (R.R_REG >>> 2)] =
      registerByte(kind0, insn.val0) |
      (registerByte(kind1, insn.val1) << 8) |
      (registerByte(kind2, insn.val2) << 16) |
      (base << 24); // R_BASE
    const index = insn.index === REG_NONE ? L.ST_ZERO : insn.index * 8;
    const base8 = general ? segment : (far ? L.ST_SEG_BASE + segment * 8 : L.ST_ZERO) >>> 3;
    const unused = general ? 32 - insn.addressSize * 8 : 0;
    // R_SCALE, R_SEGMENT, R_UNUSED_BITS
    i32[at + (R.R_INDEX >>> 2)] = index | (insn.scale << 8) | (base8 << 16) | (unused << 24);
    i32[at + (R.R_IMM >>> 2)] = insn.imm;
    i32[at + (R.R_IMM >>> 2) + 1] = 0;
    let wideLow = memory ? insn.disp : insn.imm;
    let wideHigh = memory ? insn.dispHigh : insn.immHigh;
    if (relative) {
      const carry = (wideLow >>> 0) + (low >>> 0) >= TWO_POW_32 ? 1 : 0;
      wideLow = (wideLow + low) | 0;
      wideHigh = (wideHigh + high + carry) | 0;
    }
    i32[at + (R.R_DISP >>> 2)] = wideLow;
    i32[at + (R.R_DISP >>> 2) + 1] = wideHigh;
    if (!(traits & T_ENDS)) return false;
    this.#extension(block, at, low, high, targetLow, targetHigh);
    return true;
  }

  /** Makes a record for TypeScript one that may do without it. RIP of the next instruction in signed halves. */
  #shortcut(block: Block, insn: Insn, at: number, nextLow: number, nextHigh: number, index: number): void {
    const { i32, u16 } = this.#views;
    i32[at] = R.HANDLER_CALL | (R.HANDLER_CALL << 16);
    u16[at * 2 + (R.R_FUNCTION >>> 1)] = index;
    u16[at * 2 + (R.R_PORT >>> 1)] = insn.imm & 0xff;
    i32[at + (R.R_NEXT >>> 2)] = nextLow;
    i32[at + (R.R_NEXT >>> 2) + 1] = nextHigh;
    i32[at + (R.R_LINK >>> 2)] = linkTo(block, nextLow, nextHigh);
  }

  /** Writes the extension of the record at word index `at`. RIPs in signed halves. */
  #extension(
    block: Block,
    at: number,
    nextLow: number,
    nextHigh: number,
    targetLow: number,
    targetHigh: number,
  ): void {
    const { i32 } = this.#views;
    i32[at + (R.X_NEXT >>> 2)] = nextLow;
    i32[at + (R.X_NEXT >>> 2) + 1] = nextHigh;
    i32[at + (R.X_LINK_NEXT >>> 2)] = linkTo(block, nextLow, nextHigh);
    i32[at + (R.X_LINK_NEXT >>> 2) + 1] = 0;
    i32[at + (R.X_TARGET >>> 2)] = targetLow;
    i32[at + (R.X_TARGET >>> 2) + 1] = targetHigh;
    i32[at + (R.X_LINK_TARGET >>> 2)] = linkTo(block, targetLow, targetHigh);
    i32[at + (R.X_LINK_TARGET >>> 2) + 1] = 0;
  }

  /** The generated handlers assume this of the operands. */
  #eligible(
    block: Block,
    addressing: Addressing,
    i: Insn,
    memory: boolean,
    targetLow: number,
    targetHigh: number,
  ): boolean {
    const native = addressing === 'flat64' ? 8 : 4;
    const traits = TRAITS[i.op]!;
    if (traits & T_VECTOR && !hasVectorCode(block.mode)) return false;
    if (memory) {
      if (i.addressSize !== native && addressing !== 'general') return false;
      if (i.op !== OP.LEA) {
        if (addressing === 'flat32' && i.segment !== SEG_DS && i.segment !== SEG_SS && i.segment !== SEG_ES)
          return false;
        if (traits & T_BIT_TEST && i.kind1 !== K_IMM) return false;
      }
    }
    if (traits & T_LOOPS && i.addressSize !== native) return false;
    if (i.kind0 !== K_REL) return true;
    if (addressing !== 'flat64') return targetLow >>> 0 <= block.limit;
    const sign = targetHigh >> 15; // canonical: bits 63 to 47 are equal
    return sign === 0 || sign === -1;
  }

  /** Joins a comparison with the conditional jump after it; the exact handlers stay apart. */
  #fuse(block: Block, forms: FormIndex, jump: Insn, count: number): void {
    const { u16 } = this.#views;
    const record = (block.host + R.HEADER_SIZE + (count - 2) * R.RECORD_SIZE) >>> 1;
    if (u16[record]! < R.HANDLER_FIRST || u16[record + (R.RECORD_SIZE >>> 1)]! < R.HANDLER_FIRST) return;
    const joined = forms.joined(this.#slots[count - 2]!, jump);
    if (joined >= 0) u16[record] = joined;
  }

  /**
   * Replaces handlers whose flags nobody sees: overwritten before a use, with nothing in between that may leave the
   * block.
   */
  #dropDeadFlags(block: Block, forms: FormIndex, count: number): void {
    const { u16 } = this.#views;
    let live = true;
    for (let k = count - 1; k >= 0; k--) {
      const insn = this.#scratch[k]!;
      const at = (block.host + R.HEADER_SIZE + k * R.RECORD_SIZE) >>> 1;
      const handler = u16[at]!;
      if (handler === R.HANDLER_EXECUTE || handler === R.HANDLER_CALL) {
        live = true;
        continue;
      }
      if (!live) {
        const quiet = forms.quiet[this.#slots[k]!]!;
        if (quiet >= 0) {
          u16[at] = quiet;
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

/** Initial link word for a RIP, in signed halves: what lies on the block's own page can be linked. */
function linkTo(block: Block, low: number, high: number): number {
  const distance = ((high >>> 0) - (block.ripHigh >>> 0)) * TWO_POW_32 + (low >>> 0) - (block.ripLow >>> 0);
  const from = distance + (block.start & 0xfff);
  return from >= 0 && from < 0x1000 && block.tail === 0 ? R.LINK_OPEN : R.LINK_NEVER;
}

const T_SEMANTICS = 1;
const T_IDLE = 2;
const T_ENDS = 4;
const T_LOOPS = 8;
const T_BIT_TEST = 16;
const T_VECTOR = 32;
/** What matters here about an operation. */
const TRAITS = opTable(
  [T_SEMANTICS, SEMANTICS.keys()],
  [T_IDLE, opsWith('idle')],
  [T_ENDS, ENDS_BLOCK],
  [T_LOOPS, opsWith('counts')],
  [T_BIT_TEST, opsWith('bitTest')],
  [T_VECTOR, VECTOR_OPS],
);
