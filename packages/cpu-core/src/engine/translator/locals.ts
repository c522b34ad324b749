/** Locals of a region's function: fixed ones, then scratch that every instruction uses anew. */
import { I32, I64, V128 } from '../wasm/emitter.ts';

/** Host offset of the processor's state page: the parameter. */
export const STATE = 0;
/** Budget left. */
export const BUDGET = 1;
/**
 * How the function is left: 0 if TypeScript has put state and budget in order, so that there is only spilling to do; or
 * EXIT_STOP, EXIT_CHAIN.
 */
export const EXIT_MODE = 2;
/** Link word or site that the exit is about. */
export const EXIT_ARGUMENT = 3;
/** CC_* and log2 of the width, as in ST_CC_OP: valid where the flags' kind is not known at translation time. */
export const FLAGS_OP = 4;
/** Carry that ADC or SBB took in, 0 or 1. */
export const FLAGS_CARRY = 5;
/** From linear address to host offset on the page in {@link STACK_PAGE}. */
export const STACK_ADDEND = 6;
/** RIP to go on at. */
export const EXIT_RIP = 7;
/** Result of the last operation that set flags, at its own width; native type. */
export const FLAGS_RESULT = 8;
/** Its second operand, or CF, or given bits: as in ST_CC_SRC but at its own width; native type. */
export const FLAGS_SOURCE = 9;
/** What CMP, SUB or NEG subtracted from; native type. Only valid while the kind is known. */
export const FLAGS_MINUEND = 10;
/** Factors of the last product while its CF and OF have not been worked out; native type. */
export const FLAGS_X = 11;
export const FLAGS_Y = 12;
/** Linear page of the last write to the stack while its TLB entry is in place, else all ones; native type. */
export const STACK_PAGE = 13;
/** First of 16 general registers; native type. */
export const REGISTERS = 14;
const SCRATCH = REGISTERS + 16;
/** Type of a local that is nobody's scratch. */
const KEPT_V128 = -V128;

/** The budget does not reach over the next block: site in EXIT_ARGUMENT. */
export const EXIT_STOP = 1;
/** Go on at EXIT_RIP, through the link word in EXIT_ARGUMENT (0: none). */
export const EXIT_CHAIN = 2;

/** Hands out scratch locals and lists all locals for the function's header. */
export class Locals {
  readonly #native: number;
  readonly #types: number[] = [];
  #next = 0;
  /** Local by XMM register. */
  readonly #vectors: (number | undefined)[] = [];

  /** `native`: bits of a general register's local. */
  constructor(native: 32 | 64) {
    this.#native = native === 64 ? I64 : I32;
  }

  /** All scratch is free again. */
  release(): void {
    this.#next = 0;
  }

  /** Index of a scratch local. */
  scratch(bits: 32 | 64 | 128): number {
    const type = bits === 128 ? V128 : bits === 64 ? I64 : I32;
    while (this.#next < this.#types.length && this.#types[this.#next] !== type) this.#next++;
    if (this.#next === this.#types.length) this.#types.push(type);
    return SCRATCH + this.#next++;
  }

  /** Index of the local of an XMM register: there if it is used. */
  vector(register: number): number {
    let local = this.#vectors[register];
    if (local === undefined) {
      this.#types.push(KEPT_V128);
      local = SCRATCH + this.#types.length - 1;
      this.#vectors[register] = local;
    }
    return local;
  }

  /** Locals after the parameter as runs of one type. */
  declarations(): (readonly [count: number, type: number])[] {
    const runs: [number, number][] = [
      [STACK_ADDEND, I32],
      [1, I64],
      [REGISTERS - FLAGS_RESULT + 16, this.#native],
    ];
    for (const known of this.#types) {
      const type = known === KEPT_V128 ? V128 : known;
      const last = runs[runs.length - 1]!;
      if (last[1] === type) last[0]++;
      else runs.push([1, type]);
    }
    return runs;
  }
}
