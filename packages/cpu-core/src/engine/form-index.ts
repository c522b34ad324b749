/** The generated code's handlers by instruction form, in flat arrays: one look-up per decoded instruction. */
import type { Insn } from '../insn.ts';
import type { Addressing } from './wasm/convention.ts';
import { FORM_INDEXED, FORM_NO_FLAGS, formShape, JUMP_KEYS, jumpKey, SHAPES, withBit } from './wasm/forms.ts';
import type { Program } from './wasm/program.ts';

/** A slot's value where the program has nothing. */
export const NO_HANDLER = -1;
/** Shape of an empty place: no form has it. */
const EMPTY = -1;

/** An open-addressing hash table from operation and shape to slots, for one addressing. */
export class FormIndex {
  /** Handler by slot. */
  readonly handler: Int16Array;
  /** Handler that leaves the flags alone, by slot. */
  readonly quiet: Int16Array;
  /** Function in the table, by slot; those of forms with an index register serve those without. */
  readonly called: Int32Array;
  readonly #shapes: Int32Array;
  readonly #ops: Uint16Array;
  readonly #mask: number;
  /** Row of {@link #jumps} by slot: of a comparison that can be joined with the jump after it. */
  readonly #row: Int16Array;
  readonly #jumps: Int16Array;

  constructor(program: Program, addressing: Addressing) {
    const handlers = program.handlers[addressing];
    const functions = program.functions[addressing];
    const pairs = program.pairs[addressing];
    const keys = new Set<number>();
    for (const key of handlers.keys()) keys.add(withBit(key, FORM_NO_FLAGS, false));
    for (const key of functions.keys()) keys.add(key).add(withBit(key, FORM_INDEXED, false));
    const firsts = [...new Set([...pairs.keys()].map((key) => Math.floor(key / JUMP_KEYS)))];
    for (const key of firsts) keys.add(key);
    const size = 4 << (32 - Math.clz32(keys.size));
    this.#mask = size - 1;
    this.#shapes = new Int32Array(size).fill(EMPTY);
    this.#ops = new Uint16Array(size);
    this.handler = new Int16Array(size).fill(NO_HANDLER);
    this.quiet = new Int16Array(size).fill(NO_HANDLER);
    this.called = new Int32Array(size).fill(NO_HANDLER);
    this.#row = new Int16Array(size).fill(NO_HANDLER);
    for (const key of keys) {
      const slot = this.#placeOf(key);
      this.#shapes[slot] = key % SHAPES;
      this.#ops[slot] = Math.floor(key / SHAPES);
      this.handler[slot] = handlers.get(key) ?? NO_HANDLER;
      this.quiet[slot] = handlers.get(withBit(key, FORM_NO_FLAGS, true)) ?? NO_HANDLER;
      this.called[slot] = functions.get(key) ?? functions.get(withBit(key, FORM_INDEXED, true)) ?? NO_HANDLER;
    }
    this.#jumps = new Int16Array(firsts.length * JUMP_KEYS).fill(NO_HANDLER);
    firsts.forEach((key, row) => {
      this.#row[this.#placeOf(key)] = row;
    });
    for (const [key, handler] of pairs) {
      const row = this.#row[this.#placeOf(Math.floor(key / JUMP_KEYS))]!;
      this.#jumps[row * JUMP_KEYS + (key % JUMP_KEYS)] = handler;
    }
  }

  /** Where a form is, or would be. */
  #place(op: number, shape: number): number {
    const shapes = this.#shapes;
    const ops = this.#ops;
    const mask = this.#mask;
    let slot = (Math.imul(shape ^ (op << 20), 0x9e37_79b1) >>> 12) & mask;
    while (shapes[slot] !== EMPTY && (shapes[slot] !== shape || ops[slot] !== op)) slot = (slot + 1) & mask;
    return slot;
  }
  #placeOf(key: number): number {
    return this.#place(Math.floor(key / SHAPES), key % SHAPES);
  }

  /** Slot of an instruction; all its values are {@link NO_HANDLER} if the program does not know the form. */
  slot(insn: Insn): number {
    return this.#place(insn.op, formShape(insn, false));
  }

  /** Handler of the instruction of a slot joined with the conditional jump after it. */
  joined(slot: number, jump: Insn): number {
    const row = this.#row[slot]!;
    return row < 0 ? NO_HANDLER : this.#jumps[row * JUMP_KEYS + jumpKey(jump)]!;
  }
}
