/** One SMBIOS structure as bytes. Source: DMTF DSP0134, "Structure standards". */
import { littleEndian } from '../fw-cfg.ts';

/** A field: a number of so many bytes, or a text, which the structure holds as the number of a string. */
export type SmbiosField = readonly [value: number, bytes: 1 | 2 | 4 | 8] | string | undefined;

/**
 * A structure: header, fields, strings. Texts that are undefined or empty have no string, and number 0; equal texts
 * have a string each, as in QEMU.
 */
export function structure(type: number, handle: number, fields: readonly SmbiosField[]): Uint8Array {
  const strings: string[] = [];
  const body = fields.flatMap((field) => {
    if (typeof field === 'object') return [...littleEndian(...field)];
    return field === undefined || field === '' ? [0] : [strings.push(field)];
  });
  const text = strings.length === 0 ? '\0\0' : `${strings.join('\0')}\0\0`;
  const head = [type, 4 + body.length, ...littleEndian(handle, 2)];
  return Uint8Array.from([...head, ...body, ...new TextEncoder().encode(text)]);
}

/** Bytes of a UUID: its first three parts are little-endian. Throws nothing: `uuid` has been checked. */
export function uuidFields(uuid: string | undefined): SmbiosField[] {
  const hex = (uuid ?? '').replaceAll('-', '').padStart(32, '0');
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return order.map((i) => [Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16), 1]);
}
