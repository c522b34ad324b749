/** One JSON object per line: the lossless form. 64-bit values are lower-case `0x` strings. */
import { SmmError } from '@smm/x86-defs';
import type { MemberKind } from './event-row.ts';
import { MOST_CPUS, type TraceEvent, type TraceEventName } from './events.ts';
import type { ReadCounts } from './read-counts.ts';
import { EVENT_NAMES, EVENT_TABLE } from './table.ts';

/** Members of every event. */
const BASE: Readonly<Record<string, MemberKind | 'time' | 'cpu'>> = {
  ts: 'time',
  cpu: 'cpu',
  vcpu: 'number',
  pid: 'number',
  comm: 'text',
};

/** Times are nanoseconds in 64 bits. */
const LATEST = 2 ** 64;

const HEX = /^0x(?:0|[1-9a-f][0-9a-f]{0,15})$/;

/**
 * One event as a line without its end: `name`, `ts`, `cpu`, `vcpu`, `pid`, `comm`, then the event's own members
 * in the order of its table row, so that equal events give equal lines.
 */
export function eventToJson(event: TraceEvent): string {
  const members = event as unknown as Readonly<Record<string, unknown>>;
  const line: Record<string, unknown> = { name: event.name };
  for (const member of [...Object.keys(BASE), ...Object.keys(EVENT_TABLE[event.name].members)]) {
    const value = members[member];
    line[member] = typeof value === 'bigint' ? `0x${BigInt.asUintN(64, value).toString(16)}` : value;
  }
  return JSON.stringify(line);
}

/** A whole trace, one line per event. */
export function writeJsonl(events: Iterable<TraceEvent>): string {
  let out = '';
  for (const event of events) out += `${eventToJson(event)}\n`;
  return out;
}

function convert(kind: MemberKind | 'time' | 'cpu', value: unknown): unknown {
  if (kind === 'bigint') return typeof value === 'string' && HEX.test(value) ? BigInt(value) : undefined;
  if (kind === 'number') return Number.isSafeInteger(value) ? value : undefined;
  if (kind === 'time') return typeof value === 'number' && value >= 0 && value < LATEST ? value : undefined;
  if (kind === 'cpu')
    return Number.isInteger(value) && Number(value) >= 0 && Number(value) < MOST_CPUS ? value : undefined;
  if (kind === 'boolean') return typeof value === 'boolean' ? value : undefined;
  if (kind === 'text') return typeof value === 'string' ? value : undefined;
  if (kind === 'bytes') {
    const isByte = (item: unknown) => Number.isInteger(item) && Number(item) >= 0 && Number(item) < 256;
    return Array.isArray(value) && value.length <= 15 && value.every(isByte) ? value : undefined;
  }
  return typeof value === 'string' && kind.includes(value) ? value : undefined;
}

/** Members that some kernel's record lacks and that an event may therefore lack. */
function isOptional(name: TraceEventName, member: string): boolean {
  const { old, system, mayLack } = EVENT_TABLE[name];
  if (mayLack?.includes(member)) return true;
  return system === 'kvm' && !old.fields.some((field) => field[2] === member);
}

/** A member that a line may have. */
interface ExpectedMember {
  readonly member: string;
  readonly kind: MemberKind | 'time' | 'cpu';
  readonly required: boolean;
}

function expectedOf(name: TraceEventName): ExpectedMember[] {
  const own = EVENT_TABLE[name].members;
  return Object.entries({ ...BASE, ...own }).map(([member, kind]) => ({
    member,
    kind,
    required: member in own ? !isOptional(name, member) : member === 'ts' || member === 'cpu',
  }));
}

const EXPECTED: ReadonlyMap<unknown, readonly ExpectedMember[]> = new Map(
  EVENT_NAMES.map((name) => [name, expectedOf(name)] as const),
);

function eventFromJson(value: unknown): TraceEvent | string {
  if (typeof value !== 'object' || value === null) return 'it is not an object';
  const members = value as Readonly<Record<string, unknown>>;
  const name = members['name'];
  const expected = EXPECTED.get(name);
  if (!expected) return `its name is ${JSON.stringify(name)}`;
  const event: Record<string, unknown> = { name };
  for (const { member, kind, required } of expected) {
    const given = members[member];
    if (given === undefined) {
      if (required) return `it lacks ${member}`;
      continue;
    }
    const converted = convert(kind, given);
    if (converted === undefined) return `its ${member} is ${JSON.stringify(given)}`;
    event[member] = converted;
  }
  return event as unknown as TraceEvent;
}

const FIX = 'Give a .jsonl file that this project wrote, as `smm trace convert` does.';

function foreign(message: string, line: number, cause?: unknown): SmmError {
  return new SmmError('TRACE_FOREIGN', message, FIX, { line }, cause === undefined ? undefined : { cause });
}

/** Reads lines in order; `end` after the last. */
class LineReader {
  /** Lines so far. */
  lines = 0;
  /** Events so far. */
  events = 0;

  /** One line without its end; `last` if the text ends in it. Undefined for an empty one. */
  read(text: string, last = false): TraceEvent | undefined {
    this.lines++;
    if (text.trim() === '') return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      if (!last || this.events === 0) throw foreign(`Line ${this.lines} is not JSON.`, this.lines, cause);
      throw new SmmError(
        'TRACE_TRUNCATED',
        `The trace breaks off in line ${this.lines}.`,
        'Copy the whole file again, or delete its last line.',
        { line: this.lines },
        { cause },
      );
    }
    const event = eventFromJson(value);
    if (typeof event === 'string') {
      throw foreign(`Line ${this.lines} is not a trace event: ${event}.`, this.lines);
    }
    this.events++;
    return event;
  }

  /** There are no more lines. */
  end(): void {
    if (this.events === 0) throw foreign('The file holds no trace event.', 1);
  }

  get counts(): ReadCounts {
    return {
      unit: 'line',
      lines: this.lines,
      events: this.events,
      continued: 0,
      notUnderstood: 0,
      passedOver: this.lines - this.events,
      unread: [],
      tracepoints: [],
      lost: 0,
    };
  }
}

/** What JSONL holds. */
export interface ParsedJsonl {
  /** The events, in the order of the text. */
  readonly events: TraceEvent[];
  /** Line of each event, from 1. */
  readonly lines: number[];
  /** What became of the lines: empty ones are passed over. */
  readonly counts: ReadCounts;
}

/** Reads JSONL with the line of each event. Throws as {@link readJsonl} does. */
export function parseJsonl(text: string): ParsedJsonl {
  const reader = new LineReader();
  const events: TraceEvent[] = [];
  const lines: number[] = [];
  const all = text.split('\n');
  const last = all.pop() ?? '';
  const take = (event: TraceEvent | undefined): void => {
    if (!event) return;
    events.push(event);
    lines.push(reader.lines);
  };
  for (const line of all) take(reader.read(line));
  if (last !== '') take(reader.read(last, true));
  reader.end();
  return { events, lines, counts: reader.counts };
}

/**
 * Reads what {@link writeJsonl} writes. Unknown members are passed over.
 * @throws SmmError `TRACE_TRUNCATED` if the last line breaks off, `TRACE_FOREIGN` if a line is no event or
 * there is none; `details.line` has the number.
 */
export function readJsonl(text: string): TraceEvent[] {
  return parseJsonl(text).events;
}

/** Characters of the longest line; no event has as many. */
const LONGEST_LINE = 0x10_0000;

/** Takes JSONL in pieces of any size; `end` after the last. Its events are those of {@link readJsonl}. */
export class JsonlStream {
  readonly #decoder = new TextDecoder();
  readonly #reader = new LineReader();
  /** The beginning of a line. */
  #rest = '';

  /**
   * The next piece: gives the events of its whole lines.
   * @throws SmmError `TRACE_FOREIGN` if a line is no event.
   */
  push(bytes: Uint8Array): TraceEvent[] {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > LONGEST_LINE) {
      throw foreign(`Line ${this.#reader.lines + lines.length + 1} is not a trace event: it is too long.`, 1);
    }
    return lines.flatMap((line) => this.#reader.read(line) ?? []);
  }

  /**
   * There are no more pieces: gives the last event, if its line has no end.
   * @throws SmmError `TRACE_TRUNCATED` if the last line breaks off, `TRACE_FOREIGN` if there was no event.
   */
  end(): TraceEvent[] {
    const last = this.#rest + this.#decoder.decode();
    const events = last === '' ? [] : [this.#reader.read(last, true) ?? []].flat();
    this.#reader.end();
    return events;
  }

  /** What became of the lines; complete after `end`. */
  get counts(): ReadCounts {
    return this.#reader.counts;
  }
}
