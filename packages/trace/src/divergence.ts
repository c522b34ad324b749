/** Where two runs of one guest part. */

import { checkOptions, isListOf, isOneOf, isWhole, maybe } from '@smm/x86-defs';
import { who } from './diagnosis.ts';
import { comparedKinds, factChannels, TIMED_KINDS } from './divergence-kinds.ts';
import { Lockstep, type Parting, type Step } from './divergence-lockstep.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { TRACE_FORMS } from './events.ts';
import type { GuestVisibleKind } from './guest-visible.ts';
import { formatEvent } from './text-format.ts';

/** One run's side of a divergence. */
export interface DivergenceSide {
  /** Index of the event in its trace. */
  readonly index: number;
  /** The event. */
  readonly event: TraceEvent;
  /** What the guest noticed. */
  readonly fact: string;
}

/** The first point at which one VCPU's guest-visible history differs between two runs. */
export interface Divergence {
  /** Index of the VCPU. */
  readonly vcpu: number;
  /** Number of guest-visible facts of this VCPU that agree before. */
  readonly agreed: number;
  /** The first run's event; absent if its history ends here. */
  readonly a?: DivergenceSide;
  /** The second run's event; absent if its history ends here. */
  readonly b?: DivergenceSide;
  /** One sentence. */
  readonly sentence: string;
  /** Lines of each trace that lead to the event, the event last. */
  readonly context: {
    /** Of the first run. */
    readonly a: readonly string[];
    /** Of the second run. */
    readonly b: readonly string[];
  };
}

/** Result of a comparison. */
export interface DivergenceReport {
  /** The divergence that comes first in time: the cause, or the nearest to it. Absent if the runs agree. */
  readonly first?: Divergence;
  /** First divergence of each VCPU that has one, by VCPU. */
  readonly perVcpu: readonly Divergence[];
  /** Kinds of facts that were compared: those that both traces can hold. */
  readonly kinds: readonly GuestVisibleKind[];
  /** How many facts of each of these kinds each run has. */
  readonly compared: readonly KindCount[];
}

/** How many facts of a kind were compared. */
export interface KindCount {
  /** The kind. */
  readonly kind: GuestVisibleKind;
  /** Facts of the first run. */
  readonly a: number;
  /** Facts of the second run. */
  readonly b: number;
}

/** How to compare. */
export interface DivergenceOptions {
  /** Lines of context before each event; 4 if absent. */
  readonly context?: number;
  /** Words of the context lines; `2015` if absent. */
  readonly form?: TraceForm;
  /** Ports whose values are time, not compared; the PM timer of OVMF's Q35, 608h, if absent. */
  readonly ignorePorts?: readonly number[];
  /**
   * What it means that one history only ends earlier. `compare` (the default): that VCPU hangs, so it is a
   * divergence. `ignore`: both runs came to their end, where a last event may or may not be recorded.
   */
  readonly tails?: 'compare' | 'ignore';
}

/** A trace that can be read again: its events in pieces, from the first, each time it is called. */
export type EventSource = () => Iterable<readonly TraceEvent[]>;

const PM_TIMER_PORT = 0x608;

function side(step: Step | undefined): DivergenceSide | undefined {
  return step && { index: step.index, event: step.event, fact: step.fact };
}

function sentenceOf(vcpu: number, a: Step | undefined, b: Step | undefined): string {
  const first = a ? `${a.fact} in the first run` : 'does nothing more in the first run';
  const second = b ? `${b.fact} in the second` : 'does nothing more in the second';
  return `${who(vcpu)}: ${first}, ${second}.`;
}

function divergenceOf({ vcpu, agreed, a, b, context }: Parting, form: TraceForm): Divergence {
  const sideA = side(a);
  const sideB = side(b);
  const shown = (events: readonly TraceEvent[]): string[] =>
    events.map((event) => formatEvent(event, { form }));
  return {
    vcpu,
    agreed,
    ...(sideA && { a: sideA }),
    ...(sideB && { b: sideB }),
    sentence: sentenceOf(vcpu, a, b),
    context: { a: shown(context.a), b: shown(context.b) },
  };
}

/** Which of two divergences happened earlier: by a clock that both have, else each by its own. */
function earlier(x: Divergence, y: Divergence): number {
  if (x.a && y.a) return x.a.event.ts - y.a.event.ts;
  if (x.b && y.b) return x.b.event.ts - y.b.event.ts;
  return (x.a ?? x.b)!.event.ts - (y.a ?? y.b)!.event.ts;
}

/**
 * What {@link firstDivergence} finds, for traces that are too long to be held: each is read twice, both side by side,
 * and only facts wait that the other trace has not come to.
 * @throws SmmError `TRACE_CAPACITY` if a million facts of one trace wait for the other.
 */
export function compareTraces(
  a: EventSource,
  b: EventSource,
  options: DivergenceOptions = {},
): DivergenceReport {
  checkOptions<DivergenceOptions>('the options of a comparison of traces', options, {
    context: maybe(isWhole(0)),
    form: maybe(isOneOf(TRACE_FORMS)),
    ignorePorts: maybe(isListOf(isWhole(0, 0xffff))),
    tails: maybe(isOneOf(['compare', 'ignore'])),
  });
  const { context = 4, form = '2015', ignorePorts = [PM_TIMER_PORT], tails = 'compare' } = options;
  const channels = { a: factChannels(a()), b: factChannels(b()) };
  const kinds = comparedKinds(channels.a, channels.b);
  const lockstep = new Lockstep({ kinds, channels, ignorePorts, context });
  lockstep.run(a(), b());
  const partings = lockstep.partings
    .filter((parting) => tails === 'compare' || (parting.a && parting.b))
    .sort((x, y) => x.vcpu - y.vcpu);
  const of = (wanted: (kind: GuestVisibleKind) => boolean): Divergence[] =>
    partings.filter(({ a, b }) => wanted((a ?? b)!.kind)).map((parting) => divergenceOf(parting, form));
  const deeds = of((kind) => !TIMED_KINDS.has(kind));
  const perVcpu =
    deeds.length > 0 ? deeds : [...TIMED_KINDS].flatMap((timed) => of((kind) => kind === timed));
  const first = [...perVcpu].sort(earlier)[0];
  return { ...(first && { first }), perVcpu, kinds, compared: lockstep.compared };
}

/**
 * First divergence of two runs of the same guest, per VCPU and altogether. Runs are aligned on what the guest
 * notices, not on time, exits or entries, so that `tcg` and `kvm` runs compare. A trace with KVM's events
 * alone is compared on the facts that those tell.
 * @throws SmmError `TRACE_CAPACITY` as {@link compareTraces} does.
 */
export function firstDivergence(
  a: readonly TraceEvent[],
  b: readonly TraceEvent[],
  options: DivergenceOptions = {},
): DivergenceReport {
  return compareTraces(
    () => [a],
    () => [b],
    options,
  );
}
