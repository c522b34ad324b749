/** Executes one instruction with the evaluator or its helper: the slow, exact way that both tiers fall back on. */
import { UnmodelledError } from '@smm/x86-defs';
import { type Insn, REP_NONE } from '../insn.ts';
import * as L from '../layout.ts';
import { OP, OP_NAMES, opTable } from '../ops.ts';
import { SEMANTICS, type Semantics } from '../semantics/semantics.ts';
import type { Helper } from '../system/helpers.ts';
import { advanceRip } from './branch.ts';
import type { Core } from './core.ts';
import { EvalBuilder } from './eval-builder.ts';
import { codeSize, type Fetcher, linearRip } from './fetch.ts';
import type { GuestMemory } from './guest-memory.ts';
import { moveNumber } from './move-number.ts';

/** Operations that a REP prefix repeats. */
const REPEATED = opTable([1, [OP.MOVS, OP.CMPS, OP.STOS, OP.LODS, OP.SCAS, OP.INS, OP.OUTS]]);

const IDLE = L.ACT_HALTED | L.ACT_SHUTDOWN | L.ACT_WAIT_SIPI;

/** Single steps of one processor. */
export class Stepper {
  readonly #core: Core;
  readonly #fetcher: Fetcher;
  readonly #builder: EvalBuilder;
  readonly #memory: GuestMemory;
  /** By operation; a description goes before a helper. */
  readonly #helpers: readonly (Helper | undefined)[];
  /** By operation. */
  readonly #semantics: readonly (Semantics | undefined)[];
  /** An error other than a guest fault, to be thrown by the tier. */
  error: unknown;

  constructor(core: Core, fetcher: Fetcher, memory: GuestMemory, helpers: readonly (Helper | undefined)[]) {
    this.#core = core;
    this.#fetcher = fetcher;
    this.#memory = memory;
    this.#builder = new EvalBuilder(core.cpu);
    this.#helpers = helpers.map((helper, op) => (SEMANTICS.has(op) ? undefined : helper));
    this.#semantics = OP_NAMES.map((_name, op) => SEMANTICS.get(op));
  }

  /**
   * Executes the instruction at RIP and takes its budget.
   * `begun`: it was started elsewhere and its translations hold.
   * @returns -1 to go on, else the EXIT_* that ends the run (EXIT_BUDGET never).
   */
  step(begun = false): number {
    if (!begun) this.#memory.beginInstruction();
    const { state, cpu, codeHooks } = this.#core;
    cpu.insnRip = state.rip;
    let insn: Insn;
    try {
      insn = this.#fetcher.fetch();
      if (codeHooks !== undefined) {
        if (codeHooks.before(cpu, linearRip(state))) return L.EXIT_EVENT;
        if (this.#fetcher.host >= 0) insn = this.#fetcher.fetch(); // a hook may have changed it
      }
      advanceRip(state, insn.length);
      this.#perform(insn);
    } catch (error) {
      return this.#caught(error);
    }
    state.set32(L.ST_BUDGET, state.get32(L.ST_BUDGET) - 1);
    const unfinished = insn.rep !== REP_NONE && REPEATED[insn.op] === 1 && state.rip === cpu.insnRip;
    if (unfinished) this.#core.codeHooks?.repeats(cpu);
    return this.after();
  }

  /**
   * Executes one instruction, the one after which is at `next`, without touching the budget. RIP is left on it if it
   * faults.
   */
  execute(insn: Insn, rip: bigint, next: bigint): number {
    const { state, cpu } = this.#core;
    cpu.insnRip = rip;
    state.rip = next;
    try {
      this.#perform(insn);
    } catch (error) {
      return this.#caught(error);
    }
    return -1;
  }

  /** Does what an instruction does, RIP being on the next one already. */
  #perform(insn: Insn): void {
    const { cpu } = this.#core;
    cpu.insn = insn;
    const helper = this.#helpers[insn.op];
    if (helper) {
      helper(cpu, insn);
      return;
    }
    if (moveNumber(cpu, insn)) return;
    const semantics = this.#semantics[insn.op];
    if (!semantics) throw unmodelled(insn, cpu.insnRip, cpu.state.mode);
    this.#builder.begin(insn);
    semantics(this.#builder, insn);
  }

  /** -1, or the EXIT_* that the instruction just done asks for. */
  after(): number {
    const { state } = this.#core;
    if (state.activity & IDLE) return L.EXIT_HALT;
    return state.get32(L.ST_EXIT_REQUEST) ? L.EXIT_EVENT : -1;
  }

  #caught(error: unknown): number {
    const { state, cpu } = this.#core;
    state.rip = cpu.insnRip;
    if (error === cpu.pendingFault) return L.EXIT_FAULT;
    this.error = error;
    return L.EXIT_ERROR;
  }
}

/** The error for an instruction that nothing implements. */
function unmodelled(insn: Insn, rip: bigint, mode: number): UnmodelledError {
  const bytes = Array.from(insn.bytes.subarray(0, insn.length), (x) => x.toString(16).padStart(2, '0')).join(
    ' ',
  );
  return new UnmodelledError(
    'CPU_UNMODELLED',
    `${OP_NAMES[insn.op]} is not modelled: ${bytes} at RIP ${rip.toString(16)}h in ${codeSize(mode)}-bit code`,
    'Take the instruction out of the guest, or add it (semantics or helper) to @smm/cpu-core.',
    { op: OP_NAMES[insn.op], bytes, rip, codeSize: codeSize(mode) },
  );
}
