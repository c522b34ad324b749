/** What a diagnosis is, and the facts of a trace that its rules look at. */
import type { TraceEvent, TraceForm } from './events.ts';
import { type PlannedCpu, plannedCpu } from './planned.ts';
import { type SmmEpisode, smmEpisodes, vcpuOf } from './smm-episodes.ts';
import { EVENT_TABLE, tracepointName } from './table.ts';
import { formatMessage } from './text-format.ts';
import type { Note } from './text-parse.ts';

/** Names of the diagnoses. */
export type DiagnosisId =
  | 'apic-page-in-smm'
  | 'private-page-in-smm'
  | 'smi-ignored-while-halted'
  | 'smi-never-taken'
  | 'smbase-masked'
  | 'vm-entry-failed-in-smm'
  | 'duplicate-apic-id'
  | 'smbase-not-relocated'
  | 'shutdown-in-smm'
  | 'exception-in-smm'
  | 'relocation-not-awaited'
  | 'smi-taken-by-one'
  | 'shared-smbase'
  | 'wrong-smbase'
  | 'smm-never-left'
  | 'vm-entry-failed'
  | 'cpu-died'
  | 'hlt-left-after-smi'
  | 'emulation-failed'
  | 'sipi-in-smm'
  | 'ap-never-starts'
  | 'smi-storm'
  | 'rsm-into-nested-guest'
  | 'rsm-outside-smm'
  | 'firmware-assertion'
  | 'firmware-exception'
  | 's3-unsupported'
  | 'ap-timeout';

/** A line of the trace that a diagnosis rests on. */
export interface Evidence {
  /** Index of the event in the trace; absent for a line of a log or of a register dump. */
  readonly index?: number;
  /** The event as a trace line, without task and time; or the line of the log. */
  readonly line: string;
}

/** How sure: `proved`: nothing else makes this trace. `likely`: it fits. `possible`: the trace tells little. */
export type Confidence = 'proved' | 'likely' | 'possible';

/** What may be behind a diagnosis. */
export interface PossibleCause {
  /** Entry of the quirks catalogue, if it is one. */
  readonly quirk?: string;
  /** What it is. */
  readonly text: string;
  /** How sure. */
  readonly confidence: Confidence;
}

/** What went wrong, with what proves it. */
export interface Diagnosis {
  /** Which failure it is. */
  readonly id: DiagnosisId;
  /** Entry of the quirks catalogue whose symptom this is, such as `Q1`; absent if it fits none. */
  readonly quirk?: string;
  /** A few words. */
  readonly title: string;
  /** What happened, in a sentence or two. */
  readonly sentence: string;
  /** The VCPU that it happened to first; absent where nothing tells. */
  readonly vcpu?: number;
  /** Lines that prove it, in order of the trace. */
  readonly evidence: readonly Evidence[];
  /** How sure it is that this happened, and that it is the quirk's doing if one is named. */
  readonly confidence: Confidence;
  /** What may be behind it, where that is not proved. */
  readonly causes?: readonly PossibleCause[];
  /** What to record next to know more: a command or an option. */
  readonly collect: string;
}

/** A diagnosis as a rule makes it. */
export type Finding = Omit<Diagnosis, 'collect'>;

/** What a caller knows beside the trace. */
export interface DiagnosisContext {
  /** SMBASE that the firmware planned for each CPU; read from the debug log in the trace if absent. */
  readonly planned?: readonly number[];
  /** Number of VCPUs; counted in the trace if absent. */
  readonly vcpus?: number;
  /** Outcome of the run: `relocated`, `stuck`, `shutdown`, `wrong-smbase` or `budget-exhausted`. */
  readonly outcome?: string;
  /** Words of the trace and of the evidence lines; if absent, evidence is in those of 2015. */
  readonly form?: TraceForm;
  /** Lines of debug logs and register dumps beside the trace. */
  readonly notes?: readonly Note[];
  /** False if lines of the trace were not understood or lost: then nothing is concluded from what is absent. */
  readonly complete?: boolean;
  /** The trace ends in the middle of a line: its last event is not looked at. */
  readonly cut?: boolean;
}

/** Events, or nanoseconds, after which something that did not happen is taken for something that does not. */
const LONG_EVENTS = 100;
const LONG_TIME = 1e8;

/** Everything that the rules share. */
export class TraceFacts {
  /** The trace. */
  readonly events: readonly TraceEvent[];
  /** What the caller knows. */
  readonly context: DiagnosisContext;
  /** Stays in SMM. */
  readonly episodes: readonly SmmEpisode[];
  /** First stay of each VCPU. */
  readonly firsts: ReadonlyMap<number, SmmEpisode>;
  /** What the firmware's log in the trace plans, with the index of the line. */
  readonly log: readonly (PlannedCpu & { readonly at: number })[];
  /** Number of VCPUs. */
  readonly vcpus: number;
  /** The trace has this project's own events, which name VCPUs by their index. */
  readonly machine: boolean;
  /** The words are of a kernel of 2020 or later. */
  readonly modern: boolean;
  /** What is absent tells something. */
  readonly complete: boolean;
  readonly #planned: ReadonlyMap<number, bigint>;
  readonly #apicIds: ReadonlyMap<number, ShownId>;
  #byVcpu: ReadonlyMap<number, readonly number[]> | undefined;
  #spans: ReturnType<typeof spansOf> | undefined;

  constructor(events: readonly TraceEvent[], context: DiagnosisContext) {
    this.events = events;
    this.context = context;
    this.machine = events.some(({ name }) => EVENT_TABLE[name].system === 'smm');
    this.modern = !this.machine && context.form === 'current';
    this.complete = context.complete ?? true;
    this.episodes = smmEpisodes(events);
    const firsts = new Map<number, SmmEpisode>();
    for (const episode of this.episodes) if (!firsts.has(episode.vcpu)) firsts.set(episode.vcpu, episode);
    this.firsts = firsts;
    this.log = events.flatMap((event, at) => {
      const cpu = event.name === 'smm_debugcon' ? plannedCpu(event.text) : undefined;
      return cpu ? [{ ...cpu, at }] : [];
    });
    this.#apicIds = apicIdsOf(events);
    const noted = (context.notes ?? []).flatMap(({ text }) => plannedCpu(text) ?? []);
    const logged = [...this.log, ...noted];
    const planned = new Map<number, bigint>();
    context.planned?.forEach((smbase, index) => {
      planned.set(index, BigInt(smbase));
    });
    // KVM names a VCPU by the id that QEMU gave it, which is its APIC id; our own events by its index.
    const ids = new Set(logged.map(({ apicId }) => apicId));
    const byId = !this.machine && !ids.has(undefined) && ids.size === logged.length;
    if (byId && logged.length > 0) planned.clear();
    for (const { index, apicId, smbase } of logged)
      planned.set((byId ? apicId : index) ?? index, BigInt(smbase));
    this.#planned = planned;
    this.vcpus =
      context.vcpus ?? events.reduce((most, event) => Math.max(most, vcpuOf(event) + 1), planned.size);
  }

  /** SMBASE planned for a CPU, where known. */
  planned(vcpu: number): bigint | undefined {
    return this.#planned.get(vcpu);
  }

  /** APIC id of a VCPU, where the trace shows it: by a read of its own register or MSR outside SMM. */
  apicIdOf(vcpu: number): number | undefined {
    return this.#apicIds.get(vcpu)?.id;
  }

  /** Two VCPUs that read one APIC id of themselves, with the indices of the reads. */
  get twins():
    | { readonly id: number; readonly vcpus: readonly number[]; readonly at: readonly number[] }
    | undefined {
    const seen = new Map<number, readonly [vcpu: number, at: number]>();
    for (const [vcpu, { id, at }] of this.#apicIds) {
      const other = seen.get(id);
      if (other) return { id, vcpus: [other[0], vcpu], at: [other[1], at] };
      seen.set(id, [vcpu, at]);
    }
    return undefined;
  }

  /** VCPU with an APIC id, where the trace shows it; where it shows none at all, the id itself. */
  vcpuWithApicId(id: number): number | undefined {
    for (const [vcpu, own] of this.#apicIds) if (own.id === id) return vcpu;
    return this.#apicIds.size === 0 || this.machine ? id : undefined;
  }

  /** True if the trace goes on so long after `index` that what has not happened by then does not happen. */
  goesOnLongAfter(index: number): boolean {
    // A run of ours ends where nothing more can happen.
    if (this.context.outcome !== undefined || this.machine) return true;
    const last = this.events.length - 1;
    if (last - index >= LONG_EVENTS) return true;
    return this.timed && (this.events[last]?.ts ?? 0) - (this.events[index]?.ts ?? 0) >= LONG_TIME;
  }

  /** True if the events have times, rather than numbers in order. */
  get timed(): boolean {
    return (this.events[this.events.length - 1]?.ts ?? 0) > 2 * this.events.length;
  }

  /** The event at `index`. */
  at(index: number): TraceEvent {
    return this.events[index]!;
  }

  /** Indices of a VCPU's events from `first` to `last`, both included. */
  between(vcpu: number, first: number, last: number): number[] {
    this.#byVcpu ??= indicesByVcpu(this.events);
    const own = this.#byVcpu.get(vcpu) ?? [];
    return own.slice(firstAbove(own, first - 1), firstAbove(own, last));
  }

  /** True if a VCPU is in SMM at the event at `index`, as far as the trace shows it. */
  inSmm(vcpu: number, index: number): boolean {
    this.#spans ??= spansOf(this.episodes, this.events.length);
    const { begins, ends } = this.#spans.get(vcpu) ?? { begins: [], ends: [] };
    return (ends[firstAbove(begins, index - 1) - 1] ?? -1) > index;
  }

  /** Evidence lines of the given indices, in order, each once. */
  evidence(indices: Iterable<number | undefined>): Evidence[] {
    const form = this.context.form ?? '2015';
    const known = [...new Set(indices)].filter((index) => index !== undefined).sort((a, b) => a - b);
    return known.map((index) => {
      const event = this.at(index);
      const name = `${tracepointName(event.name, form)}:`;
      return { index, line: `${name.padEnd(22)}${formatMessage(event, { form })}` };
    });
  }

  /** Another CPU whose SMBASE this is: by the plan, else by what another VCPU left SMM with. */
  ownerOf(smbase: bigint, notVcpu: number): number | undefined {
    for (const [index, planned] of this.#planned) if (planned === smbase && index !== notVcpu) return index;
    for (const [vcpu, { left }] of this.firsts) if (left === smbase && vcpu !== notVcpu) return vcpu;
    return undefined;
  }

  /** Whether a VCPU left SMM with a wrong SMBASE; undefined where the trace does not tell. */
  isWrong(episode: SmmEpisode): boolean | undefined {
    if (episode.left === undefined) return undefined;
    const planned = this.planned(episode.vcpu);
    if (planned !== undefined) return episode.left !== planned;
    return this.ownerOf(episode.left, episode.vcpu) !== undefined ? true : undefined;
  }
}

/** `0x` and lower-case digits. */
export function hexOf(value: bigint | number): string {
  return `0x${value.toString(16)}`;
}

/** A VCPU in words. */
export function who(vcpu: number): string {
  return vcpu >= 0 ? `VCPU ${vcpu}` : 'A VCPU (the trace does not tell which)';
}

/** `vcpu` as a member, where it is known. */
export function known(vcpu: number): { readonly vcpu?: number } {
  return vcpu >= 0 ? { vcpu } : {};
}

const X2APIC_ID_MSR = 0x802;
const APIC_ID_REGISTER = 0x20;

/** An APIC id that a VCPU read of itself, and where. */
interface ShownId {
  readonly id: number;
  readonly at: number;
}

/** The APIC id that an event shows of the VCPU that it happens to, if it does. */
function shownId(event: TraceEvent): number | undefined {
  if (event.name === 'kvm_apic' && !event.write && event.reg === APIC_ID_REGISTER) {
    return Number(BigInt.asUintN(32, event.val) >> 24n);
  }
  if (event.name === 'kvm_msr' && !event.write && event.ecx === X2APIC_ID_MSR && !event.exception) {
    return Number(BigInt.asUintN(32, event.data));
  }
  if (event.name !== 'smm_apic_read' || event.inSmm || event.reached !== 'apic') return undefined;
  return event.register === APIC_ID_REGISTER ? event.value >>> 24 : undefined;
}

/** APIC ids that VCPUs read of themselves outside SMM, where every kernel answers them right. */
function apicIdsOf(events: readonly TraceEvent[]): Map<number, ShownId> {
  const ids = new Map<number, ShownId>();
  const inSmm = new Set<number>();
  for (const [at, event] of events.entries()) {
    const vcpu = vcpuOf(event);
    if (event.name === 'kvm_enter_smm') {
      if (event.entering) inSmm.add(vcpu);
      else inSmm.delete(vcpu);
    }
    if (vcpu < 0 || inSmm.has(vcpu) || ids.has(vcpu)) continue;
    const id = shownId(event);
    if (id !== undefined) ids.set(vcpu, { id, at });
  }
  return ids;
}

/** Position of the first of ascending numbers above `limit`; their count if there is none. */
function firstAbove(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

function indicesByVcpu(events: readonly TraceEvent[]): Map<number, number[]> {
  const all = new Map<number, number[]>();
  for (const [index, event] of events.entries()) {
    const own = all.get(vcpuOf(event));
    if (own) own.push(index);
    else all.set(vcpuOf(event), [index]);
  }
  return all;
}

/** Where each VCPU's stays begin, and where those that have begun by then are all over. */
function spansOf(
  episodes: readonly SmmEpisode[],
  end: number,
): Map<number, { readonly begins: number[]; readonly ends: number[] }> {
  const spans = new Map<number, { readonly begins: number[]; readonly ends: number[] }>();
  for (const { vcpu, enter = -1, leave = end } of episodes) {
    const own = spans.get(vcpu) ?? { begins: [], ends: [] };
    spans.set(vcpu, own);
    own.begins.push(Math.max(enter, own.begins.at(-1) ?? -1));
    own.ends.push(Math.max(leave, own.ends.at(-1) ?? -1));
  }
  return spans;
}
