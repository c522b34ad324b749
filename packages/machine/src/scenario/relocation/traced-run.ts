/** A relocation together with its whole trace. */
import { type Diagnosis, diagnose, TraceBuffer, type TraceEvent, type TraceForm } from '@smm/trace';
import { resolveSwitches } from '../../hosts.ts';
import type { RelocationReport } from './outcome.ts';
import { prepareRelocation, type RelocationOptions, runInPieces } from './relocation.ts';

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
  const steps = tracedSteps(label, options);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As {@link traced}, and yields the label now and then. */
export function* tracedSteps(label: string, options: RelocationOptions): Generator<string, TracedRun> {
  const buffer = new TraceBuffer();
  const report = yield* reportSteps(label, { ...options, trace: buffer.sink });
  return { label, options, report, events: buffer.events, eventsDropped: buffer.dropped };
}

/** Runs a configuration, and yields the label now and then. */
export function* reportSteps(label: string, options: RelocationOptions): Generator<string, RelocationReport> {
  const pieces = runInPieces(prepareRelocation(options));
  for (;;) {
    const piece = pieces.next();
    if (piece.done === true) return piece.value;
    yield label;
  }
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

/** The words of a configuration's trace: those of its host's kernel, and of 2015 where there is none. */
export function traceFormOf({ accelerator = 'tcg', host, quirks }: RelocationOptions): TraceForm {
  return accelerator === 'tcg' ? '2015' : resolveSwitches({ accelerator, host, quirks }).kvm.traceForm;
}
