/** The generated code's handlers by instruction form, in flat arrays: one look-up per decoded instruction. */
import type { Insn } from '../insn.ts';
import type { Model } from './wasm/convention.ts';
import { FORM_INDEXED, FORM_NO_FLAGS, formKey, JUMP_KEYS, jumpKey } from './wasm/forms.ts';
import type { Program } from './wasm/program.ts';

/** A slot's value where the program has nothing. */
export const NO_HANDLER = -1;
/** Key of an empty place: no form has it. */
const EMPTY = -1;

/** An open-addressing hash table from form keys to slots, for one addressing model. */
export class FormIndex {
  /** Handler by slot. */
  readonly handler: Int16Array;
  /** Handler that leaves the flags alone, by slot. */
  readonly quiet: Int16Array;
  /** Function in the table, by slot; those of forms with an index register serve those without. */
  readonly called: Int32Array;
  readonly #keys: Int32Array;
  readonly #mask: number;
  /** Row of {@link #jumps} by slot: of a comparison that can be joined with the jump after it. */
  readonly #row: Int16Array;
  readonly #jumps: Int16Array;

  constructor(program: Program, model: Model) {
    const handlers = program.handlers[model];
    const functions = program.functions[model];
    const pairs = program.pairs[model];
    const keys = new Set<number>();
    for (const key of handlers.keys()) keys.add(key & ~FORM_NO_FLAGS);
    for (const key of functions.keys()) keys.add(key).add(key & ~FORM_INDEXED);
    const firsts = [...new Set([...pairs.keys()].map((key) => Math.floor(key / JUMP_KEYS)))];
    for (const key of firsts) keys.add(key);
    const size = 4 << (32 - Math.clz32(keys.size));
    this.#mask = size - 1;
    this.#keys = new Int32Array(size).fill(EMPTY);
    this.handler = new Int16Array(size).fill(NO_HANDLER);
    this.quiet = new Int16Array(size).fill(NO_HANDLER);
    this.called = new Int32Array(size).fill(NO_HANDLER);
    this.#row = new Int16Array(size).fill(NO_HANDLER);
    for (const key of keys) {
      const slot = this.#place(key);
      this.#keys[slot] = key;
      this.handler[slot] = handlers.get(key) ?? NO_HANDLER;
      this.quiet[slot] = handlers.get(key | FORM_NO_FLAGS) ?? NO_HANDLER;
      this.called[slot] = functions.get(key) ?? functions.get(key | FORM_INDEXED) ?? NO_HANDLER;
    }
    this.#jumps = new Int16Array(firsts.length * JUMP_KEYS).fill(NO_HANDLER);
    firsts.forEach((key, row) => {
      this.#row[this.#place(key)] = row;
    });
    for (const [key, handler] of pairs) {
      const row = this.#row[this.#place(Math.floor(key / JUMP_KEYS))]!;
      this.#jumps[row * JUMP_KEYS + (key % JUMP_KEYS)] = handler;
    }
  }

  /** Where a key is, or would be. */
  #place(key: number): number {
    const keys = this.#keys;
    const mask = this.#mask;
    let slot = (Math.imul(key, 0x9e37_79b1) >>> 12) & mask;
    while (keys[slot] !== key && keys[slot] !== EMPTY) slot = (slot + 1) & mask;
    return slot;
  }

  /** Slot of an instruction; all its values are {@link NO_HANDLER} if the program does not know the form. */
  slot(insn: Insn): number {
    return this.#place(formKey(insn, false));
  }

  /** Handler of the instruction of a slot joined with the conditional jump after it. */
  joined(slot: number, jump: Insn): number {
    const row = this.#row[slot]!;
    return row < 0 ? NO_HANDLER : this.#jumps[row * JUMP_KEYS + jumpKey(jump)]!;
  }
}
