/**
 * Names the firmware module that an address belongs to: files that run in place, and PE images that the guest has
 * loaded, recognised by the header of the file they came from. Looks at guest memory only, without side effects.
 */
import { type FirmwareFile, type FirmwareFileKind, findFirmwareFiles } from './firmware-volumes.ts';

/** Where an address is. */
export interface ModuleLocation {
  /** Module name, as the firmware volume has it. */
  readonly name: string;
  /** Kind of the file. */
  readonly kind: FirmwareFileKind;
  /** Bytes from the start of the image. */
  readonly offset: number;
  /** Address of the image, guest-physical. */
  readonly base: number;
}

/** Reads guest-physical memory without side effects. */
export type Peek = (gpa: number, sizeBytes: number) => Uint8Array;

/** How far back the header of a loaded image is looked for. */
const LARGEST_IMAGE = 0x80_0000;
const PAGE = 0x1000;
/** Loaded images that are remembered: a guest can make up as many headers as it likes. */
const MOST_LOADED = 1024;
/** Pages without a module that are remembered. */
const MOST_UNKNOWN = 0x1_0000;
/** Bytes of an image that hold its headers: the PE header may lie well behind the DOS stub. */
const HEADER_BYTES = 0x1000;

interface Known {
  readonly file: FirmwareFile;
  /** Guest-physical address of the file's image. */
  readonly image: number;
}

/** A range of guest-physical memory that may hold firmware volumes. */
export interface VolumeRange {
  /** First address. */
  readonly start: number;
  /** Length of the image in memory, bytes. */
  readonly sizeBytes: number;
}

/** Knows the files of the volumes it was shown, and finds loaded images by them. */
export class ModuleMap {
  readonly #peek: Peek;
  #known: Known[] = [];
  readonly #byHeader = new Map<string, Known>();
  readonly #loaded = new Map<number, ModuleLocation & { readonly end: number; readonly key: string }>();
  /** Pages in which nothing was found since the last {@link ModuleMap.learn}. */
  readonly #unknown = new Set<number>();

  constructor(peek: Peek) {
    this.#peek = peek;
  }

  /**
   * Looks for volumes in these ranges; call it again when the guest has unpacked more. Returns how many files are
   * known.
   */
  learn(ranges: readonly VolumeRange[]): number {
    this.#unknown.clear();
    for (const { start, sizeBytes } of ranges) {
      const bytes = this.#peek(start, sizeBytes);
      const files = findFirmwareFiles(bytes).filter((file) => file.image >= 0);
      if (files.length === 0) continue;
      this.#known = this.#known.filter(({ image }) => image < start || image >= start + sizeBytes);
      for (const file of files) {
        const known = { file, image: start + file.image };
        this.#known.push(known);
        const key = headerKey(bytes.subarray(file.image, file.image + HEADER_BYTES));
        if (key !== undefined && !this.#byHeader.has(key)) this.#byHeader.set(key, known);
      }
    }
    return this.#byHeader.size;
  }

  /**
   * The module at a linear address that maps to the same guest-physical one, or undefined. A page without a module is
   * not looked at again before the next {@link ModuleMap.learn}.
   */
  find(address: number): ModuleLocation | undefined {
    const inPlace = this.#known.find(
      ({ image, file }) => address >= image && address < image + file.imageSize,
    );
    if (inPlace !== undefined) {
      const { file, image } = inPlace;
      return { name: file.name, kind: file.kind, offset: address - image, base: image };
    }
    for (const image of this.#loaded.values()) {
      if (address < image.base || address >= image.end) continue;
      const { name, kind, base } = image;
      if (headerKey(this.#peek(base, HEADER_BYTES)) === image.key)
        return { name, kind, base, offset: address - base };
      this.#loaded.delete(base); // the memory has another use by now
      break;
    }
    const page = Math.floor(address / PAGE);
    if (this.#unknown.has(page)) return undefined;
    const found = this.#findLoaded(address);
    if (found === undefined) {
      if (this.#unknown.size >= MOST_UNKNOWN) this.#unknown.clear();
      this.#unknown.add(page);
    }
    return found;
  }

  #findLoaded(address: number): ModuleLocation | undefined {
    const lowest = Math.max(0, address - LARGEST_IMAGE);
    for (let base = address - (address % PAGE); base >= lowest; base -= PAGE) {
      const [m, z] = this.#peek(base, 2);
      if (m !== 0x4d || z !== 0x5a) continue;
      const header = this.#peek(base, HEADER_BYTES);
      const key = headerKey(header);
      if (key === undefined) continue;
      const known = this.#byHeader.get(key);
      const size = imageSizeOf(header);
      if (known === undefined || address >= base + size) return undefined;
      const { name, kind } = known.file;
      if (this.#loaded.size >= MOST_LOADED) this.#loaded.clear();
      this.#loaded.set(base, { name, kind, offset: 0, base, end: base + size, key });
      return { name, kind, offset: address - base, base };
    }
    return undefined;
  }
}

/** What stays the same when an image is loaded: sizes, entry point and section names of its PE header. */
function headerKey(header: Uint8Array): string | undefined {
  const pe = peOffset(header);
  if (pe === undefined) return undefined;
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const fields = [pe + 6, pe + 8, pe + 28, pe + 32, pe + 40, pe + 44, pe + 80].map((at) =>
    view.getUint32(at, true).toString(16),
  );
  return fields.join('-');
}

function imageSizeOf(header: Uint8Array): number {
  const pe = peOffset(header)!;
  return new DataView(header.buffer, header.byteOffset).getUint32(pe + 80, true);
}

function peOffset(header: Uint8Array): number | undefined {
  if (header.length < 0x100 || header[0] !== 0x4d || header[1] !== 0x5a) return undefined;
  const pe = new DataView(header.buffer, header.byteOffset).getUint32(0x3c, true);
  if (pe + 0x58 > header.length || header[pe] !== 0x50 || header[pe + 1] !== 0x45) return undefined;
  return pe;
}
