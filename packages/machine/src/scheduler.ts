/** Which processor runs next and for how long: a pure function of the seed, so equal seeds give equal runs. */
import { SmmError } from '@smm/x86-defs';

/** How processors take turns. */
export interface Schedule {
  /** 0: index order and full slices. Otherwise order and slice lengths are drawn from this seed. */
  readonly seed: number;
  /** Instructions per turn (with a seed: 1 to twice this), 1 or more. */
  readonly slice: number;
}

/** Default: index order, slices of 10,000 instructions. */
export const DEFAULT_SCHEDULE: Schedule = { seed: 0, slice: 10_000 };

/** State of the scheduler. */
export interface SchedulerState {
  /** How turns are dealt: a machine may have been reset to another schedule since. */
  readonly schedule: Schedule;
  /** State of the generator, 32 bit, not 0. */
  readonly random: number;
  /** Processors whose turn in this round is still to come. */
  readonly round: readonly number[];
}

/** Deals turns in rounds: in each round every runnable processor gets one. */
export class Scheduler {
  #schedule: Schedule;
  #random: number;
  #round: number[] = [];
  /** Instructions of the turn dealt last. */
  slice = 0;
  /** Turns of the round dealt so far. */
  #dealt = 0;

  /** @throws SmmError `SCHEDULE` for a seed or slice that is no whole number, or a slice below 1. */
  constructor(schedule: Schedule) {
    this.#schedule = checked(schedule);
    // Spread small seeds; xorshift needs a non-zero state.
    this.#random = (Math.imul(schedule.seed | 0, 0x9e37_79b1) ^ 0x5bd1_e995) | 0 || 1;
  }

  /** Starts a round with these processors; the list is the scheduler's from now on. */
  startRound(round: number[]): void {
    this.#round = round;
    this.#dealt = 0;
    if (this.#schedule.seed === 0) return;
    for (let i = round.length - 1; i > 0; i--) {
      const j = this.#next() % (i + 1);
      [round[i], round[j]] = [round[j]!, round[i]!];
    }
  }

  /** Deals the next turn of the round: the processor, and {@link slice}; -1 at the round's end. */
  deal(): number {
    if (this.#dealt === this.#round.length) return -1;
    const { seed, slice } = this.#schedule;
    this.slice = seed === 0 ? slice : 1 + (this.#next() % (2 * slice));
    return this.#round[this.#dealt++]!;
  }

  /** Copies the state out. */
  save(): SchedulerState {
    const { seed, slice } = this.#schedule;
    return { schedule: { seed, slice }, random: this.#random, round: this.#round.slice(this.#dealt) };
  }

  /** Puts a saved state back, its schedule too. Throws as the constructor does. */
  restore(state: SchedulerState): void {
    this.#schedule = checked({ ...state.schedule });
    this.#random = state.random;
    this.#round = [...state.round];
    this.#dealt = 0;
  }

  #next(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x;
    return x >>> 0;
  }
}

function checked(schedule: Schedule): Schedule {
  const { seed, slice } = schedule;
  if (Number.isSafeInteger(seed) && Number.isSafeInteger(slice) && slice >= 1) return schedule;
  throw new SmmError(
    'SCHEDULE',
    `a schedule with seed ${seed} and slices of ${slice} instructions makes no sense`,
    'Give a whole number as seed and a slice of at least 1.',
    { seed, slice },
  );
}
