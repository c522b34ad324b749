/**
 * Firmware volumes as they lie in guest memory: which file is where, by the names that their user-interface sections
 * give. Encapsulated sections (compressed or GUID-defined) are not unpacked: the guest does that itself, and the result
 * is found in RAM. Source: UEFI Platform Initialization Specification volume 3, "Firmware Volumes" and "Firmware File
 * Sections".
 */
import { type ByteRange, dataViewOf, wordsEqual } from './byte-search.ts';
import { debugNameInFile } from './pe-image.ts';

/** Kinds of files that hold code. */
export type FirmwareFileKind =
  | 'SEC'
  | 'PEI core'
  | 'DXE core'
  | 'PEIM'
  | 'driver'
  | 'application'
  | 'SMM'
  | 'SMM core'
  | 'other';

const KINDS: Readonly<Record<number, FirmwareFileKind>> = {
  3: 'SEC',
  4: 'PEI core',
  5: 'DXE core',
  6: 'PEIM',
  7: 'driver',
  8: 'PEIM',
  9: 'application',
  10: 'SMM',
  12: 'SMM',
  13: 'SMM core',
};

/** One file of a volume. */
export interface FirmwareFile {
  /** Name of the user-interface section, else the one in its executable's debug path, else the GUID. */
  readonly name: string;
  /** GUID, lower-case. */
  readonly guid: string;
  /** Kind. */
  readonly kind: FirmwareFileKind;
  /** First byte within the bytes that were searched. */
  readonly start: number;
  /** Byte behind the last. */
  readonly end: number;
  /** Start of the executable (PE32 or TE) within the bytes that were searched, -1 without one. */
  readonly image: number;
  /** Size of the executable section's data in bytes. */
  readonly imageSize: number;
}

const SIGNATURE = 0x4856_465f; // _FVH
const SIGNATURE_AT = 0x28;
const SECTION_PE32 = 0x10;
const SECTION_TE = 0x12;
const SECTION_UI = 0x15;
const FILE_LARGE = 0x01;

/** A flash image holds firmware volumes: it is UEFI's, not a BIOS. */
export function isUefi(code: Uint8Array): boolean {
  for (const at of wordsEqual(code, SIGNATURE))
    if (at >= SIGNATURE_AT && volumeLength(dataViewOf(code), at - SIGNATURE_AT) !== undefined) return true;
  return false;
}

/** Bytes of a volume's header with the shortest block map. */
const SHORTEST_HEADER = 0x48;

/**
 * Finds the volumes in `bytes`, at any multiple of 8 and within each other, and lists their files. A volume is what has
 * a header whose words add up to zero: copies lie anywhere in memory, and so does their signature in code that looks
 * for it.
 * @param ranges - where signatures are looked for; everywhere unless given
 */
export function findFirmwareFiles(bytes: Uint8Array, ranges?: readonly ByteRange[]): FirmwareFile[] {
  const view = dataViewOf(bytes);
  const files: FirmwareFile[] = [];
  for (const at of wordsEqual(bytes, SIGNATURE, ranges)) {
    const start = at - SIGNATURE_AT;
    const length = start < 0 || start % 8 !== 0 ? undefined : volumeLength(view, start);
    if (length !== undefined) files.push(...filesOf(view, start, length));
  }
  return files;
}

function volumeLength(view: DataView, at: number): number | undefined {
  if (at + SHORTEST_HEADER > view.byteLength) return undefined;
  const length = view.getUint32(at + 0x20, true);
  const header = view.getUint16(at + 0x30, true);
  if (view.getUint32(at + 0x24, true) !== 0 || at + length > view.byteLength) return undefined;
  if (header < SHORTEST_HEADER || header % 2 !== 0 || header > length) return undefined;
  let sum = 0;
  for (let i = 0; i < header; i += 2) sum += view.getUint16(at + i, true);
  return (sum & 0xffff) === 0 ? length : undefined;
}

function filesOf(view: DataView, volume: number, length: number): FirmwareFile[] {
  const extended = view.getUint16(volume + 0x34, true);
  const files: FirmwareFile[] = [];
  if (extended + 20 > length) return files;
  const first =
    extended === 0
      ? view.getUint16(volume + 0x30, true)
      : extended + view.getUint32(volume + extended + 16, true);
  for (let at = volume + align(first, 8); at + 24 <= volume + length; ) {
    const kind = view.getUint8(at + 0x12);
    const large = (view.getUint8(at + 0x13) & FILE_LARGE) !== 0;
    if (large && at + 32 > volume + length) break;
    const size = large ? view.getUint32(at + 0x18, true) : view.getUint32(at + 0x14, true) & 0xff_ffff;
    if (size < 24 || size === 0xff_ffff || at + size > volume + length) break;
    if (kind !== 0xf0) files.push(fileAt(view, at, at + (large ? 32 : 24), at + size, kind));
    at = volume + align(at + size - volume, 8);
  }
  return files;
}

function fileAt(view: DataView, start: number, body: number, end: number, kind: number): FirmwareFile {
  const id = guidAt(view, start);
  let name: string | undefined;
  let image = -1;
  let imageSize = 0;
  for (let at = body; at + 4 <= end; ) {
    const word = view.getUint32(at, true);
    const large = (word & 0xff_ffff) === 0xff_ffff;
    if (large && at + 8 > end) break;
    const size = large ? view.getUint32(at + 4, true) : word & 0xff_ffff;
    const header = large ? 8 : 4;
    if (size < header || at + size > end) break;
    const type = word >>> 24;
    if (type === SECTION_UI) name = utf16(view, at + header, at + size);
    else if ((type === SECTION_PE32 || type === SECTION_TE) && image < 0) {
      image = at + header;
      imageSize = size - header;
    }
    at = body + align(at + size - body, 4);
  }
  name ??= image < 0 ? undefined : debugNameInFile(bytesOf(view, image, imageSize));
  return { name: name ?? id, guid: id, kind: KINDS[kind] ?? 'other', start, end, image, imageSize };
}

/** UTF-16 text up to a zero or `to`. */
export function utf16(view: DataView, from: number, to: number): string {
  let text = '';
  for (let at = from; at + 2 <= to; at += 2) {
    const unit = view.getUint16(at, true);
    if (unit === 0) break;
    text += String.fromCharCode(unit);
  }
  return text;
}

function bytesOf(view: DataView, at: number, size: number): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset + at, size);
}

/** A GUID as text, lower-case. Throws `RangeError` beyond the end of `view`. */
export function guidAt(view: DataView, at: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const tail = Array.from({ length: 8 }, (_, i) => hex(view.getUint8(at + 8 + i), 2)).join('');
  return `${hex(view.getUint32(at, true), 8)}-${hex(view.getUint16(at + 4, true), 4)}-${hex(view.getUint16(at + 6, true), 4)}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
