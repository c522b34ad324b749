/** Makes processors in a shared memory and keeps what they have decoded in step with it. */
import { SmmError } from '@smm/x86-defs';
import type { ProcessorBehaviour, RamWindow } from '../ports.ts';
import { Processor, type ProcessorPorts } from '../processor.ts';
import { CpuState, Views } from '../state.ts';
import type { CpuModel } from '../system/models.ts';
import { CodePages } from './code-pages.ts';
import { CORE_SIZE, type Core, createCore } from './core.ts';
import { Evaluator } from './evaluator.ts';
import { Fetcher } from './fetch.ts';
import { GuestMemory } from './guest-memory.ts';
import { HELPERS } from './helper-table.ts';
import { Stepper } from './stepper.ts';

/** How instructions are executed. */
export type TierName = 'wasm' | 'evaluator';

/** Where an engine keeps its own data. */
export interface EngineOptions {
  /** The memory, guest RAM included. The `wasm` tier needs a `WebAssembly.Memory`, see `createWindow`. */
  window: RamWindow;
  /** Host offset of the engine's part of the window, bytes, a multiple of 4096. */
  cacheOffset: number;
  /** Size of that part, bytes. 102,400 per processor, the rest for decoded code: 16 MiB is plenty. */
  cacheSize: number;
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
  /** Default `wasm`. */
  tier?: TierName;
}

/** Executes instructions for any number of processors that share a memory. */
export class Engine {
  readonly #options: EngineOptions;
  readonly #views: Views;
  readonly #cores: Core[] = [];
  readonly #code: CodePages;
  #free: number;

  /** @throws SmmError `ENGINE_LAYOUT` if the engine's part is misaligned or outside the window. */
  constructor(options: EngineOptions) {
    const { window, cacheOffset, cacheSize } = options;
    if (cacheOffset % 4096 || cacheOffset < 0 || cacheOffset + cacheSize > window.buffer.byteLength) {
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
    this.#free = cacheOffset;
  }

  /**
   * Makes a processor in its power-up state.
   * @throws SmmError `ENGINE_FULL` if the engine's memory is too small for one more.
   */
  createProcessor(options: CreateProcessorOptions): Processor {
    const base = this.#free;
    const end = this.#options.cacheOffset + this.#options.cacheSize;
    if (base + CORE_SIZE > end) {
      throw new SmmError(
        'ENGINE_FULL',
        `no room for processor ${options.index}: ${CORE_SIZE} bytes needed, ${end - base} left`,
        'Give the engine a larger cacheSize.',
        { index: options.index },
      );
    }
    this.#free += CORE_SIZE;
    const core = createCore(this.#views, new CpuState(this.#views, base));
    const { index, ports, model, behaviour } = options;
    const cpu = new Processor({ index, state: core.state, ports, model, ...(behaviour && { behaviour }) });
    core.cpu = cpu;
    const memory = new GuestMemory(core, this.#code);
    cpu.memory = memory;
    const fetcher = new Fetcher(core, memory);
    const stepper = new Stepper(core, fetcher, HELPERS);
    cpu.tier = new Evaluator(core, fetcher, stepper);
    memory.flush();
    this.#cores.push(core);
    cpu.reset('power-up', options.bsp);
    return cpu;
  }

  /** Tells that host memory changed other than by a processor's store: DMA, a debugger, a restored snapshot. */
  written(hostOffset: number, length: number): void {
    this.#code.written(hostOffset, length);
  }

  /**
   * One byte per 4 KiB host page: 1 if a processor may have written it since the byte was last cleared by the caller (who
   * then also flushes all processors, or it may stay 0).
   */
  get touchedPages(): Uint8Array {
    return this.#code.touched;
  }
}
