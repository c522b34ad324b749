/** A stable 64-bit hash of a trace: FNV-1a over a canonical encoding of each event. */
import type { TraceEvent, TraceSink } from './events.ts';

// The FNV prime is 2^40 + 1B3h; the basis is CBF29CE484222325h (Fowler, Noll, Vo: FNV hash parameters).
const PRIME_LOW = 0x1b3;
const BASIS_HIGH = 0xcbf29ce4;
const BASIS_LOW = 0x84222325;

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
  #high = BASIS_HIGH;
  #low = BASIS_LOW;
  #count = 0;
  readonly #view = new DataView(new ArrayBuffer(8));

  /** Events hashed so far. */
  get count(): number {
    return this.#count;
  }

  /** Hash of all events so far, an unsigned 64-bit value. */
  get value(): bigint {
    return (BigInt(this.#high >>> 0) << 32n) | BigInt(this.#low >>> 0);
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
    this.#byte(0xff);
  }

  #value(value: unknown): void {
    if (typeof value === 'number') {
      this.#byte(1);
      this.#view.setFloat64(0, value, true);
      this.#eight();
    } else if (typeof value === 'bigint') {
      this.#byte(2);
      this.#view.setBigUint64(0, BigInt.asUintN(64, value), true);
      this.#eight();
    } else if (typeof value === 'boolean') {
      this.#byte(value ? 4 : 3);
    } else if (typeof value === 'string') {
      this.#byte(5);
      this.#text(value);
    } else if (Array.isArray(value)) {
      this.#byte(6);
      for (const item of value) this.#value(item);
      this.#byte(7);
    }
  }

  #eight(): void {
    for (let i = 0; i < 8; i++) this.#byte(this.#view.getUint8(i));
  }

  #text(text: string): void {
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      this.#byte(unit & 0xff);
      this.#byte(unit >>> 8);
    }
    this.#byte(0);
    this.#byte(0);
  }

  #byte(byte: number): void {
    const low = (this.#low ^ byte) >>> 0;
    const product = low * PRIME_LOW; // below 2^41: exact
    this.#low = product >>> 0;
    const carry = (product - this.#low) / 0x1_0000_0000;
    this.#high = (this.#high * PRIME_LOW + carry + ((low << 8) >>> 0)) >>> 0;
  }
}

/** Hash of a whole trace as 16 lower-case hexadecimal digits. */
export function hashTrace(events: Iterable<TraceEvent>): string {
  const hasher = new TraceHasher();
  for (const event of events) hasher.add(event);
  return hasher.hex;
}
