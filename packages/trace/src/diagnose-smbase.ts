/** Rules about the SMBASE that a CPU ends up with. */
import type { Finding, TraceFacts } from './diagnosis.ts';
import { hexOf } from './diagnosis.ts';
import { DEFAULT_SMBASE, type SmmEpisode } from './smm-episodes.ts';

const MASK_32K = 0x7fffn;
const APIC_ID_REGISTER = 0x20;
/** Where a save-state map can have SMBASE, from the SMBASE that it was saved at: 32-bit, then AMD64. */
const SMBASE_FIELDS: readonly bigint[] = [0xfef8n, 0xff00n];

/** The SMBASE that was stored during a stay, last. */
function lastWrite(
  facts: TraceFacts,
  episode: SmmEpisode,
): { index: number; value: bigint; gpa: bigint } | undefined {
  for (const index of [...episode.inside].reverse()) {
    const event = facts.at(index);
    if (event.name === 'smm_smbase_write') return { index, value: event.value, gpa: event.gpa };
  }
  return undefined;
}

/** RSM dropped the low 15 bits (Q3). */
export function smbaseMasked(facts: TraceFacts): Finding[] {
  const hits = facts.episodes.flatMap((episode) => {
    const write = lastWrite(facts, episode);
    const wanted =
      write?.value ?? (facts.firsts.get(episode.vcpu) === episode ? facts.planned(episode.vcpu) : undefined);
    const { left } = episode;
    if (wanted === undefined || left === undefined || left === wanted || left !== (wanted & ~MASK_32K))
      return [];
    return [{ episode, write, wanted, left }];
  });
  const main = hits[0];
  if (!main) return [];
  const cpus = [...new Set(hits.map(({ episode }) => episode.vcpu))].join(', ');
  return [
    {
      id: 'smbase-masked',
      quirk: 'Q3',
      title: 'RSM rounded SMBASE down to 32 KB',
      sentence: `VCPU ${main.episode.vcpu} left SMM with SMBASE ${hexOf(main.left)} though ${hexOf(main.wanted)} was ${main.write ? 'written' : 'planned'}: the low 15 bits are gone (VCPUs ${cpus}). CPUs whose SMBASEs differ in those bits alone now share one, and the next SMI starts where no handler is.`,
      vcpu: main.episode.vcpu,
      evidence: facts.evidence(
        hits.slice(0, 4).flatMap(({ episode, write }) => [episode.enter, write?.index, episode.leave]),
      ),
      confidence: main.write ? 'proved' : 'likely',
    },
  ];
}

/** The first SMI changed nothing (Q7). */
export function smbaseNotRelocated(facts: TraceFacts): Finding[] {
  if (!facts.complete) return [];
  const done = [...facts.firsts.values()].filter(
    ({ smbase, leave, left }) => smbase === DEFAULT_SMBASE && leave !== undefined && left !== undefined,
  );
  const kept = done.filter((episode) => episode.left === DEFAULT_SMBASE && !lastWrite(facts, episode));
  const main = kept[0];
  if (!main) return [];
  const knows = facts.planned(main.vcpu) !== undefined;
  const all =
    kept.length === done.length ? 'every VCPU that took an SMI' : `${kept.length} of ${done.length} VCPUs`;
  return [
    {
      id: 'smbase-not-relocated',
      quirk: 'Q7',
      title: 'SMBASE was never changed',
      sentence: `VCPU ${main.vcpu} left its first SMI with SMBASE ${hexOf(DEFAULT_SMBASE)} still (${all}), and nothing was stored into the SMBASE field of the save state: the handler wrote where another save-state map has the field, such as offset 7EF8h on a 64-bit map, which has it at 7F00h.`,
      vcpu: main.vcpu,
      evidence: facts.evidence(kept.slice(0, 4).flatMap(({ enter, leave }) => [enter, leave])),
      confidence: knows && kept.length === done.length ? 'proved' : 'likely',
    },
  ];
}

/** Indices of a stay's APIC ID reads that gave this VCPU's own id. */
function ownIdReads(facts: TraceFacts, episode: SmmEpisode): { own: number[]; other: number[] } {
  const own: number[] = [];
  const other: number[] = [];
  // Where the trace does not show a VCPU's APIC id, it is taken for the number by which KVM calls the VCPU.
  const ownId = facts.apicIdOf(episode.vcpu) ?? episode.vcpu;
  for (const index of episode.inside) {
    const event = facts.at(index);
    let id: number | undefined;
    if (event.name === 'smm_apic_read' && event.register === APIC_ID_REGISTER) id = event.value >>> 24;
    if (event.name === 'kvm_apic' && !event.write && event.reg === APIC_ID_REGISTER)
      id = Number(event.val >> 24n);
    if (id !== undefined) (id === ownId ? own : other).push(index);
  }
  return { own, other };
}

/** CPUs that believe to be CPU 0 though the APIC says otherwise (Q5). */
export function duplicateApicId(facts: TraceFacts): Finding[] {
  const seen = new Map<number, (typeof facts.log)[number]>();
  const cpuidZero = facts.events.flatMap((event, index) =>
    event.name === 'kvm_cpuid' && event.function === 0xb && event.rdx === 0n && (event.vcpu ?? 0) > 0
      ? [index]
      : [],
  );
  const base = { id: 'duplicate-apic-id', quirk: 'Q5', title: 'Several CPUs got one APIC id' } as const;
  for (const cpu of facts.log) {
    const twin = cpu.apicId === undefined ? undefined : seen.get(cpu.apicId);
    if (twin && twin.index !== cpu.index) {
      return [
        {
          ...base,
          sentence: `The firmware lists APIC id ${hexOf(cpu.apicId ?? 0)} for CPU ${twin.index} and for CPU ${cpu.index}: the initial APIC id it asked CPUID for is the same on both, as when leaf 0Bh is reported but empty. An IPI to one cannot reach the other, and each takes itself for CPU ${twin.index}.`,
          vcpu: cpu.index,
          evidence: facts.evidence([twin.at, cpu.at, ...cpuidZero.slice(0, 2)]),
          confidence: 'proved',
        },
      ];
    }
    if (cpu.apicId !== undefined) seen.set(cpu.apicId, cpu);
  }
  const { twins } = facts;
  if (twins) {
    const { id, vcpus, at } = twins;
    return [
      {
        id: 'duplicate-apic-id',
        title: 'Several CPUs have one APIC id',
        sentence: `VCPU ${vcpus.join(' and VCPU ')} both read APIC id ${hexOf(id)} of themselves outside SMM: an interrupt to one of them reaches the other or both.`,
        vcpu: vcpus[1] ?? 0,
        evidence: facts.evidence(at),
        confidence: 'proved',
      },
    ];
  }
  for (const episode of facts.firsts.values()) {
    const { left, vcpu } = episode;
    const owner = left === undefined ? undefined : facts.ownerOf(left, vcpu);
    if (
      vcpu === 0 ||
      left === undefined ||
      left === DEFAULT_SMBASE ||
      owner !== 0 ||
      facts.isWrong(episode) === false
    ) {
      continue;
    }
    const reads = ownIdReads(facts, episode);
    if (reads.other.length > 0) continue;
    const how =
      reads.own.length > 0
        ? 'though its read of the APIC ID register gave the right id'
        : 'without a read of the APIC ID register';
    return [
      {
        ...base,
        sentence: `VCPU ${vcpu} left SMM with SMBASE ${hexOf(left)}, which is CPU ${owner}'s, ${how}: it took its id from something other than its local APIC, such as a CPUID leaf 0Bh that is reported but empty.`,
        vcpu,
        evidence: facts.evidence([episode.enter, ...reads.own, ...cpuidZero.slice(0, 2), episode.leave]),
        confidence: cpuidZero.length > 0 ? 'proved' : 'likely',
      },
    ];
  }
  return [];
}

/** Two VCPUs in SMM on one save area at one time. */
export function sharedSmbase(facts: TraceFacts): Finding[] {
  const end = facts.events.length;
  if (!facts.complete) return [];
  // Of each SMBASE, the stay of each VCPU that ends last; stays come in order of their entries.
  const at = new Map<bigint, Map<number, SmmEpisode>>();
  for (const other of facts.episodes) {
    const { enter, smbase, vcpu } = other;
    if (enter === undefined || smbase === undefined) continue;
    const stays = at.get(smbase) ?? new Map<number, SmmEpisode>();
    at.set(smbase, stays);
    for (const one of stays.values()) {
      if (enter >= (one.leave ?? end)) {
        stays.delete(one.vcpu);
        continue;
      }
      if (one.vcpu === vcpu) continue;
      return [
        {
          id: 'shared-smbase',
          title: 'Two CPUs share one save area',
          sentence: `VCPU ${vcpu} entered SMM at SMBASE ${hexOf(smbase)} while VCPU ${one.vcpu} was there: each overwrites the state that the other saved. The sender of the SMIs did not wait for the first CPU to leave.`,
          vcpu,
          evidence: facts.evidence([one.enter, enter, one.leave, other.leave]),
          confidence: 'likely',
        },
      ];
    }
    const own = stays.get(vcpu);
    if (own === undefined || own.leave !== undefined) stays.set(vcpu, other);
  }
  return [];
}

/** An SMBASE that is not the planned one: Q6 if a store meant for another field hit it, else for no known reason. */
export function wrongSmbase(facts: TraceFacts): Finding[] {
  for (const episode of facts.firsts.values()) {
    const planned = facts.planned(episode.vcpu);
    const { left, vcpu, smbase } = episode;
    if (planned === undefined || left === undefined || left === planned) continue;
    const write = lastWrite(facts, episode);
    const offset = write === undefined || smbase === undefined ? undefined : write.gpa - smbase;
    const astray = offset !== undefined && !SMBASE_FIELDS.includes(offset);
    const why = astray
      ? ` What changed the field was a store to offset ${hexOf(offset)} of the SMBASE, where it does not begin: the handler follows another save-state map.`
      : '';
    return [
      {
        id: 'wrong-smbase',
        ...(astray && { quirk: 'Q6' }),
        title: 'A CPU got an SMBASE that was not planned',
        sentence: `VCPU ${vcpu} left SMM with SMBASE ${hexOf(left)}, where ${hexOf(planned)} was planned.${why}`,
        vcpu,
        evidence: facts.evidence([episode.enter, write?.index, episode.leave]),
        confidence: astray ? 'likely' : 'proved',
      },
    ];
  }
  return [];
}
