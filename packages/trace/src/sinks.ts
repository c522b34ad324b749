/** Where events go: all of them, the last few, or those that a predicate lets through. */
import { SmmError } from '@smm/x86-defs';
import type { TraceEvent, TraceSink } from './events.ts';

/** Keeps every event. */
export class TraceBuffer {
  /** All events, in order of arrival. */
  readonly events: TraceEvent[] = [];
  /** The sink to hand to a recorder; bound to this buffer. */
  readonly sink: TraceSink = (event) => {
    this.events.push(event);
  };
}

/** Keeps the last `capacity` events. */
export class TraceRing {
  /** How many events the ring holds at most. */
  readonly capacity: number;
  /** The sink to hand to a recorder; bound to this ring. */
  readonly sink: TraceSink = (event) => {
    this.#slots[this.#count % this.capacity] = event;
    this.#count++;
  };
  readonly #slots: TraceEvent[] = [];
  #count = 0;

  /** @throws SmmError `TRACE_CAPACITY` if `capacity` is not a positive integer. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new SmmError(
        'TRACE_CAPACITY',
        `A trace ring of ${capacity} events cannot be made.`,
        'Give a whole number of at least 1.',
        { capacity },
      );
    }
    this.capacity = capacity;
  }

  /** Events that were pushed out. */
  get dropped(): number {
    return Math.max(0, this.#count - this.capacity);
  }

  /** The events held, oldest first; a copy. */
  get events(): TraceEvent[] {
    if (this.#count <= this.capacity) return this.#slots.slice();
    const oldest = this.#count % this.capacity;
    return [...this.#slots.slice(oldest), ...this.#slots.slice(0, oldest)];
  }
}

/** A sink that hands on the events for which `keep` is true. */
export function filterSink(sink: TraceSink, keep: (event: TraceEvent) => boolean): TraceSink {
  return (event) => {
    if (keep(event)) sink(event);
  };
}

/** A sink that hands every event to all of `sinks`, in order. */
export function teeSink(...sinks: readonly TraceSink[]): TraceSink {
  return (event) => {
    for (const sink of sinks) sink(event);
  };
}
