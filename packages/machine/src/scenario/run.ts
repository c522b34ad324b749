/** How every scenario runs its machine: from look to look, in steps that the caller drives. */
import type { Machine } from '../machine.ts';
import type { MachineStop, RunLimits } from '../machine-options.ts';

/**
 * Stops a run where it is to be looked at. Looks come at fixed instruction counts (of all processors, since power-on),
 * so that a run continued from a snapshot takes the same course.
 */
export class Looks {
  readonly #machine: Machine;
  readonly #every: (retired: number) => number;
  /** Instruction count of the next look; 0: not planned yet. */
  #next = 0;

  /** @param every - instructions between two looks, by the number executed so far */
  constructor(machine: Machine, every: (retired: number) => number) {
    this.#machine = machine;
    this.#every = every;
  }

  /**
   * Runs until `end` instructions since power-on, and no further than to the next look. Answers as `Machine.run` does.
   */
  run(end: number, limits: Omit<RunLimits, 'instructions'> = {}): MachineStop {
    const machine = this.#machine;
    const every = this.#every(machine.retired);
    // A snapshot may have taken the machine back.
    if (this.#next === 0 || this.#next - machine.retired > every) this.#plan(every);
    const instructions = Math.max(0, Math.min(this.#next, end) - machine.retired);
    return machine.run({ instructions, ...limits });
  }

  /** It is time to look. A look that is not taken stays due. */
  get due(): boolean {
    return this.#machine.retired >= this.#next;
  }

  /** The look has been taken. */
  taken(): void {
    this.#plan(this.#every(this.#machine.retired));
  }

  #plan(every: number): void {
    this.#next = (Math.floor(this.#machine.retired / every) + 1) * every;
  }
}

/** A run was cut where it stood, by an interrupt or a hook: whoever runs it goes on as if nothing had been. */
export function isCut(stop: string): stop is 'interrupted' | 'stopped' {
  return stop === 'interrupted' || stop === 'stopped';
}

/** Takes all steps of a run, shows each, and answers its result. */
export function finish<S, R>(steps: Generator<S, R>, show?: (step: S) => void): R {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    show?.(step.value);
  }
}

/** The same run with other steps. */
export function* relabelled<S, T, R>(steps: Generator<S, R>, label: (step: S) => T): Generator<T, R> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    yield label(step.value);
  }
}
