/** Decodes the records of one tracepoint by its format file, straight into the members of an event. */
import { type DeclaredField, decodeRecord, fitInteger, fitNumber } from './c-layout.ts';
import type { Format } from './dat-formats.ts';
import type { TraceEventName } from './events.ts';
import { booleanMember, membersFromRaw, numberMember, saysEnough } from './table.ts';
import type { Members } from './text-groups.ts';

/** Reads one record; undefined if it does not tell enough. */
export type RecordReader = (record: Uint8Array, view: DataView) => Members | undefined;

/** Puts one field into its member; the record is long enough. */
type FieldReader = (view: DataView, members: Members) => void;

/** Reads an integer of 1, 2, 4 or 8 bytes. */
function integerReader({
  offset,
  size,
  signed,
}: DeclaredField): ((view: DataView) => number | bigint) | undefined {
  if (size === 8 && signed) return (view) => view.getBigInt64(offset, true);
  if (size === 8) return (view) => view.getBigUint64(offset, true);
  if (size === 4 && signed) return (view) => view.getInt32(offset, true);
  if (size === 4) return (view) => view.getUint32(offset, true);
  if (size === 2 && signed) return (view) => view.getInt16(offset, true);
  if (size === 2) return (view) => view.getUint16(offset, true);
  if (size === 1 && signed) return (view) => view.getInt8(offset);
  if (size === 1) return (view) => view.getUint8(offset);
  return undefined;
}

function fieldReader(name: TraceEventName, field: DeclaredField): FieldReader | undefined {
  const read = field.shape === 'integer' ? integerReader(field) : undefined;
  if (!read) return undefined;
  const flag = booleanMember(name, field.name);
  if (flag !== undefined) {
    return (view, members) => {
      members[flag] = Number(read(view)) !== 0;
    };
  }
  const own = numberMember(name, field.name);
  if (!own) return undefined;
  const { member, big, type } = own;
  return (view, members) => {
    const value = read(view);
    if (big) members[member] = BigInt.asUintN(64, BigInt(value));
    else
      members[member] = typeof value === 'number' ? fitNumber(type, value) : Number(fitInteger(type, value));
  };
}

/** The reader of a tracepoint's records. */
export function recordReader(name: TraceEventName, { fields }: Pick<Format, 'fields'>): RecordReader {
  const readers: FieldReader[] = [];
  const others: DeclaredField[] = [];
  for (const field of fields) {
    const reader = fieldReader(name, field);
    if (reader) readers.push(reader);
    else others.push(field);
  }
  const length = fields.reduce((most, { offset, size }) => Math.max(most, offset + size), 0);
  const enough = saysEnough(name, Object.fromEntries(fields.map((field) => [field.name, 0n])));
  return (record, view) => {
    if (record.length < length) {
      const raw = decodeRecord(fields, record);
      return saysEnough(name, raw) ? membersFromRaw(name, raw) : undefined;
    }
    if (!enough) return undefined;
    const members: Members = others.length > 0 ? membersFromRaw(name, decodeRecord(others, record)) : {};
    for (let i = 0; i < readers.length; i++) readers[i]!(view, members);
    return members;
  };
}
