/**
 * Firmware volumes as they lie in guest memory: which file is where, by the names that their user-interface sections
 * give. Encapsulated sections (compressed or GUID-defined) are not unpacked: the guest does that itself, and the result
 * is found in RAM. Source: UEFI Platform Initialization Specification volume 3, "Firmware Volumes" and "Firmware File
 * Sections".
 */

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
  /** Name of the user-interface section, or the GUID. */
  readonly name: string;
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
const SECTION_PE32 = 0x10;
const SECTION_TE = 0x12;
const SECTION_UI = 0x15;
const FILE_LARGE = 0x01;

/** Finds the volumes in `bytes` (at 4 KiB boundaries and right behind other volumes) and lists their files. */
export function findFirmwareFiles(bytes: Uint8Array): FirmwareFile[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const files: FirmwareFile[] = [];
  for (let at = 0; at + 0x48 <= bytes.length; ) {
    const length = view.getUint32(at + 0x28, true) === SIGNATURE ? view.getUint32(at + 0x20, true) : 0;
    if (length < 0x48 || at + length > bytes.length || view.getUint32(at + 0x24, true) !== 0) {
      at += 0x1000 - (at % 0x1000);
      continue;
    }
    files.push(...filesOf(view, at, length));
    at += length;
  }
  return files;
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
  let name = guid(view, start);
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
  return { name, kind: KINDS[kind] ?? 'other', start, end, image, imageSize };
}

function utf16(view: DataView, from: number, to: number): string {
  let text = '';
  for (let at = from; at + 2 <= to; at += 2) {
    const unit = view.getUint16(at, true);
    if (unit === 0) break;
    text += String.fromCharCode(unit);
  }
  return text;
}

function guid(view: DataView, at: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  const tail = Array.from({ length: 8 }, (_, i) => hex(view.getUint8(at + 8 + i), 2)).join('');
  return `${hex(view.getUint32(at, true), 8)}-${hex(view.getUint16(at + 4, true), 4)}-${hex(view.getUint16(at + 6, true), 4)}-${tail.slice(0, 4)}-${tail.slice(4)}`;
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
