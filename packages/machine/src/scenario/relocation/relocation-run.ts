/** Runs a relocation to its outcome, looking now and then whether it is done, lost, or hangs. */
import { UnmodelledError } from '@smm/x86-defs';
import { finish, isCut, Looks } from '../run.ts';
import { proveInPieces } from './endless-loop.ts';
import { type End, isAstray, isDone, judge, strayOf } from './judge.ts';
import type { RelocationReport } from './outcome.ts';
import { defaultBudget, prepareRelocation, type Relocation, type RelocationOptions } from './relocation.ts';

/**
 * Instructions of all processors between two looks at whether the machine hangs: often at first, for most runs are
 * short.
 */
const LOOK_EVERY = { early: 250_000, late: 2_000_000, earlyUntil: 2_000_000 };

/** Instructions that CPUs get to come to rest in when the firmware is done. */
const AFTER_THE_END = 50_000;

/** Builds, runs and judges one relocation. */
export function relocate(options: RelocationOptions): RelocationReport {
  return runRelocation(prepareRelocation(options));
}

/** How far a run has come. */
export interface RelocationProgress {
  /** Instructions of all processors so far. */
  readonly instructions: number;
  /** Lines of the debug log so far. */
  readonly log: readonly string[];
}

/** Runs a prepared relocation from where it stands to its outcome. */
export function runRelocation(relocation: Relocation): RelocationReport {
  return finish(runInPieces(relocation), ({ instructions, log }) =>
    relocation.options.progress?.(instructions, log.length),
  );
}

/** As {@link runRelocation}, and yields now and then, so that a caller can show progress, answer signals or stop. */
export function* runInPieces(relocation: Relocation): Generator<RelocationProgress, RelocationReport> {
  const { machine, options } = relocation;
  const { budget = defaultBudget(options.cpus ?? 1), interrupt } = options;
  const limits = interrupt && { interrupt };
  const looks = new Looks(machine, (retired) =>
    retired < LOOK_EVERY.earlyUntil ? LOOK_EVERY.early : LOOK_EVERY.late,
  );
  const progress = (): RelocationProgress => ({ instructions: machine.retired, log: machine.log });
  const end: End = { stop: 'budget', proof: undefined, stray: [], unmodelled: undefined };
  while (machine.retired < budget || isCut(end.stop)) {
    try {
      end.stop = looks.run(budget, limits);
    } catch (error) {
      if (!(error instanceof UnmodelledError && isAstray(relocation))) throw error;
      end.unmodelled = error;
      break;
    }
    if (isCut(end.stop)) {
      yield progress();
      continue;
    }
    if (end.stop !== 'budget') break;
    if (isDone(relocation)) {
      // Whoever still runs after this has nothing to add.
      const rest = machine.retired + AFTER_THE_END;
      do {
        end.stop = machine.run({ instructions: Math.max(0, rest - machine.retired), ...limits });
        if (isCut(end.stop)) yield progress();
      } while (isCut(end.stop));
      break;
    }
    end.stray = strayOf(relocation);
    if (end.stray.length > 0) break;
    const proof = proveInPieces(machine, relocation.options.interrupt);
    try {
      let piece = proof.next();
      for (; piece.done !== true; piece = proof.next()) yield progress();
      end.proof = piece.value;
    } finally {
      proof.return(undefined);
    }
    if (end.proof !== undefined) break;
    looks.taken();
    yield progress();
  }
  return judge(relocation, end);
}
