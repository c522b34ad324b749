/** Rules about SMIs that do not arrive, and about CPUs that do not come back. */
import type { Finding, TraceFacts } from './diagnosis.ts';
import { hexOf } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';
import { isHalt } from './exit-kind.ts';
import { DEFAULT_SMBASE, lastByVcpu, vcpuOf } from './smm-episodes.ts';

const SMI_DELIVERY_MODE = 2;

/** Events that only a VCPU that runs records. */
const RUNS: ReadonlySet<string> = new Set(['kvm_exit', 'smm_wake']);

/** The VCPU that an event requests an SMI for. KVM calls the target by the id that it also calls the VCPU by. */
function smiTarget(event: TraceEvent, machine: boolean): number | undefined {
  if (machine) return event.name === 'smm_smi' ? event.vcpu : undefined;
  const isSmi = event.name === 'kvm_apic_accept_irq' && ((event.dm >> 8) & 7) === SMI_DELIVERY_MODE;
  return isSmi ? event.apicid : undefined;
}

/** Where a VCPU stands, as the trace is gone through. */
interface Standing {
  /** Index of the HLT that it stands in. */
  halt?: number | undefined;
  /** It got INIT, and no SIPI since. */
  waitsForSipi: boolean;
}

const GETS_ON: ReadonlySet<string> = new Set([
  'smm_wake',
  'smm_enter',
  'smm_rsm',
  'smm_init',
  'smm_sipi',
  'kvm_entry',
]);

/** Notes what an event does to its VCPU. */
function follow(standing: Standing, event: TraceEvent, index: number): void {
  if (event.name === 'smm_halt' || (event.name === 'kvm_exit' && isHalt(event))) standing.halt = index;
  else if (event.name === 'kvm_exit' || GETS_ON.has(event.name)) standing.halt = undefined;
  if (event.name === 'smm_init') standing.waitsForSipi = true;
  if (event.name === 'smm_sipi') standing.waitsForSipi = false;
}

/** An SMI that a VCPU never takes: Q2 if the VCPU is halted. */
export function smiNeverTaken(facts: TraceFacts): Finding[] {
  const machine = facts.events.some(({ name }) => name === 'smm_smi');
  if (!facts.complete) return [];
  const standings = new Map<number, Standing>();
  const standingOf = (vcpu: number): Standing => {
    const standing = standings.get(vcpu) ?? { waitsForSipi: false };
    standings.set(vcpu, standing);
    return standing;
  };
  const lastEnter = new Map<number, number>();
  for (const { vcpu, enter = -1 } of facts.episodes) {
    lastEnter.set(vcpu, Math.max(lastEnter.get(vcpu) ?? -1, enter));
  }
  for (const [index, event] of facts.events.entries()) {
    follow(standingOf(vcpuOf(event)), event, index);
    const vcpu = smiTarget(event, machine);
    if (vcpu === undefined) continue;
    const { halt, waitsForSipi } = standingOf(vcpu);
    const taken = (lastEnter.get(vcpu) ?? -1) > index || facts.inSmm(vcpu, index);
    if (taken || waitsForSipi || !facts.goesOnLongAfter(index)) continue;
    const wakes = (lastByVcpu(facts.events, RUNS).get(vcpu) ?? -1) > index;
    const stuck = facts.context.outcome === 'stuck';
    if (halt !== undefined && !wakes) {
      return [
        {
          id: 'smi-ignored-while-halted',
          quirk: 'Q2',
          title: 'An SMI does not wake a halted CPU',
          sentence: `VCPU ${vcpu} was sent an SMI while it stood in HLT, and it never entered SMM: the SMI stays pending and the VCPU asleep, so the CPU that waits for it waits for ever.`,
          vcpu,
          evidence: facts.evidence([halt, index]),
          confidence: stuck ? 'proved' : 'likely',
        },
      ];
    }
    return [
      {
        id: 'smi-never-taken',
        title: 'An SMI was never taken',
        sentence: `VCPU ${vcpu} was sent an SMI and does not enter SMM in this trace.`,
        vcpu,
        evidence: facts.evidence([index]),
        confidence: stuck ? 'likely' : 'possible',
      },
    ];
  }
  return [];
}

/** A CPU that stays in SMM to the end of a run that failed. */
export function smmNeverLeft(facts: TraceFacts): Finding[] {
  const { outcome } = facts.context;
  if (outcome === undefined || outcome === 'relocated') return [];
  const stays = facts.episodes.filter(({ leave }) => leave === undefined);
  const main = stays[0];
  if (!main) return [];
  const { vcpu, smbase = DEFAULT_SMBASE, inside } = main;
  const first =
    smbase === DEFAULT_SMBASE && !inside.some((index) => facts.at(index).name === 'smm_smbase_write');
  return [
    {
      id: 'smm-never-left',
      ...(first && { quirk: 'Q8' }),
      title: 'A CPU does not come back from SMM',
      sentence: `VCPU ${vcpu} entered SMM at SMBASE ${hexOf(smbase)} and never left it.${first ? ' It did not reach the point where SMBASE is stored, as when a branch above 64 KB goes astray.' : ''}`,
      vcpu,
      evidence: facts.evidence([main.enter, ...inside.slice(-3)]),
      confidence: 'possible',
    },
  ];
}

/** A normal SMI that some CPUs do not take part in (Q10). */
export function smiTakenByOne(facts: TraceFacts): Finding[] {
  const normal = facts.episodes.filter(
    ({ enter, smbase }) => enter !== undefined && smbase !== undefined && smbase !== DEFAULT_SMBASE,
  );
  const took = new Set(normal.map(({ vcpu }) => vcpu));
  const absent = [...facts.firsts.values()].filter(
    ({ vcpu, leave }) => leave !== undefined && !took.has(vcpu),
  );
  const main = normal[0];
  if (!main || absent.length === 0 || !facts.complete) return [];
  if (!facts.goesOnLongAfter(main.leave ?? main.enter ?? 0)) return [];
  const missing = absent.map(({ vcpu }) => vcpu);
  return [
    {
      id: 'smi-taken-by-one',
      quirk: 'Q10',
      title: 'A normal SMI does not reach every CPU',
      sentence: `VCPU ${main.vcpu} took an SMI at its own SMBASE ${hexOf(main.smbase ?? 0n)}; VCPU ${missing.slice(0, 8).join(', ')} ${missing.length > 1 ? 'were' : 'was'} relocated before but never entered SMM with it: the SMI went to one CPU, and a handler that waits for all runs into its time-out.`,
      vcpu: missing[0] ?? 0,
      evidence: facts.evidence([...absent.slice(0, 2).map(({ leave }) => leave), main.enter, main.leave]),
      confidence: 'likely',
    },
  ];
}
