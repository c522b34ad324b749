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

const NAME_BY_TRACEPOINT: ReadonlyMap<string, TraceEventName> = new Map([
  ...EVENT_NAMES.flatMap((name) => {
    const { current, otherNames = [] } = EVENT_TABLE[name];
    return [current.tracepoint ?? name, ...otherNames].map((each) => [each, name] as const);
  }),
  ...EVENT_NAMES.map((name) => [name, name] as const),
]);

/** Our name of a tracepoint, whichever kernel gave it. */
export function eventNameOf(tracepoint: string): TraceEventName | undefined {
  return NAME_BY_TRACEPOINT.get(tracepoint);
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

const ALL_FIELDS: ReadonlyMap<EventRow, readonly CField[]> = new Map(
  Object.values(EVENT_TABLE).map((row) => {
    const { old, current, readOnly = [] } = row;
    const fields = [...old.fields, ...(old.extra ?? []), ...current.fields, ...readOnly];
    return [row, [...new Map(fields.map((field) => [`${field[1]} ${field[2]}`, field])).values()]] as const;
  }),
);

/** All fields that any kernel's record of an event has; of one field's types that of today. */
export function allFields(row: EventRow): readonly CField[] {
  return ALL_FIELDS.get(row) ?? [];
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

/** How a field's number goes into its member; undefined for members that are no numbers. */
export interface NumberMember {
  /** Member of the event. */
  readonly member: string;
  /** The member is a `bigint`, not a `number`. */
  readonly big: boolean;
  /** C type of the field. */
  readonly type: CType;
}

/** The only member that a field goes into, if no other field goes there. */
function ownMember(
  name: TraceEventName,
  field: string,
): { kind: MemberKind; member: string; type: CType } | undefined {
  const row = EVENT_TABLE[name];
  const fields = allFields(row);
  const of = fields.filter(([, cName]) => cName === field);
  const [type, , member] = of[0] ?? [];
  const kind = row.members[member ?? ''];
  if (of.length !== 1 || type === undefined || member === undefined || kind === undefined) return undefined;
  return fields.some(([, cName, other]) => other === member && cName !== field)
    ? undefined
    : { kind, member, type };
}

/** The member that holds a field's number, if it is the only field that does. */
export function numberMember(name: TraceEventName, field: string): NumberMember | undefined {
  const own = ownMember(name, field);
  if (own?.kind !== 'number' && own?.kind !== 'bigint') return undefined;
  return { member: own.member, big: own.kind === 'bigint', type: own.type };
}

/** The member that holds whether a field is not zero, if it is the only field that does. */
export function booleanMember(name: TraceEventName, field: string): string | undefined {
  const own = ownMember(name, field);
  return own?.kind === 'boolean' ? own.member : undefined;
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
