/** A stable 64-bit hash of a trace: FNV-1a over a canonical encoding of each event. */
import type { TraceEvent, TraceSink } from './events.ts';
import { Fnv1a64 } from './fnv1a.ts';

/** Names of the presentation, which two equal runs may choose differently. */
const PRESENTATION = new Set(['pid', 'comm']);

/**
 * Hashes events one by one, so that a run needs no memory for its trace.
 * Equal sequences of events give equal hashes on every host; `pid` and `comm` do not count.
 */
export class TraceHasher {
  /** The sink to hand to a recorder; bound to this hasher. */
  readonly sink: TraceSink = (event) => {
    this.add(event);
  };
  readonly #hash = new Fnv1a64();
  #count = 0;
  readonly #view = new DataView(new ArrayBuffer(8));

  /** Events hashed so far. */
  get count(): number {
    return this.#count;
  }

  /** Hash of all events so far, an unsigned 64-bit value. */
  get value(): bigint {
    return this.#hash.value;
  }

  /** `value` as 16 lower-case hexadecimal digits. */
  get hex(): string {
    return this.value.toString(16).padStart(16, '0');
  }

  /** Adds one event. */
  add(event: TraceEvent): void {
    this.#count++;
    this.#text(event.name);
    const fields = event as unknown as Readonly<Record<string, unknown>>;
    // Sorted, so that the order in which a recorder wrote the members does not matter.
    for (const key of Object.keys(fields).sort()) {
      const value = fields[key];
      if (key === 'name' || value === undefined || PRESENTATION.has(key)) continue;
      this.#text(key);
      this.#value(value);
    }
    this.#hash.byte(0xff);
  }

  #value(value: unknown): void {
    if (typeof value === 'number') {
      this.#hash.byte(1);
      this.#view.setFloat64(0, value, true);
      this.#eight();
    } else if (typeof value === 'bigint') {
      this.#hash.byte(2);
      this.#view.setBigUint64(0, BigInt.asUintN(64, value), true);
      this.#eight();
    } else if (typeof value === 'boolean') {
      this.#hash.byte(value ? 4 : 3);
    } else if (typeof value === 'string') {
      this.#hash.byte(5);
      this.#text(value);
    } else if (Array.isArray(value)) {
      this.#hash.byte(6);
      for (const item of value) this.#value(item);
      this.#hash.byte(7);
    }
  }

  #eight(): void {
    for (let i = 0; i < 8; i++) this.#hash.byte(this.#view.getUint8(i));
  }

  #text(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      this.#hash.byte(unit & 0xff);
      this.#hash.byte(unit >>> 8);
    }
    this.#hash.byte(0);
    this.#hash.byte(0);
  }
}

/** Hash of a whole trace as 16 lower-case hexadecimal digits. */
export function hashTrace(events: Iterable<TraceEvent>): string {
  const hasher = new TraceHasher();
  for (const event of events) hasher.add(event);
  return hasher.hex;
}
