/** Opens images by their format. Sources of the marks: QEMU, the `probe` functions of block/*.c. */
import { SmmError, UnmodelledError } from '@smm/x86-defs';
import type { ByteStore } from './byte-store.ts';
import { Qcow2Image, type Qcow2Options } from './qcow2.ts';
import { isQcow2, readHeader } from './qcow2-header.ts';

/** Formats that are known. */
export type ImageFormat = 'raw' | 'qcow2';

/** How an image is opened. */
export interface ImageOptions extends Omit<Qcow2Options, 'backing'> {
  /** Default: by its first bytes; what is none of the known formats is raw. */
  readonly format?: ImageFormat;
  /**
   * Opens the image below, to be read: `name` and `format` as the header has them. Left out: an image over another is
   * an `SmmError` `IMAGE_BACKING`.
   */
  readonly openBacking?: (name: string, format: string | undefined) => ByteStore;
}

/** Images of other programs, by what they begin with. */
const OTHERS: ReadonlyMap<string, string> = new Map([
  ['KDMV', 'vmdk'],
  ['COWD', 'vmdk'],
  ['vhdxfile', 'vhdx'],
  ['conectix', 'vpc'],
  ['QED\0', 'qed'],
  ['<<< ', 'vdi'],
  ['WithoutFreeSpace', 'parallels'],
  ['LUKS', 'luks'],
]);
const LONGEST_MARK = 16;
const SECTOR = 512;

/**
 * The bytes of the disk in an image. Throws `SmmError` `IMAGE_FORMAT` or `IMAGE_BACKING`, and `UnmodelledError`
 * `IMAGE_FEATURE`.
 */
export function openImage(file: ByteStore, options: ImageOptions = {}): ByteStore {
  const format = options.format ?? probe(file);
  if (format === 'raw') return new RawImage(file, options.readonly === true);
  const { openBacking, format: _, ...rest } = options;
  const writable = !file.readonly && options.readonly !== true;
  const { backing } = readHeader(file, writable);
  const below = backing && openBacking?.(backing.name, backing.format);
  return new Qcow2Image(file, { ...rest, ...(below && { backing: below }) });
}

function probe(file: ByteStore): ImageFormat {
  if (isQcow2(file)) return 'qcow2';
  const bytes = new Uint8Array(LONGEST_MARK);
  file.read(0, bytes);
  const text = String.fromCharCode(...bytes);
  for (const [mark, name] of OTHERS) {
    if (!text.startsWith(mark)) continue;
    throw new UnmodelledError(
      'IMAGE_FEATURE',
      `the image is ${name}, which is not read here`,
      'Convert it: qemu-img convert -O qcow2; or name the format raw, to take the file as it is.',
      { format: name },
    );
  }
  return 'raw';
}

/** A file as it is, its last sector filled up with zeros. */
class RawImage implements ByteStore {
  readonly sizeBytes: number;
  readonly readonly: boolean;
  readonly #file: ByteStore;

  constructor(file: ByteStore, readonly: boolean) {
    this.#file = file;
    this.sizeBytes = Math.ceil(file.sizeBytes / SECTOR) * SECTOR;
    this.readonly = readonly || file.readonly;
  }

  read(at: number, into: Uint8Array): void {
    this.#file.read(at, into);
  }

  write(at: number, bytes: Uint8Array): void {
    if (this.readonly || at + bytes.length > this.sizeBytes) {
      throw new SmmError(
        'BLOCK_WRITE',
        this.readonly
          ? 'the image is read-only'
          : `${bytes.length} bytes at ${at} are not within the ${this.sizeBytes} of the image`,
        'Write within an image that was opened to be written.',
        { at, length: bytes.length },
      );
    }
    this.#file.write(at, bytes);
  }

  flush(): void {
    if (!this.readonly) this.#file.flush();
  }
}
