/**
 * What explanations of all scenarios have in common: which faults are in force, the same without them, what to compare
 * with.
 */
import type { TraceForm } from '@smm/trace';
import { DEFAULT_HOST, findHost, quirksInForce, resolveSwitches } from '../hosts.ts';
import { findQuirk, type Quirk } from '../quirks.ts';
import type { MachineConfig } from './config.ts';

/** Quirks in force. */
export function quirksOf({ accelerator = 'tcg', host, quirks }: MachineConfig): Quirk[] {
  return quirksInForce({ accelerator, host, quirks }).map(findQuirk);
}

/** The words of a configuration's trace: those of its host's kernel, and of 2015 where there is none. */
export function traceFormOf({ accelerator = 'tcg', host, quirks }: MachineConfig): TraceForm {
  return accelerator === 'tcg' ? '2015' : resolveSwitches({ accelerator, host, quirks }).kvm.traceForm;
}

/** The configuration without some of its quirks. */
export function withoutQuirks<C extends MachineConfig>(config: C, without: readonly Quirk[]): C {
  const { accelerator = 'tcg', host = DEFAULT_HOST, quirks = [] } = config;
  const ids = without.map(({ id }) => id);
  const ofHost = accelerator === 'kvm' ? findHost(host).quirks : [];
  const kept = quirks.filter((item) => !ids.includes(findQuirk(item.slice(1)).id));
  return { ...config, quirks: [...kept, ...ids.filter((id) => ofHost.includes(id)).map((id) => `-${id}`)] };
}

/** `the same without Q1, Q2`. */
export function withoutLabel(quirks: readonly Quirk[]): string {
  return `the same without ${quirks.map(({ id }) => id).join(', ')}`;
}

/** The same guest, its own defects included, under `tcg`. */
function underTcg<C extends MachineConfig>(config: C) {
  const { host: _host, kvm: _kvm, ...guest } = config;
  const ofGuest = quirksOf(config).filter(
    ({ effects }) => effects.firmware !== undefined || effects.emptyLeaf0B === true,
  );
  return { ...guest, accelerator: 'tcg' as const, quirks: ofGuest.map(({ id }) => `+${id}`) };
}

/** Runs of the same guest to compare with, best first: under `tcg` if the run is KVM's, then without the quirks. */
function candidates<C extends MachineConfig>(config: C) {
  const quirks = quirksOf(config);
  return [
    ...(config.accelerator === 'kvm' ? [['tcg with the same guest', underTcg(config)] as const] : []),
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
  run: (label: string, config: C | ReturnType<typeof underTcg<C>>) => Generator<S, R>,
): Generator<S, R | undefined> {
  for (const [label, candidate] of candidates(config)) {
    const seen = yield* run(label, candidate);
    if (seen.report.outcome === 'relocated') return seen;
  }
  return undefined;
}
