/** The C structures of tracepoints: types, sizes, natural alignment, and values between records and bytes. */

/** Type of one field of a tracepoint, on a 64-bit kernel. */
export type CType =
  | 'unsigned int'
  | 'unsigned'
  | 'int'
  | 'u8'
  | '__u8'
  | '__u16'
  | 'u32'
  | '__u32'
  | 'u64'
  | '__u64'
  | 'unsigned long'
  | 'bool'
  | '__u8[15]'
  | '__data_loc char[]';

/** One field: its C type, its C name, and the member of the event that it holds. */
export type CField = readonly [type: CType, name: string, member: string];

/** A tracepoint's fields by C name: integers, byte arrays, strings. */
export type RawRecord = Record<string, bigint | readonly number[] | string>;

/** Where a field lies. Offsets count from the start of the record, whose first 8 bytes are common to all. */
export interface PlacedField {
  /** C type. */
  readonly type: CType;
  /** C name. */
  readonly name: string;
  /** Member of the event. */
  readonly member: string;
  /** Offset in bytes. */
  readonly offset: number;
  /** Size in bytes. */
  readonly size: number;
  /** The type is signed. */
  readonly signed: boolean;
}

/** Size in bytes of the fields that every record begins with: type, flags, preemption count, pid. */
const COMMON_SIZE = 8;

const SIZES: Readonly<Record<CType, number>> = {
  'unsigned int': 4,
  unsigned: 4,
  int: 4,
  u8: 1,
  __u8: 1,
  __u16: 2,
  u32: 4,
  __u32: 4,
  u64: 8,
  __u64: 8,
  'unsigned long': 8,
  bool: 1,
  '__u8[15]': 15,
  '__data_loc char[]': 4,
};

/** The value that remains of an integer in a field of this type. */
export function fitInteger(type: CType, value: bigint): bigint {
  return type === 'int' ? BigInt.asIntN(32, value) : BigInt.asUintN(8 * SIZES[type], value);
}

/** The same for a whole number that a `number` holds exactly. */
export function fitNumber(type: CType, value: number): number {
  if (type === 'int') return value | 0;
  const size = SIZES[type];
  if (size === 4) return value >>> 0;
  return size < 4 ? value & (2 ** (8 * size) - 1) : Number(fitInteger(type, BigInt(value)));
}

/** Places fields one after another with natural alignment, as the kernel's `TP_STRUCT__entry` does. */
export function placeFields(fields: readonly CField[]): PlacedField[] {
  let offset = COMMON_SIZE;
  return fields.map(([type, name, member]) => {
    const size = SIZES[type];
    const alignment = type === '__u8[15]' ? 1 : size;
    offset = Math.ceil(offset / alignment) * alignment;
    const placed = { type, name, member, offset, size, signed: type === 'int' };
    offset += size;
    return placed;
  });
}

/** The `field:` declaration of the kernel's format file, such as `__u8 insn[15]`. */
export function declareField(field: PlacedField): string {
  const array = /^(.*)\[15\]$/.exec(field.type);
  return array ? `${array[1]} ${field.name}[15]` : `${field.type} ${field.name}`;
}

/** Bytes of one record without its common part's content, which the caller fills in. Length is a multiple of 4. */
export function encodeRecord(fields: readonly PlacedField[], raw: Readonly<RawRecord>): Uint8Array {
  const last = fields[fields.length - 1];
  const fixed = Math.ceil((last ? last.offset + last.size : COMMON_SIZE) / 4) * 4;
  const strings = fields
    .filter((field) => field.type === '__data_loc char[]')
    .map((field) => ({ field, bytes: new TextEncoder().encode(`${raw[field.name] ?? ''}\0`) }));
  const total = strings.reduce((sum, { bytes }) => sum + bytes.length, fixed);
  const out = new Uint8Array(Math.ceil(total / 4) * 4);
  const view = new DataView(out.buffer);
  for (const { type, name, offset, size } of fields) {
    const value = raw[name] ?? 0n;
    if (type === '__u8[15]') {
      if (typeof value === 'object') out.set(value.slice(0, size), offset);
    } else if (typeof value === 'bigint') {
      if (size === 8) view.setBigUint64(offset, BigInt.asUintN(64, value), true);
      else if (size === 4) view.setUint32(offset, Number(BigInt.asUintN(32, value)), true);
      else if (size === 2) view.setUint16(offset, Number(BigInt.asUintN(16, value)), true);
      else view.setUint8(offset, Number(BigInt.asUintN(8, value)));
    }
  }
  let tail = fixed;
  for (const { field, bytes } of strings) {
    view.setUint32(field.offset, tail | (bytes.length << 16), true);
    out.set(bytes, tail);
    tail += bytes.length;
  }
  return out;
}

/** A field of a format file, read from a trace rather than from our table. */
export interface DeclaredField {
  /** C name. */
  readonly name: string;
  /** Offset in the record in bytes. */
  readonly offset: number;
  /** Size in bytes. */
  readonly size: number;
  /** The type is signed. */
  readonly signed: boolean;
  /** How the bytes are to be read. */
  readonly shape: 'integer' | 'bytes' | 'string';
}

/** Fields of one record; fields that lie outside `bytes` are left out. */
export function decodeRecord(fields: readonly DeclaredField[], bytes: Uint8Array): RawRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const raw: RawRecord = {};
  for (const { name, offset, size, signed, shape } of fields) {
    if (offset + size > bytes.length) continue;
    if (shape === 'bytes') {
      raw[name] = [...bytes.subarray(offset, offset + size)];
    } else if (shape === 'string') {
      const where = view.getUint32(offset, true);
      const start = where & 0xffff;
      const text = bytes.subarray(start, Math.min(bytes.length, start + (where >>> 16)));
      const end = text.indexOf(0);
      raw[name] = new TextDecoder().decode(end < 0 ? text : text.subarray(0, end));
    } else {
      let value = 0n;
      for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[offset + i] ?? 0);
      raw[name] = signed ? BigInt.asIntN(8 * size, value) : value;
    }
  }
  return raw;
}
