/** Rules about SMIs that do not arrive, and about CPUs that do not come back. */
import type { Diagnosis, TraceFacts } from './diagnosis.ts';
import { hexOf } from './diagnosis.ts';
import type { TraceEvent } from './events.ts';
import { DEFAULT_SMBASE, type SmmEpisode, vcpuOf } from './smm-episodes.ts';
import { EXIT_REASON, USERSPACE_EXIT } from './symbols.ts';

const SMI_DELIVERY_MODE = 2;
const FAILED_VM_ENTRY = 0x8000_0000;
/** EIP that fits 16 bits: where a taken 16-bit branch above 64 KB ends up. */
const SIXTEEN_BITS = 0xffffn;

/** The VCPU that an event requests an SMI for. */
function smiTarget(event: TraceEvent, machine: boolean): number | undefined {
  if (machine) return event.name === 'smm_smi' ? event.vcpu : undefined;
  const isSmi = event.name === 'kvm_apic_accept_irq' && ((event.dm >> 8) & 7) === SMI_DELIVERY_MODE;
  return isSmi ? event.apicid : undefined;
}

/** Index of the HLT that a VCPU stands in at `index`, if it does. */
function haltBefore(facts: TraceFacts, vcpu: number, index: number): number | undefined {
  for (let i = index - 1; i >= 0; i--) {
    const event = facts.at(i);
    if (vcpuOf(event) !== vcpu) continue;
    if (event.name === 'smm_halt') return i;
    if (event.name === 'kvm_exit') return event.exitReason === EXIT_REASON.HLT ? i : undefined;
    if (['smm_wake', 'smm_enter', 'smm_rsm', 'smm_init', 'smm_sipi', 'kvm_entry'].includes(event.name))
      return undefined;
  }
  return undefined;
}

function waitsForSipi(facts: TraceFacts, vcpu: number, index: number): boolean {
  for (let i = index - 1; i >= 0; i--) {
    const event = facts.at(i);
    if (event.name === 'smm_init' && event.vcpu === vcpu) return true;
    if (event.name === 'smm_sipi' && event.vcpu === vcpu) return false;
  }
  return false;
}

/** An SMI that a VCPU never takes: Q2 if the VCPU is halted. */
export function smiNeverTaken(facts: TraceFacts): Diagnosis[] {
  const machine = facts.events.some(({ name }) => name === 'smm_smi');
  for (const [index, event] of facts.events.entries()) {
    const vcpu = smiTarget(event, machine);
    if (vcpu === undefined) continue;
    const entersLater = facts.episodes.some((each) => each.vcpu === vcpu && (each.enter ?? -1) > index);
    const inSmm = facts.episodes.some(
      (each) =>
        each.vcpu === vcpu && (each.enter ?? -1) < index && (each.leave ?? Number.POSITIVE_INFINITY) > index,
    );
    if (entersLater || inSmm || waitsForSipi(facts, vcpu, index)) continue;
    const halt = haltBefore(facts, vcpu, index);
    const wakes = facts.events
      .slice(index + 1)
      .some((later) => vcpuOf(later) === vcpu && (later.name === 'kvm_exit' || later.name === 'smm_wake'));
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
          confidence: stuck ? 'certain' : 'likely',
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

/** The event inside a stay in SMM that ends its VCPU, and the RIP that it tells. */
function deathOf(event: TraceEvent): { failedEntry: boolean; rip?: bigint | undefined } | undefined {
  if (event.name === 'smm_shutdown') return { failedEntry: false, rip: event.rip };
  if (event.name === 'kvm_exit') {
    if (event.exitReason >= FAILED_VM_ENTRY) return { failedEntry: true, rip: event.guestRip };
    return event.exitReason === EXIT_REASON.TRIPLE_FAULT
      ? { failedEntry: false, rip: event.guestRip }
      : undefined;
  }
  if (event.name !== 'kvm_userspace_exit' || event.errno < 0) return undefined;
  if (event.reason === USERSPACE_EXIT.FAIL_ENTRY) return { failedEntry: true };
  const fatal = event.reason === USERSPACE_EXIT.SHUTDOWN || event.reason === USERSPACE_EXIT.INTERNAL_ERROR;
  return fatal ? { failedEntry: false } : undefined;
}

/** Index of the event that ends a VCPU during a stay in SMM. */
export function deathIn(facts: TraceFacts, episode: SmmEpisode): number | undefined {
  return episode.inside.find((index) => deathOf(facts.at(index)) !== undefined);
}

/** A CPU that dies in SMM: Q4 if the VM entry fails, Q8 if EIP was cut to 16 bits. */
export function shutdownInSmm(facts: TraceFacts): Diagnosis[] {
  for (const episode of facts.episodes) {
    const index = deathIn(facts, episode);
    if (episode.leave !== undefined || index === undefined) continue;
    const death = deathOf(facts.at(index));
    const { vcpu, smbase = DEFAULT_SMBASE } = episode;
    const evidence = facts.evidence([
      episode.enter,
      ...episode.inside.filter((each) => each < index).slice(-2),
      index,
    ]);
    if (death?.failedEntry) {
      return [
        {
          id: 'vm-entry-failed-in-smm',
          quirk: 'Q4',
          title: 'VM entry fails in SMM',
          sentence: `VCPU ${vcpu} entered SMM at SMBASE ${hexOf(smbase)} and the next VM entry failed: an event was still being injected when the state was switched to SMM's.`,
          vcpu,
          evidence,
          confidence: 'likely',
        },
      ];
    }
    const rip = death?.rip;
    const cut = smbase === DEFAULT_SMBASE && (rip === undefined || rip <= SIXTEEN_BITS);
    return [
      {
        id: 'shutdown-in-smm',
        ...(cut && { quirk: 'Q8' }),
        title: 'A CPU shuts down in SMM',
        sentence: `VCPU ${vcpu} entered SMM at SMBASE ${hexOf(smbase)} and shut down there${rip === undefined ? '' : ` at RIP ${hexOf(rip)}`}${cut ? ': it ran into code that is none. A branch taken above 64 KB with 16-bit operand size cuts EIP and ends so.' : ', at an exception that it could not deliver.'}`,
        vcpu,
        evidence,
        confidence: cut && rip !== undefined ? 'likely' : 'possible',
      },
    ];
  }
  return [];
}

/** A CPU that stays in SMM to the end of a run that failed. */
export function smmNeverLeft(facts: TraceFacts): Diagnosis[] {
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
export function smiTakenByOne(facts: TraceFacts): Diagnosis[] {
  const normal = facts.episodes.filter(
    ({ enter, smbase }) => enter !== undefined && smbase !== undefined && smbase !== DEFAULT_SMBASE,
  );
  const took = new Set(normal.map(({ vcpu }) => vcpu));
  const absent = [...facts.firsts.values()].filter(
    ({ vcpu, leave }) => leave !== undefined && !took.has(vcpu),
  );
  const main = normal[0];
  if (!main || absent.length === 0) return [];
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
