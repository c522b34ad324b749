/** Which VCPU recorded an event, for kernels whose events do not all say so. */
import type { TraceEvent } from './events.ts';
import { EVENT_TABLE } from './table.ts';

/** True if the event's own fields name the VCPU whose thread recorded it. */
function namesItsVcpu(event: TraceEvent): boolean {
  return event.vcpu !== undefined && EVENT_TABLE[event.name].system === 'kvm';
}

/**
 * Fills in `vcpu` from the threads: a thread that once entered VCPU 1 records VCPU 1's events. Events without
 * a thread id belong to the VCPU that was named last. Events that already know their VCPU stay as they are.
 */
export function inferVcpus(events: readonly TraceEvent[]): TraceEvent[] {
  const byThread = new Map<number, number>();
  for (const event of events) {
    if (event.pid !== undefined && namesItsVcpu(event) && !byThread.has(event.pid)) {
      byThread.set(event.pid, event.vcpu as number);
    }
  }
  let named: number | undefined;
  return events.map((event) => {
    if (event.vcpu !== undefined) {
      if (namesItsVcpu(event)) named = event.vcpu;
      return event;
    }
    const vcpu = event.pid === undefined ? named : byThread.get(event.pid);
    return vcpu === undefined ? event : { ...event, vcpu };
  });
}
