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
  /** Events at its end for which there was no room. */
  readonly eventsDropped: number;
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
  const sink = trace ? { trace: buffer.sink } : {};
  const steps = (interrupt: () => boolean) =>
    runInPieces(prepareRelocation({ ...options, ...sink, interrupt }));
  const report = await drain(steps, io, ({ instructions, log }) => {
    progress.show(
      `${label}: ${(instructions / 1e6).toFixed(1)} million instructions, ${log.length} log lines`,
    );
  });
  progress.clear();
  return { options, report, events: buffer.events, eventsDropped: buffer.dropped };
}

/** Says on standard error that a trace is not whole, if it is not. */
export function sayIfCut({ events, eventsDropped }: Pick<Run, 'events' | 'eventsDropped'>, io: Io): void {
  if (eventsDropped === 0) return;
  io.err(
    `The trace holds the first ${events.length} events; there was no room for the ${eventsDropped} that followed.\n`,
  );
}

/** Milliseconds for which signals wait at most for a busy guest. */
const LONGEST_STEP_MS = 50;

/**
 * Drains a generator of steps, showing each and breathing between them. `start` makes it from a question that the
 * guest's machine asks now and then: whether a step has taken long enough.
 */
export async function drain<S, R>(
  start: (interrupt: () => boolean) => Generator<S, R>,
  io: Io,
  show: (step: S) => void,
): Promise<R> {
  let began = performance.now();
  const steps = start(() => performance.now() - began >= LONGEST_STEP_MS);
  for (;;) {
    began = performance.now();
    const step = steps.next();
    if (step.done === true) return step.value;
    show(step.value);
    await io.breathe();
  }
}
