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
  const byThread = new Map<number, number>();
  for (const event of events) {
    if (event.pid !== undefined && namesItsVcpu(event) && !byThread.has(event.pid)) {
      byThread.set(event.pid, event.vcpu as number);
    }
  }
  const named = new Map<number, number>();
  const infer = ({ pid, comm, cpu }: TraceEvent): number | undefined => {
    if (pid === undefined) return named.get(cpu);
    const index = comm === undefined ? undefined : THREAD_NAME.exec(comm)?.[1];
    return byThread.get(pid) ?? (index === undefined ? undefined : Number(index));
  };
  return events.map((event) => {
    if (event.vcpu !== undefined) {
      if (event.pid === undefined && namesItsVcpu(event)) named.set(event.cpu, event.vcpu);
      return event;
    }
    const vcpu = infer(event);
    return vcpu === undefined ? event : { ...event, vcpu };
  });
}
