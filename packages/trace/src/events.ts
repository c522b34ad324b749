/** The union of all trace events, and the contract between who records them and who keeps them. */
import type { KvmEvent } from './kvm-events.ts';
import type { MachineEvent } from './machine-events.ts';

/** Any event; `name` tells which. */
export type TraceEvent = KvmEvent | MachineEvent;

/** Name of an event. */
export type TraceEventName = TraceEvent['name'];

/**
 * Takes one event. A sink only observes: it must not change the machine, and it must not keep references that it
 * mutates.
 */
export type TraceSink = (event: TraceEvent) => void;

/** Which kernel's fields and words: those of late 2015 (as in Linux 4.4), or today's (6.12). */
export type TraceForm = '2015' | 'current';

/** The forms there are. */
export const TRACE_FORMS: readonly TraceForm[] = ['2015', 'current'];

/** Host CPUs that a trace can name: more than any kernel is built for. */
export const MOST_CPUS = 10_000;
