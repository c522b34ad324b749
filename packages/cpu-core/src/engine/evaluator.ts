/** The plain tier: one instruction after another, each fetched, decoded and evaluated. */
import type { Insn } from '../insn.ts';
import * as L from '../layout.ts';
import type { Tier } from '../tier.ts';
import type { Core } from './core.ts';
import type { Fetcher } from './fetch.ts';
import type { Stepper } from './stepper.ts';

/** Runs a processor with the evaluator alone. */
export class Evaluator implements Tier {
  readonly #core: Core;
  readonly #fetcher: Fetcher;
  readonly #stepper: Stepper;

  constructor(core: Core, fetcher: Fetcher, stepper: Stepper) {
    this.#core = core;
    this.#fetcher = fetcher;
    this.#stepper = stepper;
  }

  run(): void {
    const { state } = this.#core;
    this.#core.startBudget = state.get32(L.ST_BUDGET) | 0;
    let exit = -1;
    while (exit === -1) {
      exit = (state.get32(L.ST_BUDGET) | 0) > 0 ? this.#stepper.step() : L.EXIT_BUDGET;
    }
    state.set32(L.ST_EXIT, exit);
    if (exit === L.EXIT_ERROR) throw this.#stepper.error;
  }

  retiredNow(): number {
    return retiredNow(this.#core);
  }

  peek(): Insn | undefined {
    return peek(this.#core, this.#fetcher);
  }
}

/** Instructions retired before the one now executing. */
export function retiredNow(core: Core): number {
  const { state, views } = core;
  const before = views.f64[(state.base + L.ST_RETIRED) >>> 3]!;
  return before + core.startBudget - core.held - (state.get32(L.ST_BUDGET) | 0);
}

/** The instruction at RIP, or undefined where it cannot be fetched. */
export function peek(core: Core, fetcher: Fetcher): Insn | undefined {
  try {
    return fetcher.fetch();
  } catch (error) {
    if (error === core.cpu.pendingFault) return undefined;
    throw error;
  }
}
