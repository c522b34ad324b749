/** A relocation together with its whole trace. */
import { type Diagnosis, diagnose, TraceBuffer, type TraceEvent } from '@smm/trace';
import { traceFormOf } from '../causes.ts';
import { finish, relabelled } from '../run.ts';
import type { RelocationReport } from './outcome.ts';
import { prepareRelocation, type RelocationOptions } from './relocation.ts';
import { runInPieces } from './relocation-run.ts';

/** A run with its trace. */
export interface TracedRun {
  /** What it is, in a few words. */
  readonly label: string;
  /** Its options. */
  readonly options: RelocationOptions;
  /** What became of it. */
  readonly report: RelocationReport;
  /** Its trace. */
  readonly events: readonly TraceEvent[];
  /** Events at its end for which there was no room. */
  readonly eventsDropped: number;
}

/** Runs a configuration and keeps its trace. */
export function traced(label: string, options: RelocationOptions): TracedRun {
  return finish(tracedSteps(label, options));
}

/** As {@link traced}, and yields the label now and then. */
export function* tracedSteps(label: string, options: RelocationOptions): Generator<string, TracedRun> {
  const buffer = new TraceBuffer();
  const report = yield* reportSteps(label, { ...options, trace: buffer.sink });
  return { label, options, report, events: buffer.events, eventsDropped: buffer.dropped };
}

/** Runs a configuration, and yields the label now and then, the first time before it begins. */
export function* reportSteps(label: string, options: RelocationOptions): Generator<string, RelocationReport> {
  yield label;
  return yield* relabelled(runInPieces(prepareRelocation(options)), () => label);
}

/** Diagnoses of a run, with all that is known about it. */
export function diagnoseRun({
  options,
  report,
  events,
}: Omit<TracedRun, 'label' | 'eventsDropped'>): Diagnosis[] {
  const planned = report.cpus.flatMap((cpu) => cpu.planned ?? []);
  return diagnose(events, {
    ...(planned.length === report.cpus.length && { planned }),
    vcpus: report.cpus.length,
    outcome: report.outcome,
    form: traceFormOf(options),
  });
}
