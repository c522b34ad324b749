/** Runs guests in pieces, so that Ctrl-C and progress get their turn. */
import {
  defaultBudget,
  prepareRelocation,
  type RelocationOptions,
  type RelocationReport,
  runRelocation,
} from '@smm/machine';
import { TraceBuffer, type TraceEvent } from '@smm/trace';
import type { Io } from './io.ts';
import type { Progress } from './render/progress.ts';

/** Instructions between two breaths: a multiple of the machine's own interval, so that a run takes the same course. */
const PIECE = 4_000_000;

/** A finished run. */
export interface Run {
  /** The configuration. */
  readonly options: RelocationOptions;
  /** What became of it. */
  readonly report: RelocationReport;
  /** Its trace; empty unless asked for. */
  readonly events: readonly TraceEvent[];
}

/** Runs one configuration to its outcome. */
export async function run(
  options: RelocationOptions,
  io: Io,
  progress: Progress,
  { label = 'running', trace = false } = {},
): Promise<Run> {
  const buffer = new TraceBuffer();
  const budget = options.budget ?? defaultBudget(options.cpus ?? 1);
  progress.show(`${label}...`);
  const prepared = prepareRelocation(trace ? { ...options, trace: buffer.sink } : options);
  for (let end = PIECE; ; end += PIECE) {
    const report = runRelocation({
      ...prepared,
      options: { ...prepared.options, budget: Math.min(end, budget) },
    });
    if (report.outcome !== 'budget-exhausted' || end >= budget) {
      progress.clear();
      return { options, report, events: buffer.events };
    }
    progress.show(
      `${label}: ${Math.round(report.instructions / 1e6)} million instructions, ${report.log.length} log lines`,
    );
    await io.breathe();
  }
}

/** Drains a generator of steps, showing each and breathing between them. */
export async function drain<S, R>(steps: Generator<S, R>, io: Io, show: (step: S) => void): Promise<R> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    show(step.value);
    await io.breathe();
  }
}
