/** Reads the words of an event: by the print formats of its row, or as a list of its record's fields. */
import type { RawRecord } from './c-layout.ts';
import type { TraceEventName, TraceForm } from './events.ts';
import { allFields, EVENT_TABLE, membersFromRaw, saysEnough } from './table.ts';
import { compileTemplate, type ReadTemplate } from './template.ts';
import { groupsOf, type Members } from './text-groups.ts';

/** Reads the words of one event; undefined if they are not its own. */
export type MessageReader = (name: TraceEventName, text: string) => Members | undefined;

const FIELD =
  /^\s*(?:,\s*)?(\w+)\s*([=:])\s*(ARRAY\[[^\]]*\]|"[^"]*"|0x[0-9a-fA-F]{1,16}|[0-9a-f]{1,16}|-?\d{1,20}|true|false)(?=[\s,)]|$)/;

/** Fields that a row prints in hexadecimal; `trace-cmd report -R` writes them so too, without a sign of it. */
function hexFields(name: TraceEventName): Set<string> {
  const { old, current } = EVENT_TABLE[name];
  const conversions = [...old.print, ...current.print].filter((piece) => typeof piece !== 'string');
  return new Set(
    conversions.flatMap(({ spec, arg }) =>
      /x$/.test(spec) ? (/^REC->(\w+)$/.exec(arg)?.slice(1) ?? []) : [],
    ),
  );
}

/**
 * The fields of a record one by one: `trace-cmd report -R`, what trace-cmd could not parse, and perf trace. All of
 * them must belong to the event.
 */
function readFields(name: TraceEventName, text: string): RawRecord | undefined {
  const known = new Map(allFields(EVENT_TABLE[name]).map(([type, cName]) => [cName, type] as const));
  const inHex = hexFields(name);
  const raw: RawRecord = {};
  let rest = text.replace(/^\[FAILED TO PARSE\]\s*/, '').replace(/[,\s]+$/, '');
  while (rest !== '') {
    const match = FIELD.exec(rest);
    const [whole, field = '', sign = '', value = ''] = match ?? [];
    const type = known.get(field);
    if (whole === undefined || type === undefined) return undefined;
    if (value.startsWith('ARRAY')) {
      raw[field] = value.match(/[0-9a-fA-F]{2}(?=[,\s\]])/g)?.map((byte) => Number.parseInt(byte, 16)) ?? [];
    } else if (value.startsWith('"')) {
      raw[field] = value.slice(1, -1);
    } else if (value === 'true' || value === 'false') {
      raw[field] = value === 'true' ? 1n : 0n;
    } else if (/^-?\d+$|^0x/.test(value) && !(sign === '=' && inHex.has(field))) {
      raw[field] = BigInt(value);
    } else if (sign === '=' && inHex.has(field)) {
      raw[field] = BigInt(value.startsWith('0x') ? value : `0x${value}`);
    } else {
      return undefined;
    }
    rest = rest.slice(whole.length);
  }
  return Object.keys(raw).length > 0 ? raw : undefined;
}

/** Reads the words of one print format. */
function printReader(name: TraceEventName, template: ReadTemplate): (text: string) => Members | undefined {
  const { match, conversions } = compileTemplate(template);
  const { read, needRecord } = groupsOf(name, conversions);
  const untold = Object.entries(EVENT_TABLE[name].untold ?? {});
  return (text) => {
    const found = match(text);
    if (!found) return undefined;
    const members: Members = {};
    const raw: RawRecord = {};
    for (let i = 0; i < read.length; i++) {
      const said = found[i + 1];
      if (said !== undefined && !read[i]!(said, members, raw)) return undefined;
    }
    if (!needRecord) return members;
    for (const [field, value] of untold) {
      const told = raw[field];
      if (typeof value === 'bigint') raw[field] = value | (typeof told === 'bigint' ? told : 0n);
    }
    return Object.assign(members, membersFromRaw(name, raw));
  };
}

function printReaders(name: TraceEventName, first: TraceForm): ((text: string) => Members | undefined)[] {
  const { old, current, others = [] } = EVENT_TABLE[name];
  const prints = first === '2015' ? [old.print, current.print] : [current.print, old.print];
  const templates = [...prints, old.plugin, current.plugin, ...others.map(({ print }) => print)];
  const known = new Set(templates.filter((template) => template !== undefined));
  return [...known].map((template) => printReader(name, template));
}

/** A reader of all events' words; where kernels differ in what a word means, those of `form` go first. */
export function messageReader(form: TraceForm): MessageReader {
  const readers = new Map<TraceEventName, ReturnType<typeof printReaders>>();
  return (name, text) => {
    let known = readers.get(name);
    if (!known) {
      known = printReaders(name, form);
      readers.set(name, known);
    }
    for (const read of known) {
      const members = read(text);
      if (members) return members;
    }
    const fields = readFields(name, text);
    if (!fields) return undefined;
    if (fields['isa'] === undefined && 'isa' in EVENT_TABLE[name].members) fields['isa'] = 1n;
    return saysEnough(name, fields) ? membersFromRaw(name, fields) : undefined;
  };
}
