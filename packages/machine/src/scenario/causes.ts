/**
 * What explanations of all scenarios have in common: which faults are in force, the same without them, what to compare
 * with.
 */
import type { Diagnosis, DivergenceReport, TraceForm } from '@smm/trace';
import { type AcceleratorName, findAccelerator } from '../accel/accelerators.ts';
import { hostOf, quirksInForce, resolveSwitches } from '../hosts.ts';
import { findQuirk, type Quirk } from '../quirks.ts';
import type { MachineConfig } from './config.ts';

/** What is known of a configuration that was explained by runs of it and of others. */
export interface ExplanationCore<Run> {
  /** It relocates. */
  readonly passes: boolean;
  /** The run. */
  readonly run: Run;
  /** Quirks in force. */
  readonly quirks: readonly Quirk[];
  /** The run it is compared with; undefined if no other configuration of this guest relocates. */
  readonly reference: Run | undefined;
  /**
   * Where the run (first) and the reference (second) part, in what the guest notices; undefined without a reference.
   */
  readonly divergence: DivergenceReport | undefined;
  /** What the run's trace shows. */
  readonly diagnoses: readonly Diagnosis[];
}

/** Whether the configuration relocates without some of its quirks: runs it, and yields what it is about to run. */
export type RelocatesWithout<Step> = (quirks: readonly Quirk[]) => Generator<Step, boolean>;

/** The quirks each of which, taken away alone, suffices, or the first so many of them. */
export function* singleCauses<Step>(
  quirks: readonly Quirk[],
  relocatesWithout: RelocatesWithout<Step>,
  most: number = Number.POSITIVE_INFINITY,
): Generator<Step, Quirk[]> {
  const causes: Quirk[] = [];
  for (const quirk of quirks) {
    if (causes.length < most && (yield* relocatesWithout([quirk]))) causes.push(quirk);
  }
  return causes;
}

/** One quirk whose removal suffices; else a set from which none can be left out; empty if all together do not. */
export function* smallestCause<Step>(
  quirks: readonly Quirk[],
  relocatesWithout: RelocatesWithout<Step>,
): Generator<Step, Quirk[]> {
  const alone = yield* singleCauses(quirks, relocatesWithout, 1);
  if (alone.length > 0) return alone;
  if (quirks.length < 2 || !(yield* relocatesWithout(quirks))) return [];
  let set = [...quirks];
  for (const quirk of quirks) {
    const fewer = set.filter((other) => other !== quirk);
    if (fewer.length > 0 && (yield* relocatesWithout(fewer))) set = fewer;
  }
  return set;
}

/** Quirks in force. */
export function quirksOf({ accelerator = 'tcg', host, quirks }: MachineConfig): Quirk[] {
  return quirksInForce({ accelerator, host, quirks }).map(findQuirk);
}

/** The words of a configuration's trace: those of its host's kernel, and of 2015 where there is none. */
export function traceFormOf({ accelerator = 'tcg', host, quirks }: MachineConfig): TraceForm {
  return findAccelerator(accelerator).traceForm(resolveSwitches({ accelerator, host, quirks }).kvm);
}

/** The configuration without some of its quirks. */
export function withoutQuirks<C extends MachineConfig>(config: C, without: readonly Quirk[]): C {
  const { accelerator = 'tcg', host, quirks = [] } = config;
  const ids = without.map(({ id }) => id);
  const ofHost = hostOf({ accelerator, host })?.quirks ?? [];
  const kept = quirks.filter((item) => !ids.includes(findQuirk(item.slice(1)).id));
  return { ...config, quirks: [...kept, ...ids.filter((id) => ofHost.includes(id)).map((id) => `-${id}`)] };
}

/** `the same without Q1, Q2`. */
export function withoutLabel(quirks: readonly Quirk[]): string {
  return `the same without ${quirks.map(({ id }) => id).join(', ')}`;
}

/** The same guest, its own defects included, under an accelerator that is on no host. */
function withoutHost<C extends MachineConfig>(config: C, accelerator: AcceleratorName) {
  const { host: _host, kvm: _kvm, ...guest } = config;
  const ofGuest = quirksOf(config).filter(
    ({ effects }) => effects.firmware !== undefined || effects.emptyLeaf0B === true,
  );
  return { ...guest, accelerator, quirks: ofGuest.map(({ id }) => `+${id}`) };
}

/** Runs of the same guest to compare with, best first: under the reference accelerator, then without the quirks. */
function candidates<C extends MachineConfig>(config: C) {
  const quirks = quirksOf(config);
  const { reference } = findAccelerator(config.accelerator ?? 'tcg');
  return [
    ...(reference === undefined
      ? []
      : [[`${reference} with the same guest`, withoutHost(config, reference)] as const]),
    ...(quirks.length > 0 ? [[withoutLabel(quirks), withoutQuirks(config, quirks)] as const] : []),
  ];
}

/** The first of the runs to compare with that relocates; undefined if none does. */
export function* findReference<
  C extends MachineConfig,
  S,
  R extends { readonly report: { readonly outcome: string } },
>(
  config: C,
  run: (label: string, config: C | ReturnType<typeof withoutHost<C>>) => Generator<S, R>,
): Generator<S, R | undefined> {
  for (const [label, candidate] of candidates(config)) {
    const seen = yield* run(label, candidate);
    if (seen.report.outcome === 'relocated') return seen;
  }
  return undefined;
}
