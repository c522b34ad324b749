/** The generated interpreter, compiled: made once, used by any number of engines. */
import { generate, type Program } from './program.ts';

/** A program and its module. */
export interface Compiled {
  /** Where each form's handler is. */
  readonly program: Program;
  /** Compiled code. */
  readonly module: WebAssembly.Module;
}

/** Holds the interpreter's code. Give the same one to several engines: it is generated and compiled when first needed. */
export class Interpreter {
  #plain: Compiled | undefined;
  #shared: Compiled | undefined;

  /** @internal */
  forMemory(shared: boolean): Compiled {
    const compiled = (shared ? this.#shared : this.#plain) ?? compile(shared);
    if (shared) this.#shared = compiled;
    else this.#plain = compiled;
    return compiled;
  }
}

function compile(shared: boolean): Compiled {
  const program = generate(shared);
  return { program, module: new WebAssembly.Module(program.bytes as BufferSource) };
}
