/** What a diagnosis is, and the facts of a trace that its rules look at. */
import type { TraceEvent, TraceForm } from './events.ts';
import { type PlannedCpu, plannedCpu } from './planned.ts';
import { type SmmEpisode, smmEpisodes, vcpuOf } from './smm-episodes.ts';
import { tracepointName } from './table.ts';
import { formatMessage } from './text-format.ts';

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
  | 'smm-never-left';

/** A line of the trace that a diagnosis rests on. */
export interface Evidence {
  /** Index of the event in the trace. */
  readonly index: number;
  /** The event as a trace line, without task and time. */
  readonly line: string;
}

/** What went wrong, with what proves it. */
export interface Diagnosis {
  /** Name. */
  readonly id: DiagnosisId;
  /** Entry of the quirks catalogue whose symptom this is, such as `Q1`; absent if it fits none. */
  readonly quirk?: string;
  /** A few words. */
  readonly title: string;
  /** What happened, in a sentence or two. */
  readonly sentence: string;
  /** The VCPU that it happened to first. */
  readonly vcpu: number;
  /** Lines that prove it, in order of the trace. */
  readonly evidence: readonly Evidence[];
  /** `certain`: nothing else makes this trace. `likely`: it fits. `possible`: the trace tells little. */
  readonly confidence: 'certain' | 'likely' | 'possible';
}

/** What a caller knows beside the trace. */
export interface DiagnosisContext {
  /** SMBASE that the firmware planned for each CPU; read from the debug log in the trace if absent. */
  readonly planned?: readonly number[];
  /** Number of VCPUs; counted in the trace if absent. */
  readonly vcpus?: number;
  /** Outcome of the run: `relocated`, `stuck`, `shutdown`, `wrong-smbase` or `budget-exhausted`. */
  readonly outcome?: string;
  /** Words of the evidence lines; `2015` if absent. */
  readonly form?: TraceForm;
}

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
  readonly #planned: ReadonlyMap<number, bigint>;

  constructor(events: readonly TraceEvent[], context: DiagnosisContext) {
    this.events = events;
    this.context = context;
    this.episodes = smmEpisodes(events);
    const firsts = new Map<number, SmmEpisode>();
    for (const episode of this.episodes) if (!firsts.has(episode.vcpu)) firsts.set(episode.vcpu, episode);
    this.firsts = firsts;
    this.log = events.flatMap((event, at) => {
      const cpu = event.name === 'smm_debugcon' ? plannedCpu(event.text) : undefined;
      return cpu ? [{ ...cpu, at }] : [];
    });
    const planned = new Map<number, bigint>();
    for (const { index, smbase } of this.log) planned.set(index, BigInt(smbase));
    context.planned?.forEach((smbase, index) => {
      planned.set(index, BigInt(smbase));
    });
    this.#planned = planned;
    this.vcpus =
      context.vcpus ?? events.reduce((most, event) => Math.max(most, vcpuOf(event) + 1), planned.size);
  }

  /** SMBASE planned for a CPU, where known. */
  planned(vcpu: number): bigint | undefined {
    return this.#planned.get(vcpu);
  }

  /** The event at `index`. */
  at(index: number): TraceEvent {
    return this.events[index]!;
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
