/** Runs guests in pieces, so that Ctrl-C and progress get their turn. */
import { prepareRelocation, type RelocationOptions, type RelocationReport, runInPieces } from '@smm/machine';
import { TraceBuffer, type TraceEvent } from '@smm/trace';
import type { Io } from './io.ts';
import type { Progress } from './render/progress.ts';

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
  progress.show(`${label}...`);
  const prepared = prepareRelocation(trace ? { ...options, trace: buffer.sink } : options);
  const report = await drain(runInPieces(prepared), io, ({ instructions, log }) => {
    progress.show(
      `${label}: ${(instructions / 1e6).toFixed(1)} million instructions, ${log.length} log lines`,
    );
  });
  progress.clear();
  return { options, report, events: buffer.events };
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
