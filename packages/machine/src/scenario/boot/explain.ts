/**
 * Explains a boot that hangs: runs it and a reference that relocates, finds where the two part in what the guest
 * notices, says what the trace shows, and takes known faults away one at a time. Runs end at the relocation, so that
 * each takes half a boot.
 */
import {
  diagnose,
  filterSink,
  firstDivergence,
  TraceBuffer,
  type TraceEvent,
  type TraceForm,
} from '@smm/trace';
import type { Quirk } from '../../quirks.ts';
import {
  type ExplanationCore,
  findReference,
  quirksOf,
  singleCauses,
  traceFormOf,
  withoutLabel,
  withoutQuirks,
} from '../causes.ts';
import { relabelled } from '../run.ts';
import { Boot } from './boot.ts';
import type { BootOptions } from './boot-options.ts';
import { type BootRunOptions, bootInPieces } from './boot-run.ts';
import type { BootReport } from './report.ts';

/** A boot with its trace. */
export interface TracedBoot {
  /** What it is, in words. */
  readonly label: string;
  /** The configuration. */
  readonly options: BootOptions;
  /** What became of it. */
  readonly report: BootReport;
  /** The machine's own events; those of KVM would be some gigabytes. */
  readonly events: readonly TraceEvent[];
}

/** An explained boot. */
export interface BootExplanation extends ExplanationCore<TracedBoot> {
  /** Quirks each of which, taken away alone, makes it relocate. */
  readonly causes: readonly Quirk[];
  /** Words of the trace. */
  readonly form: TraceForm;
}

/** Where a run is, for a progress line. */
export interface ExplainStep {
  /** What is run. */
  readonly label: string;
  /** The machine at work. */
  readonly boot: Boot;
}

/** Yields after each piece of each run; returns the explanation. */
export function* explainBootSteps(
  options: BootOptions,
  limits: Pick<BootRunOptions, 'budget' | 'piece' | 'giveUp' | 'interrupt'> = {},
): Generator<ExplainStep, BootExplanation> {
  const runTo = (label: string, config: BootOptions) => traced(label, config, limits);
  const quirks = quirksOf(options);
  const run = yield* runTo('this configuration', options);
  const passes = run.report.outcome === 'relocated';
  const reference = yield* findReference(options, runTo);
  const form = traceFormOf(options);
  const causes = passes
    ? []
    : yield* singleCauses(quirks, function* (some): Generator<ExplainStep, boolean> {
        const { report } = yield* runTo(withoutLabel(some), withoutQuirks(options, some));
        return report.outcome === 'relocated';
      });
  return {
    passes,
    run,
    quirks,
    reference,
    divergence: reference && firstDivergence(run.events, reference.events, { form }),
    diagnoses: diagnose(run.events, {
      vcpus: options.cpus ?? 1,
      outcome: passes ? 'relocated' : 'stuck',
      form,
      ...(reference && { planned: reference.report.cpus.map(({ smbase }) => smbase) }),
    }),
    causes,
    form,
  };
}

function* traced(
  label: string,
  options: BootOptions,
  limits: BootRunOptions,
): Generator<ExplainStep, TracedBoot> {
  const buffer = new TraceBuffer();
  const trace = filterSink(buffer.sink, ({ name }) => name.startsWith('smm_') && name !== 'smm_unclaimed');
  const boot = new Boot({ ...options, trace });
  const pieces = bootInPieces(boot, { ...limits, until: 'relocated', shutdownEnds: true });
  const report = yield* relabelled(pieces, () => ({ label, boot }));
  return { label, options, report, events: buffer.events };
}
