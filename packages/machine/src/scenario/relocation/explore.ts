/**
 * Runs one configuration under many schedules on one machine: a fault that shows under every schedule is no race; one
 * that shows under some is.
 */
import { checkOptions, isListOf, isNumber, isObject, maybe, SmmError } from '@smm/x86-defs';
import type { Schedule } from '../../scheduler.ts';
import { finish, relabelled } from '../run.ts';
import type { RelocationOutcome } from './outcome.ts';
import { defaultBudget, prepareRelocation, type RelocationOptions } from './relocation.ts';
import { runInPieces } from './relocation-run.ts';

/** What to explore. */
export interface ExploreOptions {
  /** The configuration; its `schedule` is not used, and its `budget` is smaller by default. */
  readonly relocation: RelocationOptions;
  /** Number of schedules, 1 or more. Default 1000. */
  readonly runs?: number;
  /** Slice lengths in instructions; every seed is run with each. Default {@link DEFAULT_SLICES}. */
  readonly slices?: readonly number[];
  /** First seed, 1 or more; the others follow. Default 1. */
  readonly firstSeed?: number;
}

/** Slice lengths of an exploration: from a few instructions to longer than the relocation of one processor. */
export const DEFAULT_SLICES: readonly number[] = [20, 200, 2_000, 20_000];

/**
 * Runs that never end are given up early: this part of the default budget is still many times what a relocation
 * takes.
 */
const BUDGET_PART = 4;

/** One schedule and what became of it. */
export interface ExploreRun {
  /** Number of the run, from 0. */
  readonly index: number;
  /** Its schedule. */
  readonly schedule: Schedule;
  /** Its outcome. */
  readonly outcome: RelocationOutcome;
  /** One sentence. */
  readonly summary: string;
  /** SMBASE of each processor at the end, guest-physical. */
  readonly smbases: readonly number[];
}

/** Runs that ended alike. */
export interface ExploreGroup {
  /** Their outcome. */
  readonly outcome: RelocationOutcome;
  /** SMBASE of each processor at the end, guest-physical. */
  readonly smbases: readonly number[];
  /** How many. */
  readonly count: number;
  /** The first of them. */
  readonly example: ExploreRun;
}

/** What an exploration found. */
export interface ExploreReport {
  /** Schedules that were run. */
  readonly runs: number;
  /** How many of them did not relocate. */
  readonly failed: number;
  /** `never`: all relocated; `always`: none did, whatever the schedule; `race`: it depends on the schedule. */
  readonly verdict: 'never' | 'always' | 'race';
  /** The runs by outcome and final SMBASEs, most frequent first. */
  readonly groups: readonly ExploreGroup[];
  /** All runs ended with the same SMBASEs. */
  readonly sameSmbases: boolean;
  /** The failing run with the smallest seed, and among those the smallest slice; undefined when none failed. */
  readonly smallestFailing: ExploreRun | undefined;
  /** One sentence. */
  readonly sentence: string;
}

/**
 * Runs the schedules one by one and yields each, so that a caller can show progress or stop; returns the report.
 * Yields undefined in the middle of one that takes long, if the relocation's `interrupt` says so.
 * @throws SmmError `EXPLORE_RUNS` or `EXPLORE_SLICES` for numbers that make no sense, and what `prepareRelocation`
 * throws.
 */
export function* exploreRuns(options: ExploreOptions): Generator<ExploreRun | undefined, ExploreReport> {
  checkOptions<ExploreOptions>('the options of an exploration', options, {
    relocation: isObject,
    runs: maybe(isNumber),
    slices: maybe(isListOf(isNumber)),
    firstSeed: maybe(isNumber),
  });
  const { runs = 1000, slices = DEFAULT_SLICES, firstSeed = 1 } = options;
  checkRuns(runs, firstSeed);
  const ordered = checkedSlices(slices);
  const { budget = defaultBudget(options.relocation.cpus ?? 1) / BUDGET_PART } = options.relocation;
  const relocation = prepareRelocation({ ...options.relocation, budget });
  const done: ExploreRun[] = [];
  for (let index = 0; index < runs; index++) {
    const schedule = {
      seed: firstSeed + Math.floor(index / ordered.length),
      slice: ordered[index % ordered.length]!,
    };
    relocation.machine.reset(schedule);
    const pieces = runInPieces(relocation);
    const { outcome, summary, cpus } =
      options.relocation.interrupt === undefined
        ? finish(pieces)
        : yield* relabelled(pieces, () => undefined);
    const run = { index, schedule, outcome, summary, smbases: cpus.map((cpu) => cpu.smbase) };
    done.push(run);
    yield run;
  }
  return reportOf(done);
}

/** Runs all schedules; see {@link exploreRuns}. */
export function explore(options: ExploreOptions): ExploreReport {
  return finish(exploreRuns(options));
}

function checkRuns(runs: number, firstSeed: number): void {
  if (!Number.isSafeInteger(runs) || runs < 1) {
    throw new SmmError(
      'EXPLORE_RUNS',
      `${runs} schedules cannot be run`,
      'Give a whole number of at least 1.',
      { runs },
    );
  }
  if (!Number.isSafeInteger(firstSeed + runs) || firstSeed < 1) {
    throw new SmmError(
      'EXPLORE_RUNS',
      `an exploration cannot start at seed ${firstSeed}`,
      'Give a whole number of at least 1: seed 0 is the plain order, the same every time.',
      { firstSeed },
    );
  }
}

function checkedSlices(slices: readonly number[]): number[] {
  const bad = slices.find((slice) => !Number.isInteger(slice) || slice < 1);
  if (slices.length === 0 || bad !== undefined) {
    throw new SmmError(
      'EXPLORE_SLICES',
      slices.length === 0 ? 'no slice length is given' : `a slice of ${bad} instructions makes no sense`,
      'Give whole numbers of at least 1, in instructions.',
      { slices: [...slices] },
    );
  }
  return [...new Set(slices)].sort((a, b) => a - b);
}

function reportOf(runs: readonly ExploreRun[]): ExploreReport {
  const failing = runs.filter((run) => run.outcome !== 'relocated');
  const groups = groupsOf(runs);
  const sameSmbases = new Set(groups.map((group) => group.smbases.join())).size === 1;
  const verdict = failing.length === 0 ? 'never' : failing.length === runs.length ? 'always' : 'race';
  return {
    runs: runs.length,
    failed: failing.length,
    verdict,
    groups,
    sameSmbases,
    // Seeds ascend, and slices within a seed.
    smallestFailing: failing[0],
    sentence: runs.every((run) => run.outcome === 'ended')
      ? `Ended under all ${runs.length} schedules: the ROM's debug log plans no SMBASE, so nothing says whether it relocates.`
      : sentenceOf(verdict, runs.length, failing.length, sameSmbases),
  };
}

function groupsOf(runs: readonly ExploreRun[]): ExploreGroup[] {
  const groups = new Map<string, { example: ExploreRun; count: number }>();
  for (const run of runs) {
    const key = `${run.outcome} ${run.smbases.join()}`;
    const group = groups.get(key) ?? { example: run, count: 0 };
    group.count++;
    groups.set(key, group);
  }
  return [...groups.values()]
    .sort((a, b) => b.count - a.count)
    .map(({ example, count }) => ({ outcome: example.outcome, smbases: example.smbases, count, example }));
}

function sentenceOf(verdict: ExploreReport['verdict'], runs: number, failed: number, same: boolean): string {
  const bases = same ? 'with the same final SMBASEs in all of them' : 'with different final SMBASEs';
  const one = runs === 1 ? ' (one schedule proves little)' : '';
  if (verdict === 'never') return `Relocated under all ${runs} schedules, ${bases}: no race shows${one}.`;
  if (verdict === 'always') return `Failed under all ${runs} schedules, ${bases}: not a race${one}.`;
  return `Failed under ${failed} of ${runs} schedules: a race.`;
}
