/** Finds processors that execute memory without code: a page of zeroes or of ones, look after look. */
import { SEG_CS } from '@smm/x86-defs';
import type { Machine } from '../../machine.ts';

/** Bytes around the instruction pointer, within its page, that must be equal. */
const WINDOW = 256;
/** Looks in a row before it counts. */
const SIGHTINGS = 3;

/** Watches one machine; ask it now and then. */
export class LostDetector {
  readonly #machine: Machine;
  #sightings = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  /** Looks once. Answers who is lost when no runnable processor has had code for some looks, as a clause. */
  look(): string | undefined {
    const runnable = this.#machine.runnable();
    const clauses = runnable.map((id) => this.#emptyAt(id));
    const all = runnable.length > 0 && clauses.every((clause) => clause !== undefined);
    this.#sightings = all ? this.#sightings + 1 : 0;
    return this.#sightings >= SIGHTINGS ? clauses.join(', ') : undefined;
  }

  #emptyAt(id: number): string | undefined {
    const { state, cpl } = this.#machine.processors[id]!;
    if (cpl !== 0) return undefined; // a program's matter, and its kernel's
    const { debug } = this.#machine;
    const at = state.rip + BigInt(state.segBase(SEG_CS));
    if (debug.physicalOf(id, at) === undefined) return undefined; // the next fetch says so
    const offset = Number(at & 0xfffn);
    const before = Math.min(offset, WINDOW / 2);
    const bytes = debug.readLinear(id, at - BigInt(before), before + Math.min(0x1000 - offset, WINDOW / 2));
    const [first] = bytes;
    if ((first !== 0 && first !== 0xff) || bytes.some((byte) => byte !== first)) return undefined;
    return `CPU ${id} executes at 0x${BigInt.asUintN(64, at).toString(16)}, where every byte is ${first === 0 ? '00' : 'FF'}: there is no code`;
  }
}
