/** Turns what happens in the machine into trace events with time, processor and thread filled in. */
import { FIRST_VCPU_PID, type TraceEvent, type TraceSink } from '@smm/trace';

/** An event without what the recorder fills in. */
export type BareEvent = TraceEvent extends infer E
  ? E extends TraceEvent
    ? Omit<E, 'ts' | 'cpu' | 'pid' | 'comm'>
    : never
  : never;

/** Records events into a sink, or nothing when there is none. */
export class Recorder {
  readonly #sink: TraceSink | undefined;
  readonly #now: () => number;
  readonly #comm: string;

  /**
   * @param sink - receiver of the events
   * @param now - virtual nanoseconds
   * @param comm - thread name in the trace, at most 15 characters
   */
  constructor(sink: TraceSink | undefined, now: () => number, comm: string) {
    this.#sink = sink;
    this.#now = now;
    this.#comm = comm;
  }

  /** Whether anybody listens: callers may skip costly preparation. */
  get on(): boolean {
    return this.#sink !== undefined;
  }

  /** Records an event of a processor's thread. `cpu` is the VCPU whose thread records it. */
  emit(cpu: number, event: BareEvent): void {
    this.#sink?.({
      ...event,
      ts: this.#now(),
      cpu,
      pid: FIRST_VCPU_PID + cpu,
      comm: this.#comm,
    } as TraceEvent);
  }
}
