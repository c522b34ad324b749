/** Makes processors in a shared memory and keeps what they have decoded in step with it. */
import {
  CR4_SMAP,
  checkOptions,
  isFlag,
  isObject,
  isOneOf,
  isShape,
  isWhole,
  maybe,
  type OptionShape,
  RFLAGS_AC,
  refuse,
  SEG_CS,
  SmmError,
} from '@smm/x86-defs';
import { HookedAddresses } from '../hooked-addresses.ts';
import { Hooks } from '../hooks.ts';
import * as L from '../layout.ts';
import type { ProcessorBehaviour, RamWindow } from '../ports.ts';
import { Processor } from '../processor.ts';
import type { ProcessorPorts } from '../processor-options.ts';
import { CpuState } from '../state.ts';
import { Views } from '../state-access.ts';
import { availability } from '../system/availability.ts';
import { HELPERS } from '../system/helpers.ts';
import { type CpuModel, isCpuModel } from '../system/models.ts';
import { BlockBuilder } from './block-builder.ts';
import { CodePages } from './code-pages.ts';
import { CORE_SIZE, Core } from './core.ts';
import { Evaluator } from './evaluator.ts';
import { Fetcher } from './fetch.ts';
import { GeneratedCode } from './generated-code.ts';
import { GeneratedTier } from './generated-tier.ts';
import { GuestMemory } from './guest-memory.ts';
import { Stepper } from './stepper.ts';
import { TLB_SIZE } from './tlb.ts';
import type { TranslationStatistics } from './translator/translator.ts';
import { Interpreter } from './wasm/interpreter.ts';

/** Bytes of decoded code without which there is no point in running. */
const MINIMUM_CACHE = 65_536;
/** MODE_SET_SHIFT has room for so many. */
const SETS_LIMIT = 256;

/**
 * How instructions are executed. `translator`: the generated interpreter, and code made at run time for what is hot;
 * `interpreter`: the generated interpreter alone (tier 0); `evaluator`: one description after another, in plain
 * TypeScript. The guest cannot tell them apart.
 */
export type TierName = 'translator' | 'interpreter' | 'evaluator';

/** All tiers, the fastest first. */
export const TIER_NAMES: readonly TierName[] = ['translator', 'interpreter', 'evaluator'];

/** When code is translated, and how much of it is kept. Nothing that the guest can see depends on these. */
export interface TranslatorOptions {
  /** Runs of a block after which the code around it is translated. 1: at once. */
  readonly threshold?: number;
  /** Bytes of generated code that may be live at a time; the oldest goes first. */
  readonly codeBudget?: number;
}

/** Where an engine keeps its own data. */
export interface EngineOptions {
  /** The memory, guest RAM included. Generated code needs a `WebAssembly.Memory`, see `createWindow`. */
  window: RamWindow;
  /** Host offset of the engine's part of the window, bytes, a multiple of 4096. */
  cacheOffset: number;
  /** Size of that part, bytes. 303,104 per processor, the rest for decoded code: 16 MiB is plenty. */
  cacheSize: number;
  /** Generated code to share with other engines; each makes its own (50 ms) by default. */
  interpreter?: Interpreter;
  /** For processors with tier `translator`. */
  translator?: TranslatorOptions;
}

/** What a processor is made of. */
export interface CreateProcessorOptions {
  /** Processor index, 0-based. */
  index: number;
  /** Its surroundings. */
  ports: ProcessorPorts;
  /** CPUID model. */
  model: CpuModel;
  /** Switches; the SDM's behaviour by default. */
  behaviour?: Partial<ProcessorBehaviour>;
  /** Bootstrap processor: starts at the reset vector; the others wait for a SIPI. */
  bsp: boolean;
  /** Default `translator`. */
  tier?: TierName;
}

const PROCESSOR_SHAPE: OptionShape<CreateProcessorOptions> = {
  index: isWhole(0, 0xffff),
  ports: isObject,
  model: isCpuModel,
  behaviour: maybe(isObject),
  bsp: isFlag,
  tier: maybe(isOneOf(TIER_NAMES)),
};

const ENGINE_SHAPE: OptionShape<EngineOptions> = {
  window: isShape<{ buffer: unknown }>({ buffer: isObject }),
  cacheOffset: isWhole(0),
  cacheSize: isWhole(1),
  interpreter: maybe((option, value) => {
    isObject(option, value);
    if (typeof (value as Partial<Interpreter>).forMemory !== 'function')
      refuse(option, value, 'an Interpreter');
  }),
  translator: maybe(
    isShape<TranslatorOptions>({
      threshold: maybe(isWhole(1, 0x3fff_ffff)),
      codeBudget: maybe(isWhole(1)),
    }),
  ),
};

/** Executes instructions for any number of processors that share a memory. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #views: Views;
  readonly #cores: Core[] = [];
  readonly #code: CodePages;
  /** What the processors made so far have, by MODE_SET_SHIFT's number. */
  readonly #sets: Uint8Array[] = [];
  /** Code that hooks of some processor name. */
  readonly #hooked = new HookedAddresses();
  /** End of the part not given to processors: they are laid out from the end, decoded code from the start. */
  #end: number;
  #builder: BlockBuilder | undefined;
  readonly #generated = new Map<'translator' | 'interpreter', GeneratedCode>();

  /**
   * @throws SmmError `ENGINE_LAYOUT` if the engine's part is misaligned or outside the window, `OPTION_VALUE` for
   * translator options that are no counts.
   */
  constructor(options: EngineOptions) {
    checkOptions('the options of an engine', options, ENGINE_SHAPE);
    const { window, cacheOffset, cacheSize } = options;
    if (cacheOffset % 4096 || cacheOffset + cacheSize > window.buffer.byteLength) {
      throw new SmmError(
        'ENGINE_LAYOUT',
        `the engine's memory ${cacheOffset}+${cacheSize} does not fit the window of ${window.buffer.byteLength} bytes`,
        'Choose a multiple of 4096 inside the window.',
        { cacheOffset, cacheSize },
      );
    }
    this.#options = options;
    this.#views = new Views(window);
    this.#code = new CodePages(this.#views, this.#cores);
    this.#end = cacheOffset + cacheSize;
  }

  /**
   * Makes a processor in its power-up state.
   * @throws SmmError `ENGINE_FULL` if the engine's memory is too small for one more, `OPTION_VALUE` for an index or a
   * tier that is none.
   */
  createProcessor(options: CreateProcessorOptions): Processor {
    checkOptions('the options of a processor', options, PROCESSOR_SHAPE);
    const base = this.#allocate(options.index);
    const core = new Core(this.#views, new CpuState(this.#views, base));
    const { index, ports, model, behaviour } = options;
    const available = availability(model);
    const cpu = new Processor({
      index,
      state: core.state,
      ports,
      model,
      available,
      instructionSet: this.#instructionSet(available),
      ...(behaviour && { behaviour }),
    });
    core.cpu = cpu;
    const memory = new GuestMemory(core, this.#code);
    cpu.memory = memory;
    const fetcher = new Fetcher(core, memory);
    const stepper = new Stepper(core, fetcher, memory, HELPERS);
    const { tier = 'translator' } = options;
    cpu.tier =
      tier === 'evaluator'
        ? new Evaluator(core, fetcher, stepper)
        : new GeneratedTier(core, memory, fetcher, stepper, this.#code, this.#generate(tier));
    memory.flush();
    cpu.onModeChanged = modeHook(core, memory);
    cpu.hooks = this.#hooks(core, memory);
    this.#cores.push(core);
    cpu.reset('power-up', options.bsp);
    return cpu;
  }

  /** The number of a set of encodings: decoded code is shared by processors of one set alone. */
  #instructionSet(available: Uint8Array): number {
    const known = this.#sets.findIndex((set) => set.every((has, feature) => has === available[feature]));
    if (known >= 0) return known;
    if (this.#sets.length === SETS_LIMIT)
      throw new SmmError(
        'ENGINE_MODELS',
        `an engine has processors of at most ${SETS_LIMIT} different instruction sets`,
        'Use fewer CPU models.',
        {},
      );
    return this.#sets.push(available) - 1;
  }

  #hooks(core: Core, memory: GuestMemory): Hooks {
    return new Hooks(core.cpu, {
      code: (hooks, changed, added) => {
        core.codeHooks = hooks;
        if (added) this.#hooked.add(changed);
        else this.#hooked.delete(changed);
        // What was decoded without the hook, or is cut short by it, is decoded anew.
        this.#code.dropModes(L.MODE_HOOKED);
        for (const each of this.#cores) each.leaveBlock = true;
        core.cpu.setModeBit(L.MODE_HOOKED, hooks !== undefined);
      },
      memory: (hooks) => memory.watch(hooks),
    });
  }

  #allocate(index: number): number {
    const base = Math.floor((this.#end - CORE_SIZE) / 4096) * 4096;
    const room = base - this.#options.cacheOffset;
    if (room < MINIMUM_CACHE || this.#builder?.shrink(base) === false) {
      throw new SmmError(
        'ENGINE_FULL',
        `no room for processor ${index}: it needs ${CORE_SIZE} bytes beside ${MINIMUM_CACHE} of decoded code`,
        'Give the engine a larger cacheSize, and create processors before running any.',
        { index },
      );
    }
    this.#end = base;
    return base;
  }

  /** The generated code for a tier. */
  #generate(tier: 'translator' | 'interpreter'): GeneratedCode {
    const known = this.#generated.get(tier);
    if (known) return known;
    const { window, cacheOffset } = this.#options;
    if (!(window instanceof WebAssembly.Memory)) {
      throw new SmmError(
        'ENGINE_WINDOW',
        'generated code needs a WebAssembly.Memory as window',
        "Make the window with createWindow, or choose tier 'evaluator'.",
      );
    }
    const shared = !(window.buffer instanceof ArrayBuffer);
    const interpreter = this.#options.interpreter ?? new Interpreter();
    const compiled = interpreter.forMemory(shared, tier === 'translator');
    this.#builder ??= new BlockBuilder(
      this.#views,
      this.#code,
      compiled.program,
      this.#hooked,
      cacheOffset,
      this.#end,
    );
    const generated = new GeneratedCode({
      memory: window,
      interpreter: compiled,
      builder: this.#builder,
      views: this.#views,
      code: this.#code,
      ...(tier === 'translator' && { translator: this.#options.translator ?? {} }),
    });
    this.#generated.set(tier, generated);
    return generated;
  }

  /** What the translator has done so far; undefined before a processor with tier `translator` was made. */
  get translations(): TranslationStatistics | undefined {
    return this.#generated.get('translator')?.translator?.statistics;
  }

  /** Tells that host memory changed other than by a processor's store: DMA, a debugger, a restored snapshot. */
  written(hostOffset: number, length: number): void {
    this.#code.written(hostOffset, length);
  }

  /**
   * One byte per 4 KiB host page: 1 if a processor may have written it, or {@link written} named it, since the byte was
   * last cleared by the caller (who then also flushes all processors, or it may stay 0).
   */
  get touchedPages(): Uint8Array {
    return this.#code.touched;
  }
}

/**
 * Chooses the TLB by privilege; drops translations where RFLAGS.AC, which SMAP looks at, is another; and empties the
 * jump cache where the code segment moved: it knows RIPs only.
 */
function modeHook(core: Core, memory: GuestMemory): () => void {
  let base = Number.NaN;
  let limit = Number.NaN;
  let access = 0;
  return () => {
    const { state } = core;
    const allowed = state.cr4 & CR4_SMAP ? state.get32(L.ST_EFLAGS) & RFLAGS_AC : 0;
    if (allowed !== access) {
      access = allowed;
      memory.flush();
    }
    state.set32(L.ST_TLB, state.mode & L.MODE_USER ? core.tlb + TLB_SIZE : core.tlb);
    if (state.segBase(SEG_CS) === base && state.segLimit(SEG_CS) === limit) return;
    base = state.segBase(SEG_CS);
    limit = state.segLimit(SEG_CS);
    core.jumpFilled.clear();
  };
}
