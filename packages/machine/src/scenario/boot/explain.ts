/**
 * Explains a boot that hangs: runs it and a reference that relocates, finds where the two part in what the guest
 * notices, says what the trace shows, and takes known faults away one at a time. Runs end at the relocation, so that
 * each takes half a boot.
 */
import {
  type Diagnosis,
  type DivergenceReport,
  diagnose,
  filterSink,
  firstDivergence,
  TraceBuffer,
  type TraceEvent,
  type TraceForm,
} from '@smm/trace';
import { DEFAULT_HOST, findHost, quirksInForce, resolveSwitches } from '../../hosts.ts';
import { findQuirk, type Quirk } from '../../quirks.ts';
import { Boot, type BootOptions } from './boot.ts';
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
export interface BootExplanation {
  /** It relocates. */
  readonly passes: boolean;
  /** The run. */
  readonly run: TracedBoot;
  /** Quirks in force. */
  readonly quirks: readonly Quirk[];
  /** The run it is compared with; undefined if no other configuration relocates. */
  readonly reference: TracedBoot | undefined;
  /** Where the run (first) and the reference (second) part; undefined without a reference. */
  readonly divergence: DivergenceReport | undefined;
  /** What the run's trace shows. */
  readonly diagnoses: readonly Diagnosis[];
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
  const { accelerator = 'tcg', host, quirks: changes } = options;
  const quirks = quirksInForce({ accelerator, host, quirks: changes }).map(findQuirk);
  const run = yield* traced('this configuration', options, limits);
  const passes = run.report.outcome === 'relocated';
  const reference = yield* findReference(options, quirks, limits);
  const form: TraceForm =
    accelerator === 'tcg' ? '2015' : resolveSwitches({ accelerator, host, quirks: changes }).kvm.traceForm;
  const causes: Quirk[] = [];
  if (!passes) {
    for (const quirk of quirks) {
      const without = yield* traced(`the same without ${quirk.id}`, withoutQuirk(options, quirk), limits);
      if (without.report.outcome === 'relocated') causes.push(quirk);
    }
  }
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
  const pieces = bootInPieces(boot, { ...limits, goal: 'relocated' });
  for (;;) {
    const step = pieces.next();
    if (step.done === true) return { label, options, report: step.value, events: buffer.events };
    yield { label, boot };
  }
}

/** Under tcg if the run is KVM's, or else without any quirk. */
function* findReference(
  options: BootOptions,
  quirks: readonly Quirk[],
  limits: BootRunOptions,
): Generator<ExplainStep, TracedBoot | undefined> {
  const { accelerator = 'tcg' } = options;
  const { host: _host, kvm: _kvm, quirks: _quirks, ...guest } = options;
  if (accelerator === 'tcg' && quirks.length === 0) return undefined;
  const run = yield* traced('tcg with the same guest', { ...guest, accelerator: 'tcg' }, limits);
  return run.report.outcome === 'relocated' ? run : undefined;
}

function withoutQuirk(options: BootOptions, { id }: Quirk): BootOptions {
  const { accelerator = 'tcg', host = DEFAULT_HOST, quirks = [] } = options;
  const ofHost = accelerator === 'kvm' && findHost(host).quirks.includes(id);
  const kept = quirks.filter((item) => findQuirk(item.slice(1)).id !== id);
  return { ...options, quirks: ofHost ? [...kept, `-${id}`] : kept };
}
