/** Every event by name, and the way between events and the records of the tables. */
import {
  type CField,
  type CType,
  fitInteger,
  type PlacedField,
  placeFields,
  type RawRecord,
} from './c-layout.ts';
import { escapeText, unescapeText } from './escape.ts';
import type { EventForm, EventRow, MemberKind } from './event-row.ts';
import type { TraceEvent, TraceEventName, TraceForm } from './events.ts';
import { KVM_TABLE } from './kvm-table.ts';
import { MACHINE_TABLE } from './machine-table.ts';

/** Row of every event. */
export const EVENT_TABLE: { readonly [N in TraceEventName]: EventRow } = { ...KVM_TABLE, ...MACHINE_TABLE };

/** Names of all events, KVM's first. */
export const EVENT_NAMES = Object.keys(EVENT_TABLE) as readonly TraceEventName[];

/** The form of an event in a kernel. */
export function formOf(row: EventRow, form: TraceForm): EventForm {
  return form === '2015' ? row.old : row.current;
}

/** Name of an event in a kernel's trace. */
export function tracepointName(name: TraceEventName, form: TraceForm): string {
  return formOf(EVENT_TABLE[name], form).tracepoint ?? name;
}

/** Our name of a tracepoint, whichever kernel gave it. */
export function eventNameOf(tracepoint: string): TraceEventName | undefined {
  if (Object.hasOwn(EVENT_TABLE, tracepoint)) return tracepoint as TraceEventName;
  return EVENT_NAMES.find((name) => {
    const { current, otherNames } = EVENT_TABLE[name];
    return current.tracepoint === tracepoint || otherNames?.includes(tracepoint);
  });
}

/** Fields of an event in a kernel, with their places; `extra` adds those that the record may have. */
export function fieldsOf(name: TraceEventName, form: TraceForm, extra = false): PlacedField[] {
  const { fields, extra: more = [] } = formOf(EVENT_TABLE[name], form);
  return placeFields(extra ? [...fields, ...more] : fields);
}

/**
 * True if the events of a name carry the members of its `extra` fields, all of them, so that records have those too.
 */
export function carriesExtra(name: TraceEventName, form: TraceForm, events: readonly TraceEvent[]): boolean {
  const { extra = [] } = formOf(EVENT_TABLE[name], form);
  if (extra.length === 0) return false;
  const own = events.filter((event) => event.name === name);
  return own.length > 0 && own.every((event) => extra.every(([, , member]) => Object.hasOwn(event, member)));
}

/** All fields that any kernel's record of an event has. */
export function allFields({ old, current, readOnly = [] }: EventRow): CField[] {
  return [...old.fields, ...(old.extra ?? []), ...current.fields, ...readOnly];
}

function rawOf(kind: MemberKind, value: unknown, scalar: boolean): RawRecord[string] {
  if (value === undefined) return kind === 'text' ? '' : 0n;
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1n : 0n;
  if (typeof value === 'number') return BigInt(Math.trunc(value));
  if (typeof value === 'string') return kind === 'text' ? escapeText(value) : BigInt(kind.indexOf(value));
  const bytes = value as readonly number[];
  return scalar ? BigInt(bytes.length) : bytes;
}

/** Record of an event in a kernel's form. A field that the event does not carry is zero. */
export function rawFromEvent(event: TraceEvent, form: TraceForm): RawRecord {
  const row = EVENT_TABLE[event.name];
  const members = event as unknown as Readonly<Record<string, unknown>>;
  const raw: RawRecord = {};
  const { fields, extra = [] } = formOf(row, form);
  for (const [type, cName, member] of [...fields, ...extra]) {
    raw[cName] = rawOf(row.members[member] ?? 'number', members[member], type !== '__u8[15]');
  }
  return raw;
}

function memberOf(
  type: CType,
  kind: MemberKind,
  value: RawRecord[string],
  raw: Readonly<RawRecord>,
): unknown {
  if (kind === 'bytes') {
    const length = raw['len'];
    return typeof value === 'object' && typeof length === 'bigint'
      ? value.slice(0, Number(length))
      : undefined;
  }
  if (kind === 'text') return typeof value === 'string' ? unescapeText(value) : undefined;
  if (typeof value !== 'bigint') return undefined;
  if (kind === 'bigint') return BigInt.asUintN(64, value);
  if (kind === 'boolean') return value !== 0n;
  return kind === 'number' ? Number(fitInteger(type, value)) : (kind[Number(value)] ?? undefined);
}

/** Members of an event from a record of any kernel's fields; members that the record does not tell are absent. */
export function membersFromRaw(name: TraceEventName, raw: Readonly<RawRecord>): Record<string, unknown> {
  const row = EVENT_TABLE[name];
  const members: Record<string, unknown> = {};
  for (const [type, cName, member] of allFields(row)) {
    const value = raw[cName];
    const kind = row.members[member];
    if (value === undefined || kind === undefined) continue;
    const converted = memberOf(type, kind, value, raw);
    if (converted !== undefined) members[member] = converted;
  }
  return members;
}

/** Whether the fields tell the members without which an event says nothing. */
export function saysEnough(name: TraceEventName, raw: Readonly<RawRecord>): boolean {
  const row = EVENT_TABLE[name];
  const { members, mayLack = [], old } = row;
  const told = new Set(
    allFields(row).flatMap(([, cName, member]) => (raw[cName] === undefined ? [] : [member])),
  );
  return old.fields.every(
    ([, , member]) => !(member in members) || mayLack.includes(member) || told.has(member),
  );
}
