/**
 * Explains one configuration: runs it and a reference that should work, finds where the two part, what the trace
 * shows, and, by taking known faults away one at a time, which of them is the cause. Everything it says comes from
 * runs.
 */
import { type Diagnosis, type DivergenceReport, firstDivergence } from '@smm/trace';
import { DEFAULT_HOST, findHost, quirksInForce } from '../../hosts.ts';
import { findQuirk, type Quirk } from '../../quirks.ts';
import { lostInSmm, whyHarmless } from './explain-harmless.ts';
import type { RelocationReport } from './outcome.ts';
import { RelocationParts } from './parts.ts';
import type { RelocationOptions } from './relocation.ts';
import { diagnoseRun, reportSteps, type TracedRun, tracedSteps, traceFormOf } from './traced-run.ts';

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
export interface Explanation {
  /** It relocates. */
  readonly passes: boolean;
  /** The run. */
  readonly run: TracedRun;
  /** Quirks in force. */
  readonly quirks: readonly Quirk[];
  /** The run it is compared with; undefined if no other configuration of this guest relocates. */
  readonly reference: TracedRun | undefined;
  /**
   * Where the run (first) and the reference (second) part, in what the guest notices; undefined without a reference.
   */
  readonly divergence: DivergenceReport | undefined;
  /** What the run's trace shows. */
  readonly diagnoses: readonly Diagnosis[];
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
  const steps = explainSteps(options, choices);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** Yields what it is about to run, so that a caller can show progress or stop; returns the explanation. */
export function* explainSteps(
  given: RelocationOptions,
  choices: ExplainChoices = {},
): Generator<string, Explanation> {
  const options = { parts: new RelocationParts(), ...given };
  yield 'the configuration';
  const run = yield* tracedSteps('the configuration', options);
  const quirks = inForce(options).map(findQuirk);
  const passes = run.report.outcome === 'relocated';
  const diagnoses = diagnoseRun(run);
  const causes = passes ? [] : yield* findCauses(options, quirks);
  const reference = yield* findReference(options, quirks);
  const divergence =
    reference && firstDivergence(run.events, reference.events, { form: traceFormOf(options) });
  const harmless: string[] = [];
  if (passes) {
    for (const quirk of quirks) {
      yield `the same without ${quirk.id}`;
      const without = yield* tracedSteps(`the same without ${quirk.id}`, withoutQuirks(options, [quirk.id]));
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

function inForce({ accelerator = 'tcg', host, quirks }: RelocationOptions): string[] {
  return quirksInForce({ accelerator, host, quirks });
}

/** The configuration without some of its quirks. */
function withoutQuirks(options: RelocationOptions, ids: readonly string[]): RelocationOptions {
  const { accelerator = 'tcg', host = DEFAULT_HOST, quirks = [] } = options;
  const ofHost = accelerator === 'kvm' ? findHost(host).quirks : [];
  const kept = quirks.filter((item) => !ids.includes(findQuirk(item.slice(1)).id));
  return { ...options, quirks: [...kept, ...ids.filter((id) => ofHost.includes(id)).map((id) => `-${id}`)] };
}

function* relocatesWithout(options: RelocationOptions, ids: readonly string[]): Generator<string, boolean> {
  const label = `the same without ${ids.join(', ')}`;
  yield label;
  return (yield* reportSteps(label, withoutQuirks(options, ids))).outcome === 'relocated';
}

/** One quirk whose removal suffices; else a set from which none can be left out. */
function* findCauses(options: RelocationOptions, quirks: readonly Quirk[]): Generator<string, Quirk[]> {
  for (const quirk of quirks) {
    if (yield* relocatesWithout(options, [quirk.id])) return [quirk];
  }
  if (quirks.length < 2) return [];
  let set = [...quirks];
  if (
    !(yield* relocatesWithout(
      options,
      set.map(({ id }) => id),
    ))
  )
    return [];
  for (const quirk of quirks) {
    const fewer = set.filter((other) => other !== quirk);
    if (
      fewer.length > 0 &&
      (yield* relocatesWithout(
        options,
        fewer.map(({ id }) => id),
      ))
    )
      set = fewer;
  }
  return set;
}

/** A run of the same guest that relocates: under tcg if the run is kvm's, or else without the quirks. */
function* findReference(
  options: RelocationOptions,
  quirks: readonly Quirk[],
): Generator<string, TracedRun | undefined> {
  const candidates: [string, RelocationOptions][] = [];
  if (options.accelerator === 'kvm') candidates.push(['tcg with the same guest', underTcg(options, quirks)]);
  if (quirks.length > 0) {
    const ids = quirks.map(({ id }) => id);
    candidates.push([`the same without ${ids.join(', ')}`, withoutQuirks(options, ids)]);
  }
  for (const [label, candidate] of candidates) {
    yield label;
    const run = yield* tracedSteps(label, candidate);
    if (run.report.outcome === 'relocated') return run;
  }
  return undefined;
}

/** The same guest, firmware defects included, under `tcg`. */
function underTcg(options: RelocationOptions, quirks: readonly Quirk[]): RelocationOptions {
  const { host: _host, kvm: _kvm, ...guest } = options;
  const ofGuest = quirks.filter(
    ({ effects }) => effects.firmware !== undefined || effects.emptyLeaf0B === true,
  );
  return { ...guest, accelerator: 'tcg', quirks: ofGuest.map(({ id }) => `+${id}`) };
}

function* tryRemedies(options: RelocationOptions): Generator<string, Remedy[]> {
  const tried: Remedy[] = [];
  for (const [change, changed] of remediesFor(options)) {
    yield change;
    const report = yield* reportSteps(change, changed);
    tried.push({ change, helps: report.outcome === 'relocated', report });
  }
  return tried;
}

function remediesFor(options: RelocationOptions): [string, RelocationOptions][] {
  const { accelerator = 'tcg', kvm = {}, edk2 = '2015', cpus = 1 } = options;
  const changes: [string, RelocationOptions][] = [];
  if (accelerator === 'kvm') {
    if (kvm.flexpriority !== false) {
      changes.push(['-accel kvm,flexpriority=0', { ...options, kvm: { ...kvm, flexpriority: false } }]);
    }
    if (kvm.ept !== false) changes.push(['-accel kvm,ept=0', { ...options, kvm: { ...kvm, ept: false } }]);
    if (kvm.kernelIrqchip !== false) {
      changes.push(['-machine kernel_irqchip=off', { ...options, kvm: { ...kvm, kernelIrqchip: false } }]);
    }
  }
  const ownFirmware =
    options.rom === undefined && !inForce(options).some((id) => findQuirk(id).effects.firmware);
  if (ownFirmware && edk2 === '2015') changes.push(['--edk2 2024', { ...options, edk2: '2024' }]);
  if (cpus > 1) changes.push(['-smp 1', { ...options, cpus: 1 }]);
  return changes;
}
