/** Reads two traces side by side and compares what each VCPU's guest noticed, fact by fact. */
import { SmmError } from '@smm/x86-defs';
import { type ChannelKey, channelOf, type FactChannels } from './divergence-kinds.ts';
import type { TraceEvent } from './events.ts';
import { type GuestVisible, type GuestVisibleKind, guestVisible } from './guest-visible.ts';
import { EVENT_TABLE } from './table.ts';

/** A fact and where it stands. */
export interface Step extends GuestVisible {
  /** Index of the event in its trace. */
  readonly index: number;
  /** The event. */
  readonly event: TraceEvent;
  /** The VCPU's events that lead to it, itself the last. */
  readonly context: readonly TraceEvent[];
}

/** Where the histories of one channel part. */
export interface Parting {
  /** The VCPU. */
  readonly vcpu: number;
  /** Facts that agree before. */
  readonly agreed: number;
  /** The first trace's fact; undefined if its history ends here. */
  readonly a: Step | undefined;
  /** The second trace's. */
  readonly b: Step | undefined;
  /** Events of the VCPU that lead there; where a history has ended, to its last fact. */
  readonly context: { readonly a: readonly TraceEvent[]; readonly b: readonly TraceEvent[] };
}

/** How to compare. */
interface LockstepOptions {
  /** Kinds of facts to compare. */
  readonly kinds: readonly GuestVisibleKind[];
  /** What both traces hold. */
  readonly channels: Readonly<Record<Side, FactChannels>>;
  /** Ports whose accesses are no facts. */
  readonly ignorePorts: readonly number[];
  /** Events of context before each fact. */
  readonly context: number;
}

type Side = 'a' | 'b';
const OTHER = { a: 'b', b: 'a' } as const;

/** Facts of both traces that may wait for the other's. */
const MOST_WAITING = 1_000_000;
/** Facts that repeat as often as a loop happens to turn: only the first of equal neighbours counts. */
const POLLED: ReadonlySet<GuestVisibleKind> = new Set(['apic-read', 'halt', 'pio']);

/** One trace's history in a channel. */
interface History {
  /** The last fact so far. */
  last: Step | undefined;
  /** Number of facts so far. */
  count: number;
  /** Facts that wait for the other's; from `at` on. */
  waiting: Step[];
  at: number;
  /** The first fact for which the other trace has none. */
  beyond: Step | undefined;
}

interface Channel {
  readonly vcpu: number;
  readonly a: History;
  readonly b: History;
  agreed: number;
  parting: Parting | undefined;
}

const newHistory = (): History => ({ last: undefined, count: 0, waiting: [], at: 0, beyond: undefined });

/** Compares two traces in one pass. */
export class Lockstep {
  readonly #options: LockstepOptions;
  readonly #kinds: ReadonlySet<GuestVisibleKind>;
  readonly #channels = new Map<ChannelKey, Channel>();
  readonly #counts: ReadonlyMap<GuestVisibleKind, { kind: GuestVisibleKind; a: number; b: number }>;
  readonly #index = { a: 0, b: 0 };
  readonly #waiting = { a: 0, b: 0 };
  readonly #recent = { a: new Map<number, TraceEvent[]>(), b: new Map<number, TraceEvent[]>() };

  constructor(options: LockstepOptions) {
    this.#options = options;
    this.#kinds = new Set(options.kinds);
    this.#counts = new Map(options.kinds.map((kind) => [kind, { kind, a: 0, b: 0 }] as const));
  }

  /** Reads both to their ends, now a piece of one and now of the other. */
  run(a: Iterable<readonly TraceEvent[]>, b: Iterable<readonly TraceEvent[]>): void {
    const rest: Record<Side, Iterator<readonly TraceEvent[]> | undefined> = {
      a: a[Symbol.iterator](),
      b: b[Symbol.iterator](),
    };
    try {
      for (;;) {
        const behind: Side = this.#waiting.a > this.#waiting.b ? 'b' : 'a';
        const side = rest[behind] ? behind : OTHER[behind];
        const iterator = rest[side];
        if (!iterator) return;
        const { value, done } = iterator.next();
        if (done === true) rest[side] = undefined;
        else for (const event of value) this.#take(side, event);
      }
    } finally {
      rest.a?.return?.();
      rest.b?.return?.();
    }
  }

  /** How many facts of each kind each trace has. */
  get compared(): readonly { readonly kind: GuestVisibleKind; readonly a: number; readonly b: number }[] {
    return [...this.#counts.values()];
  }

  /** Where histories part, one for each channel at most; complete after {@link run}. */
  get partings(): Parting[] {
    return [...this.#channels.values()].flatMap((channel) => {
      if (channel.parting) return [channel.parting];
      const { a, b } = channel;
      const stepA = a.waiting[a.at] ?? a.beyond;
      const stepB = b.waiting[b.at] ?? b.beyond;
      return stepA || stepB ? [partingOf(channel, stepA, stepB)] : [];
    });
  }

  #take(side: Side, event: TraceEvent): void {
    const index = this.#index[side]++;
    const context = this.#remember(side, event);
    if (!this.#tells(side, event)) return;
    const visible = guestVisible(event);
    if (!visible || !this.#kinds.has(visible.kind)) return;
    const key = channelOf(visible.vcpu, visible.kind);
    const channel = this.#channelAt(key, visible.vcpu);
    const history = channel[side];
    const { last } = history;
    if (POLLED.has(visible.kind) && last?.kind === visible.kind && last.fact === visible.fact) return;
    const step: Step = { ...visible, index, event, context: [...context] };
    history.last = step;
    history.count++;
    this.#counts.get(visible.kind)![side]++;
    if (!channel.parting) this.#compare(side, key, channel, step);
  }

  #compare(side: Side, key: ChannelKey, channel: Channel, step: Step): void {
    const own = channel[side];
    const other = channel[OTHER[side]];
    const head = other.waiting[other.at];
    if (head === undefined) {
      if (own.count > (this.#options.channels[OTHER[side]].most.get(key) ?? 0)) own.beyond ??= step;
      else this.#wait(side, own, step);
      return;
    }
    this.#release(OTHER[side], other);
    if (head.fact === step.fact) {
      channel.agreed++;
      return;
    }
    channel.parting = side === 'a' ? partingOf(channel, step, head) : partingOf(channel, head, step);
    for (const each of ['a', 'b'] as const) {
      this.#waiting[each] -= channel[each].waiting.length - channel[each].at;
      channel[each].waiting = [];
      channel[each].at = 0;
    }
  }

  #wait(side: Side, history: History, step: Step): void {
    history.waiting.push(step);
    this.#waiting[side]++;
    if (this.#waiting[side] <= MOST_WAITING) return;
    throw new SmmError(
      'TRACE_CAPACITY',
      `More than ${MOST_WAITING} facts of one trace wait for the same VCPU's facts of the other.`,
      'Compare shorter pieces of the traces, or only some VCPUs (trace-cmd report --cpu).',
      { side, index: step.index },
    );
  }

  /** Takes the first that waits. */
  #release(side: Side, history: History): void {
    this.#waiting[side]--;
    history.at++;
    if (history.at < 1024 || history.at * 2 < history.waiting.length) return;
    history.waiting = history.waiting.slice(history.at);
    history.at = 0;
  }

  /** Whether an event may be a fact: of a machine's trace only its own events, and ports. */
  #tells(side: Side, event: TraceEvent): boolean {
    const { ignorePorts, channels } = this.#options;
    if (event.name === 'kvm_pio') return !ignorePorts.includes(event.port);
    return !channels[side].machine || EVENT_TABLE[event.name].system !== 'kvm';
  }

  /** The last events of the VCPU, this one included. */
  #remember(side: Side, event: TraceEvent): readonly TraceEvent[] {
    const recent = this.#recent[side];
    const vcpu = event.vcpu ?? -1;
    let events = recent.get(vcpu);
    if (!events) {
      events = [];
      recent.set(vcpu, events);
    }
    events.push(event);
    if (events.length > this.#options.context + 1) events.shift();
    return events;
  }

  #channelAt(key: ChannelKey, vcpu: number): Channel {
    let channel = this.#channels.get(key);
    if (!channel) {
      channel = { vcpu, a: newHistory(), b: newHistory(), agreed: 0, parting: undefined };
      this.#channels.set(key, channel);
    }
    return channel;
  }
}

/** The context of a step, or of the last fact where there is none. */
function partingOf(
  { vcpu, agreed, a, b }: Channel,
  stepA: Step | undefined,
  stepB: Step | undefined,
): Parting {
  const context = { a: (stepA ?? a.last)?.context ?? [], b: (stepB ?? b.last)?.context ?? [] };
  return { vcpu, agreed, a: stepA, b: stepB, context };
}
