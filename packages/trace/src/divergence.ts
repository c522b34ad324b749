/** Where two runs of one guest part. */

import { checkOptions, isListOf, isOneOf, isWhole, maybe } from '@smm/x86-defs';
import { who } from './diagnosis.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { TRACE_FORMS } from './events.ts';
import { type GuestVisible, type GuestVisibleKind, guestVisible } from './guest-visible.ts';
import { EVENT_TABLE } from './table.ts';
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

interface Step extends GuestVisible {
  readonly index: number;
  readonly event: TraceEvent;
}

const PM_TIMER_PORT = 0x608;
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
const TIMED_KINDS: ReadonlySet<GuestVisibleKind> = new Set(['interrupt', 'user-exit']);
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
/** Facts that repeat as often as a loop happens to turn: only the first of equal neighbours counts. */
const POLLED: ReadonlySet<GuestVisibleKind> = new Set(['apic-read', 'halt', 'pio']);

function isMachineTrace(events: readonly TraceEvent[]): boolean {
  return events.some((event) => EVENT_TABLE[event.name].system === 'smm');
}

function kindsOf(events: readonly TraceEvent[]): GuestVisibleKind[] {
  if (isMachineTrace(events)) {
    return events.some((event) => event.name === 'kvm_pio') ? [...MACHINE_KINDS, 'pio'] : [...MACHINE_KINDS];
  }
  const has = new Set(events.map((event) => guestVisible(event)?.kind));
  return [...KVM_KINDS, ...RECORDED_KINDS.filter((kind) => has.has(kind)), 'end'];
}

/** Each VCPU's facts in order. A trace with the machine's own events tells them by those alone. */
function historyOf(
  events: readonly TraceEvent[],
  kinds: ReadonlySet<GuestVisibleKind>,
  ignoredPorts: readonly number[],
): Map<number, Step[]> {
  const machine = isMachineTrace(events);
  const history = new Map<number, Step[]>();
  for (const [index, event] of events.entries()) {
    if (
      event.name === 'kvm_pio'
        ? ignoredPorts.includes(event.port)
        : machine && EVENT_TABLE[event.name].system === 'kvm'
    ) {
      continue;
    }
    const visible = guestVisible(event);
    if (!visible || !kinds.has(visible.kind)) continue;
    const steps = history.get(visible.vcpu) ?? [];
    history.set(visible.vcpu, steps);
    const last = steps[steps.length - 1];
    if (POLLED.has(visible.kind) && last?.kind === visible.kind && last.fact === visible.fact) continue;
    steps.push({ ...visible, index, event });
  }
  return history;
}

function side(step: Step | undefined): DivergenceSide | undefined {
  return step && { index: step.index, event: step.event, fact: step.fact };
}

function sentenceOf(vcpu: number, a: Step | undefined, b: Step | undefined): string {
  const first = a ? `${a.fact} in the first run` : 'does nothing more in the first run';
  const second = b ? `${b.fact} in the second` : 'does nothing more in the second';
  return `${who(vcpu)}: ${first}, ${second}.`;
}

function contextOf(
  events: readonly TraceEvent[],
  vcpu: number,
  steps: readonly Step[],
  at: number,
  lines: number,
  form: TraceForm,
): string[] {
  const end = steps[at]?.index ?? steps[at - 1]?.index ?? -1;
  const shown: string[] = [];
  for (let i = end; i >= 0 && shown.length <= lines; i--) {
    const event = events[i];
    if (event && (event.vcpu ?? -1) === vcpu) shown.unshift(formatEvent(event, { form }));
  }
  return shown;
}

/** Which of two divergences happened earlier: by a clock that both have, else each by its own. */
function earlier(x: Divergence, y: Divergence): number {
  if (x.a && y.a) return x.a.event.ts - y.a.event.ts;
  if (x.b && y.b) return x.b.event.ts - y.b.event.ts;
  return (x.a ?? x.b)!.event.ts - (y.a ?? y.b)!.event.ts;
}

/**
 * First divergence of two runs of the same guest, per VCPU and altogether. Runs are aligned on what the guest
 * notices, not on time, exits or entries, so that `tcg` and `kvm` runs compare. A trace with KVM's events
 * alone is compared on the facts that those tell.
 */
export function firstDivergence(
  a: readonly TraceEvent[],
  b: readonly TraceEvent[],
  options: DivergenceOptions = {},
): DivergenceReport {
  checkOptions<DivergenceOptions>('the options of firstDivergence', options, {
    context: maybe(isWhole(0)),
    form: maybe(isOneOf(TRACE_FORMS)),
    ignorePorts: maybe(isListOf(isWhole(0, 0xffff))),
    tails: maybe(isOneOf(['compare', 'ignore'])),
  });
  const { context = 4, form = '2015', ignorePorts = [PM_TIMER_PORT], tails = 'compare' } = options;
  const inB = new Set(kindsOf(b));
  const kinds = kindsOf(a).filter((kind) => inB.has(kind));
  const compared: Record<string, { kind: GuestVisibleKind; a: number; b: number }> = {};
  for (const kind of kinds) compared[kind] = { kind, a: 0, b: 0 };
  const compare = (some: readonly GuestVisibleKind[]): Divergence[] => {
    const historyA = historyOf(a, new Set(some), ignorePorts);
    const historyB = historyOf(b, new Set(some), ignorePorts);
    for (const [history, side] of [
      [historyA, 'a'],
      [historyB, 'b'],
    ] as const) {
      for (const { kind } of [...history.values()].flat()) compared[kind]![side]++;
    }
    return [...new Set([...historyA.keys(), ...historyB.keys()])]
      .sort((x, y) => x - y)
      .flatMap((vcpu) => {
        const stepsA = historyA.get(vcpu) ?? [];
        const stepsB = historyB.get(vcpu) ?? [];
        let at = 0;
        while (at < stepsA.length && at < stepsB.length && stepsA[at]?.fact === stepsB[at]?.fact) at++;
        const stepA = stepsA[at];
        const stepB = stepsB[at];
        if ((!stepA && !stepB) || (tails === 'ignore' && !(stepA && stepB))) return [];
        const sideA = side(stepA);
        const sideB = side(stepB);
        return [
          {
            vcpu,
            agreed: at,
            ...(sideA && { a: sideA }),
            ...(sideB && { b: sideB }),
            sentence: sentenceOf(vcpu, stepA, stepB),
            context: {
              a: contextOf(a, vcpu, stepsA, at, context, form),
              b: contextOf(b, vcpu, stepsB, at, context, form),
            },
          },
        ];
      });
  };
  const deeds = compare(kinds.filter((kind) => !TIMED_KINDS.has(kind)));
  const timed = [...TIMED_KINDS].flatMap((kind) => (kinds.includes(kind) ? compare([kind]) : []));
  const perVcpu = deeds.length > 0 ? deeds : timed;
  const first = [...perVcpu].sort(earlier)[0];
  return { ...(first && { first }), perVcpu, kinds, compared: Object.values(compared) };
}
