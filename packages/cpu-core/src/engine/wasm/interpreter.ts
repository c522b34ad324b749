/** The generated interpreter, compiled: made once, used by any number of engines. */
import { generate, type Program } from './program.ts';

/** A program and its module. */
export interface Compiled {
  /** Where each form's handler is. */
  readonly program: Program;
  /** Compiled code. */
  readonly module: WebAssembly.Module;
}

/**
 * Holds the interpreter's code. Give the same one to several engines: it is generated and compiled when first needed.
 */
export class Interpreter {
  readonly #compiled = new Map<string, Compiled>();

  /** @internal */
  forMemory(shared: boolean, translator: boolean): Compiled {
    const key = `${shared} ${translator}`;
    const known = this.#compiled.get(key);
    if (known) return known;
    const compiled = compile(shared, translator);
    this.#compiled.set(key, compiled);
    return compiled;
  }
}

function compile(shared: boolean, translator: boolean): Compiled {
  const program = generate(shared, translator);
  return { program, module: new WebAssembly.Module(program.bytes as BufferSource) };
}
