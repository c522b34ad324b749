/** The first and the last events of a trace that is too long to be held, and what they show. */
import { diagnose } from './diagnose.ts';
import type { Diagnosis, DiagnosisContext } from './diagnosis.ts';
import type { TraceEvent, TraceSink } from './events.ts';
import { TraceBuffer, TraceRing } from './sinks.ts';

/** Events next to each other, and what was found in them. */
export interface TracePart {
  /** The events. */
  readonly events: readonly TraceEvent[];
  /** Index of the first of them in the whole trace. */
  readonly offset: number;
  /** What they show; indices of evidence are those of `events`. */
  readonly diagnoses: readonly Diagnosis[];
}

/** Holds the first and the last events, half of `capacity` each; all of them as long as they are no more. */
export class TraceWindow {
  /** Takes the next event; bound to this window. */
  readonly sink: TraceSink = (event) => {
    if (this.#head.events.length < this.#head.capacity) this.#head.sink(event);
    else this.#tail.sink(event);
  };
  readonly #head: TraceBuffer;
  readonly #tail: TraceRing;

  /** @throws SmmError `TRACE_CAPACITY` if half of `capacity` is no event. */
  constructor(capacity: number) {
    this.#head = new TraceBuffer(Math.floor(capacity / 2));
    this.#tail = new TraceRing(Math.floor(capacity / 2));
  }

  /** The first events. */
  get firstEvents(): readonly TraceEvent[] {
    return this.#head.events;
  }

  /** Events between the first and the last that are not held. */
  get skipped(): number {
    return this.#tail.dropped;
  }

  /**
   * Diagnoses of what is held. If events were skipped, the first and the last ones are looked at by themselves; nothing
   * is concluded from what is absent in the first ones, and what both show is told once.
   */
  diagnose(context: DiagnosisContext = {}): TracePart[] {
    const first = this.#head.events;
    const last = this.#tail.events;
    const { skipped } = this;
    if (skipped === 0) {
      const events = last.length === 0 ? first : [...first, ...last];
      return [{ events, offset: 0, diagnoses: diagnose(events, context) }];
    }
    const { cut: _cut, notes: _notes, ...rest } = context;
    const before = diagnose(first, { ...rest, complete: false });
    const known = new Set(before.map(({ id }) => id));
    const after = diagnose(last, context).filter(({ id }) => !known.has(id));
    return [
      { events: first, offset: 0, diagnoses: before },
      { events: last, offset: first.length + skipped, diagnoses: after },
    ];
  }
}
