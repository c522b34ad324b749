/** Which VCPU recorded an event, for kernels whose events do not all say so. */
import type { TraceEvent } from './events.ts';
import { EVENT_TABLE } from './table.ts';

/** QEMU's name of a VCPU's thread, `CPU 1/KVM`, of which some reports show 8 characters. */
const THREAD_NAME = /^CPU (\d+)\/K/;

/** True if the event's own fields name the VCPU whose thread recorded it. */
function namesItsVcpu(event: TraceEvent): boolean {
  return event.vcpu !== undefined && EVENT_TABLE[event.name].system === 'kvm';
}

/**
 * Fills in `vcpu` from the threads: a thread that once entered VCPU 1 records VCPU 1's events, and so does one that
 * QEMU calls `CPU 1/KVM`. Lines without thread ids, as in excerpts, belong to the VCPU that another such line named
 * last on the same host CPU, which is all that they tell; if none did, they stay without a VCPU.
 */
export function inferVcpus(events: readonly TraceEvent[]): TraceEvent[] {
  const inference = new VcpuInference(Number.POSITIVE_INFINITY, { copy: true });
  return [...inference.push(events), ...inference.end()];
}

/**
 * The same for events that come in pieces. Events wait, in order, for a later one that tells whose thread theirs is; if
 * more than `mostWaiting` wait, the first of them goes on with what is known by then.
 */
export class VcpuInference {
  readonly #byThread = new Map<number, number>();
  readonly #named = new Map<number, number>();
  readonly #mostWaiting: number;
  readonly #copy: boolean;
  #waiting: TraceEvent[] = [];
  /** How many of them wait no longer. */
  #at = 0;

  /** `copy`: the events are somebody else's, and are not changed. */
  constructor(mostWaiting: number, { copy = false }: { readonly copy?: boolean } = {}) {
    this.#mostWaiting = mostWaiting;
    this.#copy = copy;
  }

  /** Events that wait no longer. */
  push(events: readonly TraceEvent[]): TraceEvent[] {
    const given: TraceEvent[] = [];
    for (const event of events) {
      const { pid } = event;
      if (pid !== undefined && !this.#byThread.has(pid) && namesItsVcpu(event)) {
        this.#byThread.set(pid, event.vcpu as number);
      }
      if (this.#waiting.length === 0 && !this.#waits(event)) given.push(this.#settled(event));
      else this.#waiting.push(event);
    }
    if (this.#waiting.length === 0) return given;
    while (this.#at < this.#waiting.length) {
      const forced = this.#waiting.length - this.#at > this.#mostWaiting;
      if (!forced && this.#waits(this.#waiting[this.#at]!)) break;
      this.#waiting[this.#at] = this.#settled(this.#waiting[this.#at]!);
      this.#at++;
    }
    return given.length > 0 ? [...given, ...this.#out()] : this.#out();
  }

  /** The rest. */
  end(): TraceEvent[] {
    for (; this.#at < this.#waiting.length; this.#at++) {
      this.#waiting[this.#at] = this.#settled(this.#waiting[this.#at]!);
    }
    return this.#out();
  }

  #out(): TraceEvent[] {
    const out = this.#waiting.slice(0, this.#at);
    this.#waiting = this.#waiting.slice(this.#at);
    this.#at = 0;
    return out;
  }

  #waits({ vcpu, pid }: TraceEvent): boolean {
    return vcpu === undefined && pid !== undefined && !this.#byThread.has(pid);
  }

  #settled(event: TraceEvent): TraceEvent {
    if (event.vcpu !== undefined) {
      if (event.pid === undefined && namesItsVcpu(event)) this.#named.set(event.cpu, event.vcpu);
      return event;
    }
    const vcpu = this.#infer(event);
    if (vcpu === undefined) return event;
    if (this.#copy) return { ...event, vcpu };
    (event as { vcpu?: number }).vcpu = vcpu;
    return event;
  }

  #infer({ pid, comm, cpu }: TraceEvent): number | undefined {
    if (pid === undefined) return this.#named.get(cpu);
    const index = comm === undefined ? undefined : THREAD_NAME.exec(comm)?.[1];
    return this.#byThread.get(pid) ?? (index === undefined ? undefined : Number(index));
  }
}
