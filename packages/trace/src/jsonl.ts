/** One JSON object per line: the lossless form. 64-bit values are lower-case `0x` strings. */
import { SmmError } from '@smm/x86-defs';
import type { MemberKind } from './event-row.ts';
import { MOST_CPUS, type TraceEvent, type TraceEventName } from './events.ts';
import { EVENT_TABLE } from './table.ts';

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

function eventFromJson(value: unknown): TraceEvent | string {
  if (typeof value !== 'object' || value === null) return 'it is not an object';
  const members = value as Readonly<Record<string, unknown>>;
  const name = members['name'];
  if (typeof name !== 'string' || !Object.hasOwn(EVENT_TABLE, name))
    return `its name is ${JSON.stringify(name)}`;
  const own = EVENT_TABLE[name as TraceEventName].members;
  const event: Record<string, unknown> = { name };
  for (const [member, kind] of Object.entries({ ...BASE, ...own })) {
    const given = members[member];
    if (given === undefined) {
      const required =
        member in own ? !isOptional(name as TraceEventName, member) : member === 'ts' || member === 'cpu';
      if (required) return `it lacks ${member}`;
      continue;
    }
    const converted = convert(kind, given);
    if (converted === undefined) return `its ${member} is ${JSON.stringify(given)}`;
    event[member] = converted;
  }
  return event as unknown as TraceEvent;
}

/**
 * Reads what {@link writeJsonl} writes. Unknown members are passed over.
 * @throws SmmError `TRACE_TRUNCATED` if the last line breaks off, `TRACE_FOREIGN` if a line is no event or
 * there is none; `details.line` has the number.
 */
export function readJsonl(text: string): TraceEvent[] {
  const fix = 'Give a .jsonl file that this project wrote, as `smm trace convert` does.';
  const lines = text.split('\n');
  const events: TraceEvent[] = [];
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '') continue;
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      if (index === lines.length - 1 && events.length > 0) {
        throw new SmmError(
          'TRACE_TRUNCATED',
          `The trace breaks off in line ${index + 1}.`,
          'Copy the whole file again, or delete its last line.',
          { line: index + 1 },
          { cause },
        );
      }
      throw new SmmError(
        'TRACE_FOREIGN',
        `Line ${index + 1} is not JSON.`,
        fix,
        { line: index + 1 },
        { cause },
      );
    }
    const event = eventFromJson(value);
    if (typeof event === 'string') {
      throw new SmmError('TRACE_FOREIGN', `Line ${index + 1} is not a trace event: ${event}.`, fix, {
        line: index + 1,
      });
    }
    events.push(event);
  }
  if (events.length === 0)
    throw new SmmError('TRACE_FOREIGN', 'The file holds no trace event.', fix, { line: 1 });
  return events;
}
