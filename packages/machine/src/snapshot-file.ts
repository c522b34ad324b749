/**
 * Snapshots as bytes, for files and other processes: eight bytes `SMMSNAP1`, the length of the text and a hash of all
 * that follows (32 bits each, little-endian), the snapshot as JSON in UTF-8, then the bytes of its arrays one after
 * another. What JSON has no word for is an object with the member `$`.
 */
import { SmmError } from '@smm/x86-defs';
import { fnv1a } from './fnv1a.ts';
import type { MachineSnapshot } from './machine-options.ts';

const MAGIC = 'SMMSNAP1';
const HEADER_BYTES = 16;
/** Deeper than any snapshot. */
const DEEPEST = 32;

/** Writes a snapshot. Equal states give equal bytes. Throws `SmmError` `SNAPSHOT_FILE` for what is no plain data. */
export function encodeSnapshot(snapshot: MachineSnapshot): Uint8Array {
  const blobs: Uint8Array[] = [];
  let blobBytes = 0;
  const plain = (value: unknown): unknown => {
    if (value === undefined) return { $: 'undefined' };
    if (typeof value === 'bigint') return { $: 'bigint', text: value.toString() };
    if (typeof value === 'number')
      return Number.isFinite(value) && !Object.is(value, -0) ? value : special(value);
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Uint8Array) {
      blobs.push(value);
      blobBytes += value.length;
      return { $: 'bytes', at: blobBytes - value.length, length: value.length };
    }
    if (Array.isArray(value)) return value.map(plain);
    const prototype: unknown = Object.getPrototypeOf(value);
    if ((prototype !== Object.prototype && prototype !== null) || '$' in value) {
      return refuse(
        'a snapshot holds what cannot be written',
        'Save parts as plain objects of plain values.',
      );
    }
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
  };
  const text = new TextEncoder().encode(JSON.stringify(plain(snapshot)));
  const bytes = new Uint8Array(HEADER_BYTES + text.length + blobBytes);
  bytes.set(new TextEncoder().encode(MAGIC));
  new DataView(bytes.buffer).setUint32(8, text.length, true);
  bytes.set(text, HEADER_BYTES);
  let at = HEADER_BYTES + text.length;
  for (const blob of blobs) {
    bytes.set(blob, at);
    at += blob.length;
  }
  new DataView(bytes.buffer).setUint32(12, fnv1a(bytes.subarray(HEADER_BYTES)), true);
  return bytes;
}

/**
 * Reads what {@link encodeSnapshot} wrote; `Machine.restore` then says whether the snapshot fits. Throws `SmmError`
 * `SNAPSHOT_FILE` for any other bytes.
 */
export function decodeSnapshot(bytes: Uint8Array): MachineSnapshot {
  const magic = new TextDecoder().decode(bytes.subarray(0, 8));
  if (bytes.length < HEADER_BYTES || magic !== MAGIC) damaged(`it does not begin with ${MAGIC}`);
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const length = header.getUint32(8, true);
  if (fnv1a(bytes.subarray(HEADER_BYTES)) !== header.getUint32(12, true)) damaged('its bytes have changed');
  if (HEADER_BYTES + length > bytes.length) damaged('it ends within its text');
  let text: unknown;
  try {
    text = JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)),
    );
  } catch (cause) {
    damaged('its text is no JSON', cause);
  }
  const value = revive(text, bytes.subarray(HEADER_BYTES + length), 0);
  if (typeof value !== 'object' || value === null) damaged('it holds no snapshot');
  return value as MachineSnapshot;
}

function revive(value: unknown, blobs: Uint8Array, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > DEEPEST) damaged('it is nested too deeply');
  if (Array.isArray(value)) return value.map((each) => revive(each, blobs, depth + 1));
  const { $: kind, text, at, length } = value as Readonly<Record<string, unknown>>;
  switch (kind) {
    case undefined:
      return Object.fromEntries(
        Object.entries(value).map(([key, member]) => [key, revive(member, blobs, depth + 1)]),
      );
    case 'undefined':
      return undefined;
    case 'number':
      return Number(text);
    case 'bigint':
      return typeof text === 'string' && /^-?\d{1,40}$/.test(text)
        ? BigInt(text)
        : damaged('it holds a bad number');
    case 'bytes':
      return isCount(at) && isCount(length) && at + length <= blobs.length
        ? blobs.slice(at, at + length)
        : damaged('it ends within its bytes');
    default:
      return damaged(`it holds a value of the unknown kind ${JSON.stringify(kind)}`);
  }
}

function special(value: number): unknown {
  return { $: 'number', text: Object.is(value, -0) ? '-0' : String(value) };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function damaged(why: string, cause?: unknown): never {
  return refuse(`this is no snapshot file: ${why}`, 'Give a file that encodeSnapshot wrote, whole.', cause);
}

function refuse(message: string, fix: string, cause?: unknown): never {
  throw new SmmError('SNAPSHOT_FILE', message, fix, {}, cause === undefined ? undefined : { cause });
}
