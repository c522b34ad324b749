/** Puts a module together. Source: WebAssembly Core Specification, "Modules" in "Binary Format". */
import { Emitter, W } from './emitter.ts';

/** Parameters and results. */
export interface Signature {
  params: readonly number[];
  results: readonly number[];
}

/** A function body: locals after the parameters as runs of one type, then code without the final `end`. */
export interface Body {
  signature: Signature;
  locals: readonly (readonly [count: number, type: number])[];
  code: Uint8Array;
  /** Offsets into the code of `if`s and `br_if`s that are hardly ever taken. */
  unlikely?: readonly number[];
}

/** Imported functions come first in the index space, then the bodies in order of {@link ModuleBuilder.reserve}. */
export class ModuleBuilder {
  readonly #imports: { name: string; signature: Signature }[] = [];
  readonly #bodies: (Body | undefined)[] = [];
  readonly #table: number[] = [];
  #importedTable: string | undefined;
  readonly #types: Signature[] = [];
  readonly #exports: { name: string; index: number }[] = [];

  /** Declares an imported function; all imports before the first {@link reserve}. Returns its index. */
  importFunction(name: string, signature: Signature): number {
    this.#imports.push({ name, signature });
    return this.#imports.length - 1;
  }

  /** Imports a table of functions; before the first {@link inTable}. Its index is 0. */
  importTable(name: string): void {
    this.#importedTable = name;
  }

  /** Index of the table that {@link inTable} fills. */
  get ownTable(): number {
    return this.#importedTable === undefined ? 0 : 1;
  }

  /** Index of a function whose body comes later. */
  reserve(): number {
    this.#bodies.push(undefined);
    return this.#imports.length + this.#bodies.length - 1;
  }

  /** Puts a function into the table. Returns its index there. */
  inTable(index: number): number {
    this.#table.push(index);
    return this.#table.length - 1;
  }

  /** Index of a type, for `call_indirect`. */
  type(signature: Signature): number {
    const same = this.#types.findIndex(
      (t) => String(t.params) === String(signature.params) && String(t.results) === String(signature.results),
    );
    if (same >= 0) return same;
    this.#types.push(signature);
    return this.#types.length - 1;
  }

  /** Supplies a body. */
  define(index: number, body: Body, exportName?: string): void {
    this.#bodies[index - this.#imports.length] = body;
    if (exportName !== undefined) this.#exports.push({ name: exportName, index });
  }

  /** The module. The imported memory `env.memory` may have any size. */
  build(shared: boolean): Uint8Array {
    const bodies = this.#bodies.map((body, i) => {
      if (!body) throw new RangeError(`wasm: function ${i} has no body`);
      return body;
    });
    const imports = new Emitter().unsigned(this.#imports.length + 1 + this.ownTable);
    for (const { name, signature } of this.#imports) {
      imports.name('env').name(name).op(0).unsigned(this.type(signature));
    }
    imports
      .name('env')
      .name('memory')
      .op(2, shared ? 3 : 0)
      .unsigned(1);
    if (shared) imports.unsigned(65536); // a shared memory has to have a maximum
    if (this.#importedTable !== undefined)
      imports.name('env').name(this.#importedTable).op(1, 0x70, 0).unsigned(0);
    const functions = new Emitter().unsigned(bodies.length);
    for (const body of bodies) functions.unsigned(this.type(body.signature));
    const exports = new Emitter().unsigned(this.#exports.length);
    for (const { name, index } of this.#exports) exports.name(name).op(0).unsigned(index);
    const elements = new Emitter().unsigned(1).op(2).unsigned(this.ownTable).i32(0).op(W.end, 0);
    elements.unsigned(this.#table.length);
    for (const index of this.#table) elements.unsigned(index);
    const code = new Emitter().unsigned(bodies.length);
    for (const body of bodies) {
      const one = locals(body);
      one.append(body.code).op(W.end);
      code.unsigned(one.bytes.length).append(one.bytes);
    }
    const typeSection = new Emitter().unsigned(this.#types.length);
    for (const type of this.#types) {
      typeSection
        .op(0x60)
        .unsigned(type.params.length)
        .op(...type.params);
      typeSection.unsigned(type.results.length).op(...type.results);
    }
    const out = new Emitter().op(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
    const sections: (readonly [number, Emitter])[] = [
      [1, typeSection],
      [2, imports],
      [3, functions],
      ...(this.#table.length > 0
        ? [[4, new Emitter().op(1, 0x70, 0).unsigned(this.#table.length)] as const]
        : []),
      [7, exports],
      ...(this.#table.length > 0 ? [[9, elements] as const] : []),
      ...(bodies.some((body) => body.unlikely) ? [[0, this.#branchHints(bodies)] as const] : []),
      [10, code],
    ];
    for (const [id, section] of sections) out.op(id).unsigned(section.bytes.length).append(section.bytes);
    return out.bytes.slice();
  }

  /** Source: WebAssembly "Branch Hinting" proposal: hosts that do not know it skip the section. */
  #branchHints(bodies: readonly Body[]): Emitter {
    const hinted = bodies.map((body, i) => ({ body, index: this.#imports.length + i }));
    const some = hinted.filter(({ body }) => body.unlikely);
    const section = new Emitter().name('metadata.code.branch_hint').unsigned(some.length);
    for (const { body, index } of some) {
      const offset = locals(body).length;
      section.unsigned(index).unsigned(body.unlikely!.length);
      for (const at of body.unlikely!)
        section
          .unsigned(offset + at)
          .unsigned(1)
          .op(0);
    }
    return section;
  }
}

/** The declaration of a body's locals. */
function locals(body: Body): Emitter {
  const e = new Emitter().unsigned(body.locals.length);
  for (const [count, type] of body.locals) e.unsigned(count).op(type);
  return e;
}
