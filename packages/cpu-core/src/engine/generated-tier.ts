/** Tier 0: the generated interpreter and its driver. */
import { SEG_CS } from '@smm/x86-defs';
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import { ACCESS_READ, ACCESS_WRITE } from '../ports.ts';
import type { Tier } from '../tier.ts';
import { addressingOf, BLOCK_LIMIT, type BlockBuilder, type Executable } from './block-builder.ts';
import { addLink, type Block, type CodePages, highRip } from './code-pages.ts';
import type { Core } from './core.ts';
import { peek, retiredNow } from './evaluator.ts';
import type { Fetcher } from './fetch.ts';
import type { GeneratedCode, RunFunctions } from './generated-code.ts';
import type { GuestMemory } from './guest-memory.ts';
import { JUMP_CACHE_ENTRY_SIZE, jumpCacheIndex } from './jump-cache.ts';
import type { Stepper } from './stepper.ts';
import type { Site } from './translator/region-emitter.ts';
import type { Addressing } from './wasm/convention.ts';
import type { Imports } from './wasm/program.ts';
import * as R from './wasm/record.ts';
import { ENGINE_LINEAR } from './wasm/runtime-functions.ts';

/** Not enough budget for the block at RIP, or the tail is done. */
const BACK_BUDGET = 16;
/** The evaluator is to execute the instruction at RIP, whose translations hold. */
const BACK_STEP = 17;
/** Look up RIP again: the mode changed, or code did. */
const BACK_CONTINUE = 18;
/**
 * Budget of one stay in generated code: V8 replaces a running function by its optimised code only when it is entered
 * again.
 */
const CHUNK = 500_000;

/** Runs a processor with generated code; the evaluator executes what that leaves. */
export class GeneratedTier implements Tier, Imports {
  readonly #core: Core;
  readonly #memory: GuestMemory;
  readonly #fetcher: Fetcher;
  readonly #stepper: Stepper;
  readonly #code: CodePages;
  readonly #generated: GeneratedCode;
  readonly #builder: BlockBuilder;
  #back = BACK_BUDGET;
  /** Handlers of a block while its tail runs. */
  readonly #fast = new Uint16Array(BLOCK_LIMIT + 1);

  constructor(
    core: Core,
    memory: GuestMemory,
    fetcher: Fetcher,
    stepper: Stepper,
    code: CodePages,
    generated: GeneratedCode,
  ) {
    this.#core = core;
    this.#memory = memory;
    this.#fetcher = fetcher;
    this.#stepper = stepper;
    this.#code = code;
    this.#generated = generated;
    this.#builder = generated.builder;
  }

  get #budget(): number {
    return this.#core.state.get32(L.ST_BUDGET) | 0;
  }

  run(): void {
    const { state } = this.#core;
    this.#generated.running = this;
    this.#core.startBudget = this.#budget;
    this.#core.held = 0;
    const exit = this.#loop();
    state.set32(L.ST_BUDGET, this.#budget + this.#core.held);
    this.#core.held = 0;
    state.set32(L.ST_EXIT, exit);
    if (exit === L.EXIT_ERROR) throw this.#stepper.error;
  }

  #loop(): number {
    const core = this.#core;
    const { state } = core;
    for (;;) {
      if (this.#budget <= 0 && core.held === 0) return L.EXIT_BUDGET;
      const total = this.#budget + core.held;
      const chunk = Math.min(total, CHUNK);
      core.held = total - chunk;
      state.set32(L.ST_BUDGET, chunk);
      this.#back = BACK_BUDGET;
      const block = this.#find();
      if (block) this.#enter(block);
      const back = this.#back;
      if (back === BACK_STEP) {
        const exit = this.#stepper.step(true);
        if (exit !== -1) return exit;
      } else if (back < BACK_BUDGET) return back;
    }
  }

  /** Runs generated code from a block on, or its first instructions where the budget does not reach to its end. */
  #enter(block: Block): void {
    const core = this.#core;
    const { state, views } = core;
    const run = this.#generated.functions[addressingOf(block.mode)];
    const header = block.host >>> 2;
    const count = views.i32[header + (R.H_COUNT >>> 2)]!;
    const budget = this.#budget;
    if (count <= budget) {
      run(state.base, 0, block.host);
      return;
    }
    if (core.held) {
      // A chunk's end is nobody's business: take from what is held back.
      const more = Math.min(core.held, CHUNK);
      core.held -= more;
      state.set32(L.ST_BUDGET, budget + more);
      return;
    }
    this.#tail(block, run, count, budget);
  }

  /** The tail of a budget: the block with flags exact everywhere and an exit where the budget ends. */
  #tail(block: Block, run: RunFunctions[Addressing], count: number, budget: number): void {
    const { state, views } = this.#core;
    const { i32, u16 } = views;
    const at = (k: number): number => block.host + R.HEADER_SIZE + k * R.RECORD_SIZE;
    const heat = (block.host + R.H_HEAT) >>> 2;
    const heatBefore = i32[heat]!;
    i32[heat] = R.COLD_FOR_EVER;
    const fast = this.#fast;
    for (let k = 0; k <= budget; k++) {
      const record = at(k) >>> 1;
      fast[k] = u16[record]!;
      u16[record] = k === budget ? R.HANDLER_EXIT : u16[(at(k) + R.R_EXACT) >>> 1]!;
    }
    i32[(block.host + R.H_COUNT) >>> 2] = budget;
    i32[(block.host + R.H_TAKEN) >>> 2] = budget;
    run(state.base, 0, block.host);
    for (let k = 0; k <= budget; k++) u16[at(k) >>> 1] = fast[k]!;
    i32[(block.host + R.H_COUNT) >>> 2] = block.dead ? R.DEAD : count;
    i32[(block.host + R.H_TAKEN) >>> 2] = count;
    i32[heat] = block.dead ? R.COLD_FOR_EVER : heatBefore;
    if (this.#back === BACK_BUDGET) this.#putRip(block, at(budget));
  }

  /** Puts RIP on a record's instruction. */
  #putRip(block: Block, record: number): void {
    const { state, views } = this.#core;
    const low = block.ripLow + views.u16[(record + R.R_OFFSET) >>> 1]!;
    state.set32(L.ST_RIP, low);
    state.set32(L.ST_RIP + 4, highRip(block, low));
  }

  /** The block at RIP, decoded if need be; undefined with the reason in #back. */
  #find(): Block | undefined {
    const core = this.#core;
    const { state, cpu } = core;
    const { mode } = state;
    const user = (mode & L.MODE_USER) !== 0;
    const low = state.get32(L.ST_RIP);
    const high = state.get32(L.ST_RIP + 4) | 0;
    const limit = state.segLimit(SEG_CS);
    const wide = (mode & L.MODE_CODE_MASK) === 2;
    const linear = wide ? high * 0x1_0000_0000 + low : (state.segBase(SEG_CS) + low) % 0x1_0000_0000;
    const canonical = linear < 0x8000_0000_0000 && linear >= -0x8000_0000_0000;
    cpu.insnRip = undefined;
    this.#memory.beginInstruction();
    try {
      // An unfetchable RIP: the step raises the fault.
      const host = canonical && (wide || low <= limit) ? this.#memory.fetchOffset(linear, user) : -1;
      if (host < 0) {
        this.#back = BACK_STEP;
        return undefined;
      }
      let block = this.#code.find(host, low | 0, high, mode, limit);
      if (block?.tail) {
        const second = this.#memory.fetchOffset(linear + 0x1000 - (linear & 0xfff), user);
        if (second !== block.tailPage) block = undefined;
      }
      block ??= this.#builder.build(core, this.#fetcher, host);
      if (!block) {
        this.#back = BACK_STEP;
        return undefined;
      }
      this.#enterJumpCache(block);
      return block;
    } catch (error) {
      if (error === cpu.pendingFault) this.#back = L.EXIT_FAULT;
      else {
        this.#stepper.error = error;
        this.#back = L.EXIT_ERROR;
      }
      return undefined;
    }
  }

  #enterJumpCache(block: Block): void {
    const { views, jumpCache, jumpFilled } = this.#core;
    const at = jumpCache + jumpCacheIndex(block.ripLow) * JUMP_CACHE_ENTRY_SIZE;
    const entry = at >>> 2;
    jumpFilled.add(at);
    views.i32[entry] = block.ripLow;
    views.i32[entry + 1] = block.ripHigh;
    views.i32[entry + 2] = block.mode;
    views.i32[entry + 3] = block.host;
  }

  lookup(_state: number, slot: number): number {
    // Nothing may be fetched for an instruction that this run does not reach: the translator would hear of it too
    // early.
    if (this.#budget <= 0) return 0;
    const { generation } = this.#builder;
    const block = this.#find();
    if (!block) return 0;
    if (slot && this.#builder.generation === generation) {
      const { i32 } = this.#core.views;
      if (block.tail) i32[slot >>> 2] = R.LINK_NEVER;
      else {
        i32[slot >>> 2] = block.host;
        addLink(block, slot);
      }
    }
    return block.host;
  }

  /** Puts RIP on the record's instruction; gives back the budget of it and of all after it. Returns that number. */
  #rewind(record: number): number {
    const { state, views } = this.#core;
    const header = state.get32(L.ST_BLOCK);
    const block = this.#builder.blockAt(this.#core, header);
    const index = (record - header - R.HEADER_SIZE) / R.RECORD_SIZE;
    this.#putRip(block, record);
    const back = views.i32[(header + R.H_TAKEN) >>> 2]! - index;
    state.set32(L.ST_BUDGET, this.#budget + back);
    return back;
  }

  slow(_state: number, record: number, access: number): number {
    // A translator may ask which instruction this is and what time: both must be exact while it works.
    return this.#access(this.#rewind(record), access);
  }

  /**
   * Finds the host offset for an access of the instruction at RIP; -1 leaves it to the evaluator. `rest`: budget to
   * take again if it goes on.
   */
  #access(rest: number, access: number): number {
    const core = this.#core;
    const { cpu, state } = core;
    const size = access & 0xff;
    const write = (access & 0x100) !== 0;
    const linear = state.getSigned(ENGINE_LINEAR);
    const user = (state.mode & L.MODE_USER) !== 0;
    cpu.insnRip = undefined;
    this.#back = BACK_STEP;
    this.#memory.beginInstruction();
    const crosses = (linear & 0xfff) + size > 0x1000;
    const canonical = linear < 0x8000_0000_0000 && linear >= -0x8000_0000_0000;
    if (!canonical) return -1;
    const kind = write ? ACCESS_WRITE : ACCESS_READ;
    try {
      const host = crosses
        ? this.#memory.translateAcross(linear, size, kind, user)
        : this.#memory.translate(linear, kind, user);
      const plain = host >= 0 && !this.#memory.isWatched(linear, size);
      if (plain && !(write && this.#hitsCode(host, size))) {
        state.set32(L.ST_BUDGET, this.#budget - rest);
        this.#back = BACK_BUDGET;
        return host;
      }
    } catch (error) {
      if (error === cpu.pendingFault) this.#back = L.EXIT_FAULT;
      else {
        this.#stepper.error = error;
        this.#back = L.EXIT_ERROR;
      }
    }
    return -1;
  }

  #hitsCode(host: number, size: number): boolean {
    const first = Math.min(size, 0x1000 - (host & 0xfff));
    if (this.#code.hits(host, first)) return true;
    return first < size && this.#code.hits(host + first, size - first);
  }

  abort(_state: number, record: number): void {
    this.#rewind(record);
    this.#back = BACK_STEP;
  }

  execute(_state: number, record: number): number {
    const { state, views } = this.#core;
    const header = state.get32(L.ST_BLOCK);
    const rest = views.i32[(header + R.H_TAKEN) >>> 2]! - (record - header - R.HEADER_SIZE) / R.RECORD_SIZE;
    return this.#execute(this.#builder.instruction(views.i32[(record + R.R_IMM) >>> 2]!), rest);
  }

  /** Executes an instruction whose block has taken the budget of `rest` instructions from this one on. 0 to go on. */
  #execute({ insn, rip, next }: Executable, rest: number): number {
    const core = this.#core;
    const { state } = core;
    state.set32(L.ST_BUDGET, this.#budget + rest);
    const { mode } = state;
    core.leaveBlock = false;
    this.#memory.beginInstruction();
    let exit = this.#stepper.execute(insn, rip, next);
    if (exit !== -1) {
      this.#back = exit;
      return 1;
    }
    state.set32(L.ST_BUDGET, this.#budget - 1);
    exit = this.#stepper.after();
    if (exit !== -1) {
      this.#back = exit;
      return 1;
    }
    if (core.leaveBlock || state.mode !== mode) {
      this.#back = BACK_CONTINUE;
      return 1;
    }
    state.set32(L.ST_BUDGET, this.#budget - (rest - 1));
    return 0;
  }

  hot(_state: number, block: number): void {
    this.#generated.translator!.hot(this.#core, this.#builder.blockAt(this.#core, block));
  }

  /** Puts RIP and budget on the instruction of a site. */
  #rewindTo({ rip, rest }: Site): number {
    const { state } = this.#core;
    state.rip = rip;
    state.set32(L.ST_BUDGET, this.#budget + rest);
    return rest;
  }

  regionAccess(_state: number, index: number, access: number): number {
    const site = this.#generated.translator!.site(index);
    const host = this.#access(this.#rewindTo(site), access);
    if (host === -1 || !site.region.dead) return host;
    // The walk wrote onto code of this very region (an accessed bit): the evaluator takes over from here.
    this.#rewindTo(site);
    this.#back = BACK_STEP;
    return -1;
  }

  regionAbort(_state: number, index: number): void {
    this.#rewindTo(this.#generated.translator!.site(index));
    this.#back = BACK_STEP;
  }

  regionExecute(_state: number, index: number): number {
    const site = this.#generated.translator!.site(index);
    const stop = this.#execute(site, site.rest);
    if (stop !== 0 || !site.region.dead) return stop;
    this.#core.state.set32(L.ST_BUDGET, this.#budget + site.rest - 1);
    this.#back = BACK_CONTINUE;
    return 1;
  }

  regionStop(_state: number, index: number): void {
    this.#rewindTo(this.#generated.translator!.site(index));
  }

  retiredNow(): number {
    return retiredNow(this.#core);
  }

  peek(): Insn | undefined {
    return peek(this.#core, this.#fetcher);
  }
}
