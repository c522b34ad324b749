/**
 * Explains one configuration: runs it and a reference that should work, finds where the two part, what the trace
 * shows, and, by taking known faults away one at a time, which of them is the cause. Everything it says comes from
 * runs.
 */
import { firstDivergence } from '@smm/trace';
import { findAccelerator } from '../../accel/accelerators.ts';
import type { Quirk } from '../../quirks.ts';
import {
  type ExplanationCore,
  findReference,
  quirksOf,
  smallestCause,
  traceFormOf,
  withoutLabel,
  withoutQuirks,
} from '../causes.ts';
import { finish } from '../run.ts';
import { lostInSmm, whyHarmless } from './explain-harmless.ts';
import type { RelocationReport } from './outcome.ts';
import { RelocationParts } from './parts.ts';
import type { RelocationOptions } from './relocation.ts';
import { diagnoseRun, reportSteps, type TracedRun, tracedSteps } from './traced-run.ts';

/** A change that was tried on a failing configuration. */
export interface Remedy {
  /** The change, as a command line would say it. */
  readonly change: string;
  /** True if the changed configuration relocates. */
  readonly helps: boolean;
  /** What became of it. */
  readonly report: RelocationReport;
}

/** An explained configuration. */
export interface Explanation extends ExplanationCore<TracedRun> {
  /** The smallest set of quirks without which it relocates; empty if it passes, or fails without them too. */
  readonly causes: readonly Quirk[];
  /** Other changes that were tried; empty if it passes, or if not asked for. */
  readonly remedies: readonly Remedy[];
  /** Why each quirk in force does not bite; empty if it fails. */
  readonly harmless: readonly string[];
  /** What was lost in SMM although every CPU is relocated. */
  readonly losses: readonly string[];
}

/** How much to explain. */
export interface ExplainChoices {
  /** Try other changes than removing quirks on a failing configuration. Default true. */
  readonly remedies?: boolean;
}

/** Explains a configuration; see {@link explainSteps}. */
export function explain(options: RelocationOptions, choices: ExplainChoices = {}): Explanation {
  return finish(explainSteps(options, choices));
}

/** Yields what it is about to run, so that a caller can show progress or stop; returns the explanation. */
export function* explainSteps(
  given: RelocationOptions,
  choices: ExplainChoices = {},
): Generator<string, Explanation> {
  const options = { parts: new RelocationParts(), ...given };
  const run = yield* tracedSteps('the configuration', options);
  const quirks = quirksOf(options);
  const passes = run.report.outcome === 'relocated';
  const diagnoses = diagnoseRun(run);
  const causes = passes
    ? []
    : yield* smallestCause(quirks, function* (some): Generator<string, boolean> {
        const report = yield* reportSteps(withoutLabel(some), withoutQuirks(options, some));
        return report.outcome === 'relocated';
      });
  const reference = yield* findReference<RelocationOptions, string, TracedRun>(options, tracedSteps);
  const divergence =
    reference && firstDivergence(run.events, reference.events, { form: traceFormOf(options) });
  const harmless: string[] = [];
  if (passes) {
    for (const quirk of quirks) {
      const without = yield* tracedSteps(withoutLabel([quirk]), withoutQuirks(options, [quirk]));
      harmless.push(whyHarmless(quirk, run, without));
    }
  }
  return {
    passes,
    run,
    quirks,
    reference,
    divergence,
    diagnoses,
    causes,
    remedies: passes || choices.remedies === false ? [] : yield* tryRemedies(options),
    harmless,
    losses: passes ? lostInSmm(run) : [],
  };
}

function* tryRemedies(options: RelocationOptions): Generator<string, Remedy[]> {
  const tried: Remedy[] = [];
  for (const [change, changed] of remediesFor(options)) {
    const report = yield* reportSteps(change, changed);
    tried.push({ change, helps: report.outcome === 'relocated', report });
  }
  return tried;
}

function remediesFor(options: RelocationOptions): [string, RelocationOptions][] {
  const { accelerator = 'tcg', kvm = {}, edk2 = '2015', cpus = 1 } = options;
  const changes = findAccelerator(accelerator)
    .remedies(kvm)
    .map(([change, kvm]): [string, RelocationOptions] => [change, { ...options, kvm }]);
  const ownFirmware =
    options.rom === undefined && !quirksOf(options).some(({ effects }) => effects.firmware !== undefined);
  if (ownFirmware && edk2 === '2015') changes.push(['--edk2 2024', { ...options, edk2: '2024' }]);
  if (cpus > 1) changes.push(['-smp 1', { ...options, cpus: 1 }]);
  return changes;
}
