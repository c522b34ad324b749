/** Where events go: all of them, the last few, or those that a predicate lets through. */
import { SmmError } from '@smm/x86-defs';
import type { TraceEvent, TraceSink } from './events.ts';

/**
 * Events that a {@link TraceBuffer} keeps unless told otherwise: several hundred MiB, and more than any relocation
 * makes.
 */
export const TRACE_BUFFER_CAPACITY = 1_000_000;

/** Keeps events from the first on, and counts those for which it has no room. */
export class TraceBuffer {
  /** How many events the buffer holds at most. */
  readonly capacity: number;
  /** The events, in order of arrival. */
  readonly events: TraceEvent[] = [];
  /** The sink to hand to a recorder; bound to this buffer. */
  readonly sink: TraceSink = (event) => {
    if (this.events.length < this.capacity) this.events.push(event);
    else this.dropped++;
  };
  /** Events that came when the buffer was full. */
  dropped = 0;

  /** @throws SmmError `TRACE_CAPACITY` if `capacity` is not a positive integer. */
  constructor(capacity: number = TRACE_BUFFER_CAPACITY) {
    this.capacity = checkedCapacity('buffer', capacity);
  }
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
    this.capacity = checkedCapacity('ring', capacity);
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

function checkedCapacity(what: string, capacity: number): number {
  if (Number.isInteger(capacity) && capacity >= 1) return capacity;
  throw new SmmError(
    'TRACE_CAPACITY',
    `A trace ${what} of ${capacity} events cannot be made.`,
    'Give a whole number of at least 1.',
    { capacity },
  );
}
