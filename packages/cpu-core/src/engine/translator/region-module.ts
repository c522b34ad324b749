/**
 * A module of several regions. It imports the memory and a table of tier 0's functions, through which regions call
 * TypeScript and go on in other regions. An import of a function would cost more to set up than many a region to
 * compile, and its address a register in every region.
 */
import { Emitter, W } from '../wasm/emitter.ts';
import { ModuleBuilder } from '../wasm/module.ts';
import { REGION_CALLS, REGION_SIGNATURE, REGION_SIGNATURES } from '../wasm/program.ts';
import type { RegionCode } from './region-emitter.ts';
import type { RegionFunctions } from './value-emitter.ts';

/**
 * The table that a module imports. Each has its own: V8 keeps all instances that import a table for as long as that
 * lives, and with each a copy of the table. `functions`: exports of the generated module.
 */
export function tableOfCalls(functions: WebAssembly.Exports): WebAssembly.Table {
  const table = new WebAssembly.Table({ element: 'anyfunc', initial: REGION_CALLS.length });
  REGION_CALLS.forEach((name, i) => {
    table.set(i, functions[name] as never);
  });
  return table;
}

/** Collects regions. */
export class RegionModule {
  readonly #module = new ModuleBuilder();
  readonly #calls = new Map<string, number>();
  #count = 0;
  /** For {@link RegionEmitter}: a function becomes part of the module when its index is first asked for. */
  readonly functions: RegionFunctions;

  constructor() {
    this.#module.importTable('calls');
    const functions = {};
    REGION_CALLS.forEach((name, i) => {
      Object.defineProperty(functions, name, { get: () => this.#calls.get(name) ?? this.#call(name, i) });
    });
    this.functions = functions as unknown as RegionFunctions;
  }

  /** A function of this module that calls an entry of the table. */
  #call(name: (typeof REGION_CALLS)[number], entry: number): number {
    const signature = REGION_SIGNATURES[name];
    const e = new Emitter();
    for (let parameter = 0; parameter < signature.params.length; parameter++) e.get(parameter);
    e.i32(entry).op(W.return_call_indirect).unsigned(this.#module.type(signature)).op(0);
    const index = this.#module.reserve();
    this.#module.define(index, { signature, locals: [], code: e.bytes });
    this.#calls.set(name, index);
    return index;
  }

  /** Adds a region; they are exported as `0`, `1`... */
  add(code: RegionCode): void {
    this.#module.define(
      this.#module.reserve(),
      { signature: REGION_SIGNATURE, ...code },
      String(this.#count++),
    );
  }

  /** The module. */
  build(shared: boolean): Uint8Array {
    return this.#module.build(shared);
  }
}
