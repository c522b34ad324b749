/** Emits loads and stores of the registers that a region has in locals, from and to the state page. */
import * as L from '../../layout.ts';
import { S, W } from '../wasm/emitter.ts';
import { REGISTERS, STATE } from './locals.ts';
import type { ValueEmitter } from './value-emitter.ts';

/** Bits of a mask, as in `RegisterUse`: general registers are 0 to 15, XMM registers 16 to 31. */
function registersOf(mask: number): number[] {
  return Array.from({ length: 32 }, (_, register) => register).filter((register) => mask & (1 << register));
}

/** The part of the translator's back end that moves registers between locals and the state page. */
export class RegisterTransfer {
  readonly #v: ValueEmitter;

  constructor(values: ValueEmitter) {
    this.#v = values;
  }

  /** From the state page to the locals. */
  load(mask: number): void {
    const { e, locals, native } = this.#v;
    const opcode = native === 64 ? W.i64_load : W.i32_load;
    for (const register of registersOf(mask)) {
      e.get(STATE);
      const xmm = register - 16;
      if (xmm < 0) e.mem(opcode, L.ST_GPR + register * 8).set(REGISTERS + register);
      else e.simdMem(S.v128_load, L.ST_XMM + xmm * 16).set(locals.vector(xmm));
    }
  }
  /** From the locals to the state page. A 32-bit local leaves the upper half there as it is. */
  store(mask: number): void {
    const { e, locals, native } = this.#v;
    const opcode = native === 64 ? W.i64_store : W.i32_store;
    for (const register of registersOf(mask)) {
      e.get(STATE);
      const xmm = register - 16;
      if (xmm < 0) e.get(REGISTERS + register).mem(opcode, L.ST_GPR + register * 8);
      else e.get(locals.vector(xmm)).simdMem(S.v128_store, L.ST_XMM + xmm * 16);
    }
  }
}
