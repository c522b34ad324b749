/** Which facts of two traces can be compared, found by reading both once. */
import type { TraceEvent } from './events.ts';
import { type GuestVisibleKind, guestVisible } from './guest-visible.ts';
import { EVENT_TABLE } from './table.ts';

const KVM_KINDS: readonly GuestVisibleKind[] = ['apic-read', 'apic-write', 'smm-enter', 'smm-leave', 'ipi'];
/** Kinds that a KVM trace has if its events were recorded: compared where both traces have some. */
const RECORDED_KINDS: readonly GuestVisibleKind[] = [
  'pio',
  'exception',
  'msr',
  'cr',
  'cpuid',
  'mmio',
  'interrupt',
  'user-exit',
];
/** Kinds that come when the host has time for them: they are compared apart, and count where nothing else differs. */
export const TIMED_KINDS: ReadonlySet<GuestVisibleKind> = new Set(['interrupt', 'user-exit']);
const MACHINE_KINDS: readonly GuestVisibleKind[] = [
  ...KVM_KINDS,
  'smbase-write',
  'init',
  'sipi',
  'halt',
  'shutdown',
  'suspend',
  'resume',
  'debugcon',
];

/** A VCPU's facts that are compared with each other in order: those of one timed kind, or all others. */
export type ChannelKey = string;

/** The channel of a fact. */
export function channelOf(vcpu: number, kind: GuestVisibleKind): ChannelKey {
  return TIMED_KINDS.has(kind) ? `${vcpu} ${kind}` : String(vcpu);
}

/** What a trace can be compared on. */
export interface FactChannels {
  /** The trace has the machine's own events, which then tell everything but port accesses. */
  readonly machine: boolean;
  /** Kinds of facts that it tells. */
  readonly kinds: readonly GuestVisibleKind[];
  /** How many facts each channel has at most. */
  readonly most: ReadonlyMap<ChannelKey, number>;
}

/** Reads a trace for what it can be compared on. */
export function factChannels(pieces: Iterable<readonly TraceEvent[]>): FactChannels {
  let machine = false;
  let ports = false;
  const has = new Set<GuestVisibleKind>();
  const most = new Map<ChannelKey, number>();
  for (const events of pieces) {
    for (const event of events) {
      machine ||= EVENT_TABLE[event.name].system === 'smm';
      ports ||= event.name === 'kvm_pio';
      const visible = guestVisible(event);
      if (!visible) continue;
      has.add(visible.kind);
      const channel = channelOf(visible.vcpu, visible.kind);
      most.set(channel, (most.get(channel) ?? 0) + 1);
    }
  }
  const own: readonly GuestVisibleKind[] = machine
    ? [...MACHINE_KINDS, ...(ports ? (['pio'] as const) : [])]
    : [...KVM_KINDS, ...RECORDED_KINDS.filter((kind) => has.has(kind)), 'end'];
  return { machine, kinds: own, most };
}

/** Kinds that both traces can hold, in the order of the first. */
export function comparedKinds(a: FactChannels, b: FactChannels): GuestVisibleKind[] {
  return a.kinds.filter((kind) => b.kinds.includes(kind));
}
