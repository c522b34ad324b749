/**
 * Names the firmware module that an address belongs to, by what lies in guest memory: files of firmware volumes that
 * run in place; PE images that the guest has loaded, by the header of the file they came from; else by the cores'
 * tables of images and by debug paths. Looks only, without side effects.
 */
import { type FirmwareFile, type FirmwareFileKind, findFirmwareFiles } from './firmware-volumes.ts';
import type { MemoryRegion } from './guest-memory.ts';
import { dxeImages, type ImageHandle, smmImages } from './image-handles.ts';
import { debugNameInMemory, HEADER_BYTES, type PeHeader, peHeader } from './pe-image.ts';

/** Where an address is. */
export interface ModuleLocation {
  /** Module name: what its firmware volume, its handle or its debug path says. */
  readonly name: string;
  /** Kind of the file. */
  readonly kind: FirmwareFileKind;
  /** Bytes from the start of the image. */
  readonly offset: number;
  /** Address of the image, guest-physical. */
  readonly base: number;
}

/** An image in memory. */
export interface LoadedImage {
  /** Address of the image, guest-physical. */
  readonly base: number;
  /** Its header. */
  readonly header: PeHeader;
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
/** Files of volumes that are remembered. */
const MOST_FILES = 0x1_0000;

type Module = Pick<ModuleLocation, 'name' | 'kind'>;

interface InPlace extends Module {
  /** Guest-physical address of the file's image. */
  readonly base: number;
  readonly end: number;
}

interface Loaded extends InPlace {
  readonly key: string;
}

/** Knows the files and images of the memory it was shown. */
export class ModuleMap {
  readonly #peek: Peek;
  /** By address. */
  #inPlace: InPlace[] = [];
  readonly #byHeader = new Map<string, FirmwareFile>();
  readonly #byGuid = new Map<string, FirmwareFile>();
  #handles = new Map<number, ImageHandle>();
  readonly #loaded = new Map<number, Loaded>();
  /** Pages in which nothing was found since the last {@link ModuleMap.learn}. */
  readonly #unknown = new Set<number>();

  constructor(peek: Peek) {
    this.#peek = peek;
  }

  /**
   * Looks for volumes and tables of images in this memory; call it again when the guest has unpacked or loaded more.
   * Returns how many files and images it did not know before.
   */
  learn(regions: readonly MemoryRegion[]): number {
    this.#unknown.clear();
    this.#loaded.clear();
    const before = this.#byGuid.size + this.#handles.size;
    this.#inPlace = [];
    const handles: ImageHandle[] = [];
    for (const region of regions) {
      this.#learnFiles(region);
      handles.push(...dxeImages(region), ...smmImages(region, (base) => this.#headerAt(base) !== undefined));
    }
    this.#inPlace.sort((a, b) => a.base - b.base);
    this.#handles = new Map(handles.map((handle) => [handle.base, handle]));
    return Math.max(0, this.#byGuid.size + this.#handles.size - before);
  }

  /** Every image that a core has a handle for. */
  handles(): readonly ImageHandle[] {
    return [...this.#handles.values()];
  }

  /** A file of this GUID has been seen in a volume. */
  hasFile(guid: string): boolean {
    return this.#byGuid.has(guid);
  }

  /**
   * The module at a linear address that maps to the same guest-physical one, or undefined. A page without a module is
   * not looked at again before the next {@link ModuleMap.learn}.
   */
  find(address: number): ModuleLocation | undefined {
    const inPlace = this.#findInPlace(address);
    if (inPlace !== undefined) return locate(inPlace, address);
    for (const image of this.#loaded.values()) {
      if (address < image.base || address >= image.end) continue;
      if (this.#headerAt(image.base)?.key === image.key) return locate(image, address);
      this.#loaded.delete(image.base); // the memory has another use by now
      break;
    }
    const page = Math.floor(address / PAGE);
    if (this.#unknown.has(page)) return undefined;
    const found = this.#findLoaded(address);
    if (found !== undefined) return locate(found, address);
    if (this.#unknown.size >= MOST_UNKNOWN) this.#unknown.clear();
    this.#unknown.add(page);
    return undefined;
  }

  /** The image that an address belongs to, with its header; undefined where there is none, or none of PE. */
  imageAt(address: number): LoadedImage | undefined {
    const module = this.find(address);
    const header = module && this.#headerAt(module.base);
    return module && header && { base: module.base, header };
  }

  #learnFiles({ start, bytes, used }: MemoryRegion): void {
    for (const file of findFirmwareFiles(bytes, used)) {
      if (this.#byGuid.size < MOST_FILES) this.#byGuid.set(file.guid, file);
      if (file.image < 0 || this.#inPlace.length >= MOST_FILES) continue;
      const { name, kind, image, imageSize } = file;
      this.#inPlace.push({ name, kind, base: start + image, end: start + image + imageSize });
      const key = peHeader(bytes.subarray(image, image + HEADER_BYTES))?.key;
      if (key !== undefined && this.#byHeader.size < MOST_FILES && !this.#byHeader.has(key))
        this.#byHeader.set(key, file);
    }
  }

  #findInPlace(address: number): InPlace | undefined {
    const files = this.#inPlace;
    let [low, high] = [0, files.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (files[middle]!.base <= address) low = middle + 1;
      else high = middle;
    }
    const file = files[low - 1];
    return file !== undefined && address < file.end ? file : undefined;
  }

  #findLoaded(address: number): Loaded | undefined {
    const lowest = Math.max(0, address - LARGEST_IMAGE);
    for (let base = address - (address % PAGE); base >= lowest; base -= PAGE) {
      const [m, z] = this.#peek(base, 2);
      if (m !== 0x4d || z !== 0x5a) continue;
      const header = this.#headerAt(base);
      if (header === undefined) continue;
      if (address >= base + header.sizeOfImage) return undefined;
      const module = this.#moduleOf(base, header);
      if (module === undefined) return undefined;
      const { key, sizeOfImage } = header;
      const { name, kind } = module;
      const image = { name, kind, base, end: base + sizeOfImage, key };
      if (this.#loaded.size >= MOST_LOADED) this.#loaded.clear();
      this.#loaded.set(base, image);
      return image;
    }
    return undefined;
  }

  #moduleOf(base: number, header: PeHeader): Module | undefined {
    const handle = this.#handles.get(base);
    const file =
      (handle?.guid === undefined ? undefined : this.#byGuid.get(handle.guid)) ??
      this.#byHeader.get(header.key);
    if (file !== undefined) return file;
    const name =
      handle?.file ?? debugNameInMemory((rva, size) => this.#peek(base + rva, size)) ?? handle?.guid;
    return name === undefined ? undefined : { name, kind: header.application ? 'application' : 'other' };
  }

  #headerAt(base: number): PeHeader | undefined {
    return peHeader(this.#peek(base, HEADER_BYTES));
  }
}

function locate({ name, kind, base }: InPlace, address: number): ModuleLocation {
  return { name, kind, offset: address - base, base };
}
