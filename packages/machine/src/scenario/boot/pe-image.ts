/**
 * Executables of UEFI firmware: PE32, PE32+ and TE images, as files and as they lie in memory. Sources: Microsoft,
 * "PE Format"; UEFI Platform Initialization Specification volume 1, "TE Image"; edk2, MdePkg's PeCoffLib for where
 * CodeView and MTOC entries keep the path of the file with symbols.
 */
import { dataViewOf } from './byte-search.ts';

/** What a header says. */
export interface PeHeader {
  /** Bytes in memory from its base on. */
  readonly sizeOfImage: number;
  /** What stays the same when an image is loaded: sizes, time, entry point. */
  readonly key: string;
  /** Address of its entry point, from its base on. */
  readonly entryPoint: number;
  /** It is for 64-bit mode. */
  readonly is64: boolean;
  /** It is an application (subsystem 10), not a driver. */
  readonly application: boolean;
}

/** Bytes of an image that hold its headers: the PE header may lie well behind the DOS stub. */
export const HEADER_BYTES = 0x1000;

const DOS_SIGNATURE = 0x5a4d; // MZ
const TE_SIGNATURE = 0x5a56; // VZ
const PE_SIGNATURE = 0x4550; // PE
/** Optional header magic of PE32 and PE32+, and where each keeps its data directories. */
const DIRECTORIES: Readonly<Record<number, number>> = { 0x10b: 96, 0x20b: 112 };
const MACHINE_X64 = 0x8664;
const SUBSYSTEM_APPLICATION = 10;
const DEBUG_DIRECTORY = 6;
const DEBUG_ENTRY_BYTES = 28;
const CODEVIEW = 2;
const TE_HEADER_BYTES = 40;
const SECTION_BYTES = 40;
const LONGEST_PATH = 512;
/** Bytes before the path in a CodeView entry, by its signature. */
const PATH_AT: Readonly<Record<number, number>> = {
  0x3031_424e: 16, // NB10
  0x5344_5352: 24, // RSDS
  0x434f_544d: 20, // MTOC
};

/** Reads the header of a PE image; undefined for anything else. */
export function peHeader(header: Uint8Array): PeHeader | undefined {
  const at = peOffset(header);
  if (at === undefined) return undefined;
  const view = dataViewOf(header);
  const key = [6, 8, 28, 32, 40, 44, 80].map((field) => view.getUint32(at + field, true).toString(16));
  return {
    sizeOfImage: view.getUint32(at + 80, true),
    key: key.join('-'),
    entryPoint: view.getUint32(at + 40, true),
    is64: view.getUint16(at + 4, true) === MACHINE_X64,
    application: view.getUint16(at + 92, true) === SUBSYSTEM_APPLICATION,
  };
}

/** Reads bytes of a loaded image by address relative to its base; fewer where there are no more. */
export type ImageReader = (rva: number, sizeBytes: number) => Uint8Array;

/** Name of the module by the debug path of an image in memory; undefined if the build has left it out. */
export function debugNameInMemory(read: ImageReader): string | undefined {
  const directory = debugDirectory(read(0, HEADER_BYTES));
  if (directory === undefined) return undefined;
  const entries = read(directory.rva, directory.size);
  return nameBehind(entries, (view, entry) => read(view.getUint32(entry + 20, true), LONGEST_PATH));
}

/** The same for an image as a file has it, a TE image too. */
export function debugNameInFile(file: Uint8Array): string | undefined {
  const directory = debugDirectory(file);
  if (directory === undefined) return undefined;
  const at = fileOffset(file, directory.rva);
  if (at === undefined) return undefined;
  const entries = file.subarray(at, at + directory.size);
  return nameBehind(entries, (view, entry) => {
    const path = fileOffset(file, view.getUint32(entry + 20, true));
    return path === undefined ? new Uint8Array(0) : file.subarray(path, path + LONGEST_PATH);
  });
}

/** Name of the first CodeView entry with a path. */
function nameBehind(
  entries: Uint8Array,
  contents: (view: DataView, entry: number) => Uint8Array,
): string | undefined {
  const view = dataViewOf(entries);
  for (let entry = 0; entry + DEBUG_ENTRY_BYTES <= entries.length; entry += DEBUG_ENTRY_BYTES) {
    if (view.getUint32(entry + 12, true) !== CODEVIEW) continue;
    const bytes = contents(view, entry);
    const from = bytes.length < 4 ? undefined : PATH_AT[dataViewOf(bytes).getUint32(0, true)];
    const name = from === undefined ? undefined : moduleOfPath(bytes.subarray(from));
    if (name !== undefined) return name;
  }
  return undefined;
}

/** `/build/X64/DxeCore/DEBUG/DxeCore.dll`: `DxeCore`. */
function moduleOfPath(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0);
  if (end <= 0) return undefined;
  const path = String.fromCharCode(...bytes.subarray(0, end));
  if (!/^[\x20-\x7e]+$/.test(path)) return undefined;
  const file = path.split(/[\\/]/).at(-1)!;
  return file.replace(/\.\w+$/, '') || undefined;
}

interface DebugDirectory {
  readonly rva: number;
  readonly size: number;
}

function debugDirectory(header: Uint8Array): DebugDirectory | undefined {
  const view = dataViewOf(header);
  const at = isTe(header) ? 32 : directoryOf(header, DEBUG_DIRECTORY);
  if (at === undefined || at + 8 > header.length) return undefined;
  const [rva, size] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
  return rva === 0 || size < DEBUG_ENTRY_BYTES ? undefined : { rva, size: Math.min(size, HEADER_BYTES) };
}

function directoryOf(header: Uint8Array, index: number): number | undefined {
  const pe = peOffset(header);
  if (pe === undefined) return undefined;
  const view = dataViewOf(header);
  const directories = DIRECTORIES[view.getUint16(pe + 24, true)];
  if (directories === undefined || pe + 24 + directories > header.length) return undefined;
  if (view.getUint32(pe + 24 + directories - 4, true) <= index) return undefined;
  return pe + 24 + directories + index * 8;
}

/** Where an address relative to the image's base lies in its file: by its section, in the headers as it is. */
function fileOffset(file: Uint8Array, rva: number): number | undefined {
  const view = dataViewOf(file);
  // A TE image keeps addresses of the PE image that it was made of, whose headers were this much longer.
  if (isTe(file)) return rva - view.getUint16(6, true) + TE_HEADER_BYTES;
  const pe = peOffset(file);
  if (pe === undefined) return undefined;
  const sections = pe + 24 + view.getUint16(pe + 20, true);
  for (let i = 0; i < view.getUint16(pe + 6, true); i++) {
    const at = sections + i * SECTION_BYTES;
    if (at + SECTION_BYTES > file.length) return undefined;
    const start = view.getUint32(at + 12, true);
    const size = Math.max(view.getUint32(at + 8, true), view.getUint32(at + 16, true));
    if (rva >= start && rva < start + size) return rva - start + view.getUint32(at + 20, true);
  }
  return rva;
}

function isTe(header: Uint8Array): boolean {
  return header.length >= TE_HEADER_BYTES && dataViewOf(header).getUint16(0, true) === TE_SIGNATURE;
}

function peOffset(header: Uint8Array): number | undefined {
  if (header.length < 0x100) return undefined;
  const view = dataViewOf(header);
  if (view.getUint16(0, true) !== DOS_SIGNATURE) return undefined;
  const pe = view.getUint32(0x3c, true);
  if (pe + 0x60 > header.length || view.getUint32(pe, true) !== PE_SIGNATURE) return undefined;
  return pe;
}
