/**
 * The images that a DXE core and an SMM core have loaded, by their own tables in guest memory: what tells of an
 * executable that came from no firmware volume, such as a boot loader on a disk. Sources: UEFI Specification, "EFI
 * System Table", "Loaded Image Protocol", "Device Path Protocol", "EFI_DEBUG_IMAGE_INFO_TABLE"; edk2's PiSmmCore for
 * the drivers of SMM.
 */
import { dataViewOf, wordsEqual } from './byte-search.ts';
import { Fields, type MemoryRegion } from './guest-memory.ts';

/** An image by its handle. */
export interface ImageHandle {
  /** Where it was loaded, guest-physical. */
  readonly base: number;
  /** GUID of its file in a firmware volume, or undefined. */
  readonly guid: string | undefined;
  /** Last part of its path on a file system, or undefined. */
  readonly file: string | undefined;
}

/** The system table's pointer lies at a multiple of this. */
const POINTER_STEP = 0x40_0000;
const SIGNATURE_SYSTEM_TABLE = 'IBI SYST';
const DEBUG_IMAGE_INFO = '49152e77-1ada-4764-b7a2-7afefed95e8b';
/** More tables and images than any firmware has, so that damaged counts end. */
const MOST_TABLES = 256;
const MOST_IMAGES = 4096;
const MEDIA_PATH = 4;
const MEDIA_FILE = 4;
const MEDIA_FIRMWARE_FILE = 6;
const END_PATH = 0x7f;
/** Node of a path, bytes in all. */
const LONGEST_PATH = 4096;
const SMM_DRIVER = 0x7672_6473; // sdrv
/** Bytes behind the GUID in which a record names its image. */
const LONGEST_RECORD = 128;
const PAGE = 0x1000;

/** Every image of the DXE core's debug table; none before there is one. */
export function dxeImages(region: MemoryRegion): ImageHandle[] {
  const table = systemTable(region);
  if (table === undefined) return [];
  const { fields, at } = table;
  const { width } = fields;
  // Behind the header: vendor, revision, three pairs of handle and console, runtime and boot services, table count.
  const count = at + 24 + width * 10;
  const tables = fields.pointer(count + width);
  for (let i = 0; i < Math.min(fields.pointer(count), MOST_TABLES); i++) {
    const entry = tables + i * (16 + width);
    if (fields.guid(entry) === DEBUG_IMAGE_INFO) return debugImages(fields, fields.pointer(entry + 16));
  }
  return [];
}

/** The system table, which the DXE core has put where debuggers look for it, and the width of its pointers. */
function systemTable(region: MemoryRegion): { fields: Fields; at: number } | undefined {
  const { start, bytes } = region;
  const view = dataViewOf(bytes);
  const first = Math.ceil(start / POINTER_STEP) * POINTER_STEP - start;
  for (let at = first; at + 16 <= bytes.length; at += POINTER_STEP) {
    if (!isSignature(view, at)) continue;
    const table = view.getUint32(at + 8, true) - start;
    if (view.getUint32(at + 12, true) !== 0 || table < 0 || table + 24 > bytes.length) continue;
    if (!isSignature(view, table)) continue;
    const size = view.getUint32(table + 12, true);
    const width = size >= 0x78 ? 8 : 4;
    return { fields: new Fields(region, width), at: start + table };
  }
  return undefined;
}

function isSignature(view: DataView, at: number): boolean {
  for (let i = 0; i < SIGNATURE_SYSTEM_TABLE.length; i++)
    if (view.getUint8(at + i) !== SIGNATURE_SYSTEM_TABLE.charCodeAt(i)) return false;
  return true;
}

function debugImages(fields: Fields, header: number): ImageHandle[] {
  const { width } = fields;
  const images: ImageHandle[] = [];
  const list = fields.pointer(header + 8);
  for (let i = 0; i < Math.min(fields.u32(header + 4), MOST_IMAGES); i++) {
    const info = fields.pointer(list + i * width);
    if (info === 0 || fields.u32(info) !== 1) continue; // 1: EFI_DEBUG_IMAGE_INFO_TYPE_NORMAL
    const protocol = fields.pointer(info + width);
    const base = fields.pointer(protocol + 8 * width);
    if (base !== 0) images.push({ base, ...lastOfPath(fields, fields.pointer(protocol + 4 * width)) });
  }
  return images;
}

/** What the last media node of a device path names. */
function lastOfPath(fields: Fields, path: number): Omit<ImageHandle, 'base'> {
  let named: Omit<ImageHandle, 'base'> = { guid: undefined, file: undefined };
  for (let at = path; at !== 0 && at < path + LONGEST_PATH; ) {
    const head = fields.u32(at);
    const [type, kind, size] = [head & 0xff, (head >>> 8) & 0xff, head >>> 16];
    if (type === END_PATH || size < 4) break;
    if (type === MEDIA_PATH && kind === MEDIA_FIRMWARE_FILE)
      named = { guid: fields.guid(at + 4), file: undefined };
    else if (type === MEDIA_PATH && kind === MEDIA_FILE) {
      const file = fields
        .text(at + 4, size - 4)
        .split('\\')
        .at(-1)!;
      if (file !== '') named = { guid: undefined, file };
    }
    at += size;
  }
  return named;
}

/**
 * The drivers of an SMM core, which lists each in a record of its own: signature, two list entries, volume, GUID; the
 * image's address is the first that such a record gives to a page with a header.
 * @param isImage - whether a PE header is at a guest-physical address
 */
export function smmImages(region: MemoryRegion, isImage: (base: number) => boolean): ImageHandle[] {
  const images: ImageHandle[] = [];
  for (const offset of wordsEqual(region.bytes, SMM_DRIVER, region.used)) {
    const at = region.start + offset;
    for (const width of [8, 4]) {
      if (at % 8 !== 0 || images.length >= MOST_IMAGES) continue;
      const fields = new Fields(region, width);
      const isRecord =
        (width === 4 || fields.u32(at + 4) === 0) &&
        [1, 2, 3, 4].every((i) => fields.has(fields.pointer(at + i * width)));
      const base = isRecord ? imageOfRecord(fields, at, isImage) : undefined;
      if (base === undefined) continue;
      images.push({ base, guid: fields.guid(at + 6 * width), file: undefined });
      break;
    }
  }
  return images;
}

/** Behind the GUID come path, volume, dependencies and handle; then the entry point and the image, 64 bit each. */
function imageOfRecord(fields: Fields, at: number, isImage: (base: number) => boolean): number | undefined {
  const behind = at + 6 * fields.width + 16;
  for (let word = Math.ceil(behind / 8) * 8; word < behind + LONGEST_RECORD; word += 8) {
    const base = fields.u32(word);
    if (base !== 0 && base % PAGE === 0 && fields.u32(word + 4) === 0 && isImage(base)) return base;
  }
  return undefined;
}
