/**
 * What an engine's processors run: the instance of the generated interpreter, and the table through which it and the
 * translated regions call each other.
 */
import type { Views } from '../state-access.ts';
import type { BlockBuilder } from './block-builder.ts';
import type { CodePages } from './code-pages.ts';
import type { GeneratedTier } from './generated-tier.ts';
import { Translator } from './translator/translator.ts';
import type { Addressing } from './wasm/convention.ts';
import type { Compiled } from './wasm/interpreter.ts';
import type { Imports } from './wasm/program.ts';

/** The generated loops: state base, 0, block header. */
export type RunFunctions = Readonly<
  Record<Addressing, (state: number, record: number, block: number) => void>
>;

/** Where generated code runs, and for whom. */
export interface GeneratedCodeOptions {
  /** The engine's memory. */
  readonly memory: WebAssembly.Memory;
  /** The interpreter. */
  readonly interpreter: Compiled;
  /** Makes its blocks. */
  readonly builder: BlockBuilder;
  /** The engine's views of the memory. */
  readonly views: Views;
  /** The engine's code. */
  readonly code: CodePages;
  /** Present if hot code is to be translated. */
  readonly translator?: { readonly threshold?: number; readonly codeBudget?: number };
}

/** Generated code of an engine and tier: all its processors run the same instance, one at a time. */
export class GeneratedCode {
  readonly builder: BlockBuilder;
  /** Absent for tier 0 alone. */
  readonly translator: Translator | undefined;
  /** The tier that runs now: calls from generated code are for it. */
  running: GeneratedTier | undefined;
  /** Entry points. */
  readonly functions: RunFunctions;

  constructor(options: GeneratedCodeOptions) {
    const { memory, interpreter, builder, views, code } = options;
    this.builder = builder;
    const running = (): GeneratedTier => this.running!;
    const imports: Imports = {
      slow: (state, record, access) => running().slow(state, record >>> 0, access),
      execute: (state, record) => running().execute(state, record >>> 0),
      lookup: (state, slot) => running().lookup(state, slot >>> 0),
      abort: (state, record) => running().abort(state, record >>> 0),
      hot: (state, block) => running().hot(state, block >>> 0),
      regionAccess: (state, site, access) => running().regionAccess(state, site, access),
      regionAbort: (state, site) => running().regionAbort(state, site),
      regionExecute: (state, site) => running().regionExecute(state, site),
      regionStop: (state, site) => running().regionStop(state, site),
    };
    const regions = new WebAssembly.Table({ element: 'anyfunc', initial: 64 });
    const { exports } = new WebAssembly.Instance(interpreter.module, {
      env: { memory, regions, ...imports },
    });
    this.functions = exports as unknown as RunFunctions;
    if (options.translator) {
      const shared = !(memory.buffer instanceof ArrayBuffer);
      this.translator = new Translator(
        views,
        code,
        builder,
        memory,
        regions,
        exports,
        shared,
        options.translator,
      );
      builder.translator = this.translator;
    }
  }
}
