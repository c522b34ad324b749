/** Stays in SMM, reconstructed from a trace: who entered where, what happened inside, and the SMBASE after. */
import type { TraceEvent } from './events.ts';

/** SMBASE after power-up. Intel SDM, "SMRAM". */
export const DEFAULT_SMBASE = 0x30000n;

/** One stay of one VCPU in SMM. */
export interface SmmEpisode {
  /** Index of the VCPU. */
  readonly vcpu: number;
  /** Index of the entry in the trace; absent if the trace begins inside. */
  readonly enter?: number;
  /** SMBASE on entry. */
  readonly smbase?: bigint;
  /** Indices of this VCPU's events between entry and leaving. */
  readonly inside: number[];
  /** Index of the leaving; absent if the VCPU never leaves. */
  leave?: number;
  /** SMBASE from leaving on; absent where the trace does not tell. */
  left?: bigint;
}

/** VCPU of an event; -1 where the trace does not tell, for an event must not go to a VCPU by guess. */
export function vcpuOf(event: TraceEvent): number {
  return event.vcpu ?? -1;
}

interface Boundary {
  readonly entering: boolean;
  readonly smbase: bigint;
}

function boundaryOf(event: TraceEvent, machine: boolean): Boundary | undefined {
  if (machine) {
    if (event.name === 'smm_enter') return { entering: true, smbase: event.smbase };
    if (event.name === 'smm_rsm') return { entering: false, smbase: event.newSmbase };
    return undefined;
  }
  return event.name === 'kvm_enter_smm' ? { entering: event.entering, smbase: event.smbase } : undefined;
}

/**
 * KVM's leaving line shows the new SMBASE in 2015 and the old one since 5.1. If any stay leaves with another
 * SMBASE than it entered with, the lines show the new one. If none does, only the VCPU's next entry tells.
 */
function settleSmbases(episodes: readonly SmmEpisode[]): void {
  const showsNew = episodes.some(
    ({ smbase, left }) => smbase !== undefined && left !== undefined && smbase !== left,
  );
  if (showsNew) return;
  const nexts = new Map<number, bigint | undefined>();
  for (let i = episodes.length - 1; i >= 0; i--) {
    const episode = episodes[i]!;
    const next = nexts.get(episode.vcpu);
    nexts.set(episode.vcpu, episode.smbase);
    if (episode.left === undefined || episode.smbase === undefined) continue;
    if (next === undefined) delete episode.left;
    else episode.left = next;
  }
}

/** Index of each VCPU's last event with one of these names. */
export function lastByVcpu(
  events: readonly TraceEvent[],
  names: ReadonlySet<string>,
): ReadonlyMap<number, number> {
  const last = new Map<number, number>();
  for (const [index, event] of events.entries()) if (names.has(event.name)) last.set(vcpuOf(event), index);
  return last;
}

/** All stays in SMM, in order of their entries. The machine's own events are preferred to KVM's. */
export function smmEpisodes(events: readonly TraceEvent[]): SmmEpisode[] {
  const machine = events.some(({ name }) => name === 'smm_enter' || name === 'smm_rsm');
  const episodes: SmmEpisode[] = [];
  const open = new Map<number, SmmEpisode>();
  for (const [index, event] of events.entries()) {
    const vcpu = vcpuOf(event);
    const boundary = boundaryOf(event, machine);
    if (!boundary) {
      if (vcpu >= 0) open.get(vcpu)?.inside.push(index);
    } else if (boundary.entering) {
      const episode: SmmEpisode = { vcpu, enter: index, smbase: boundary.smbase, inside: [] };
      open.set(vcpu, episode);
      episodes.push(episode);
    } else {
      let episode = open.get(vcpu);
      if (!episode) {
        episode = { vcpu, inside: [] };
        episodes.push(episode);
      }
      episode.leave = index;
      episode.left = boundary.smbase;
      open.delete(vcpu);
    }
  }
  if (!machine) settleSmbases(episodes);
  return episodes;
}
