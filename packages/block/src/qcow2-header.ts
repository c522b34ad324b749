/**
 * The header of a qcow2 image: what it says, and whether this code can do what it asks for.
 * Source: QEMU, docs/interop/qcow2.txt, "Header".
 */
import { SmmError, UnmodelledError } from '@smm/x86-defs';
import type { ByteStore } from './byte-store.ts';

/** First four bytes: `QFI` and FBh. */
export const QCOW2_MAGIC = 0x5146_49fb;
/** Byte of the header where the place of the refcount table (8 bytes) and its clusters (4) are. */
export const REFCOUNT_TABLE_FIELD = 48;
/** Byte of the header of version 3 where the features are that software which does not know them must clear. */
export const AUTOCLEAR_FIELD = 88;

const HEADER_V2 = 72;
const HEADER_V3 = 104;
/** Bytes; QEMU's own bounds. */
const LARGEST_L1 = 32 * 2 ** 20;
const LARGEST_REFCOUNT_TABLE = 8 * 2 ** 20;
const LONGEST_BACKING_NAME = 1023;

const INCOMPATIBLE_DIRTY = 1;
const INCOMPATIBLE_CORRUPT = 2;
const INCOMPATIBLE_EXTERNAL_DATA = 4;
const INCOMPATIBLE_COMPRESSION = 8;
const INCOMPATIBLE_EXTENDED_L2 = 16;
const EXTENSION_END = 0;
const EXTENSION_BACKING_FORMAT = 0xe279_2aca;

/** What a header says. Places are bytes in the file. */
export interface Qcow2Header {
  /** 2 or 3. */
  readonly version: number;
  /** Clusters are 2^this bytes. */
  readonly clusterBits: number;
  /** Bytes that the guest sees. */
  readonly sizeBytes: number;
  /** Entries of the L1 table. */
  readonly l1Entries: number;
  /** Where it is. */
  readonly l1Offset: number;
  /** Where the refcount table is. */
  readonly refcountTableOffset: number;
  /** Clusters of it. */
  readonly refcountTableClusters: number;
  /** Refcounts are 2^this bits wide. */
  readonly refcountOrder: number;
  /** The image below, as the header names it. */
  readonly backing:
    | {
        /** As the image has it: a path, or `json:`. */
        readonly name: string;
        /** `raw` or `qcow2`; undefined where the image does not say. */
        readonly format: string | undefined;
      }
    | undefined;
  /** Some feature is set that software which writes must clear. */
  readonly autoclear: boolean;
}

/** True for a file that begins as qcow2 images do. */
export function isQcow2(file: ByteStore): boolean {
  const bytes = new Uint8Array(4);
  file.read(0, bytes);
  return viewOf(bytes).getUint32(0) === QCOW2_MAGIC;
}

/**
 * Reads the header. Throws `SmmError` `IMAGE_FORMAT` for what is no sound qcow2 image, `UnmodelledError`
 * `IMAGE_FEATURE` for one that needs what is not done here. `writable`: it will be written.
 */
export function readHeader(file: ByteStore, writable: boolean): Qcow2Header {
  const bytes = new Uint8Array(HEADER_V3);
  file.read(0, bytes);
  const view = viewOf(bytes);
  if (view.getUint32(0) !== QCOW2_MAGIC) throw unsound('it does not begin with QFI and FBh');
  const version = view.getUint32(4);
  if (version === 1) throw unmodelled('version 1 (qcow)', 'qemu-img convert -O qcow2 makes a newer one.');
  if (version !== 2 && version !== 3) throw unsound(`its version is ${version}`);
  const v3 = version === 3;
  const headerBytes = v3 ? view.getUint32(100) : HEADER_V2;
  const clusterBits = view.getUint32(20);
  if (clusterBits < 9 || clusterBits > 21) throw unsound(`its clusters have 2^${clusterBits} bytes`);
  const clusterBytes = 2 ** clusterBits;
  if (v3 && (headerBytes < HEADER_V3 || headerBytes > clusterBytes || headerBytes % 8 !== 0))
    throw unsound(`its header has ${headerBytes} bytes`);
  checkFeatures(view, v3, headerBytes > HEADER_V3 ? byteAt(file, HEADER_V3) : 0, writable);
  const sizeBytes = getU64(view, 24);
  const l1Entries = view.getUint32(36);
  const needed = Math.ceil(sizeBytes / (clusterBytes * (clusterBytes / 8)));
  if (l1Entries < needed || l1Entries * 8 > LARGEST_L1)
    throw unsound(
      `its first table has ${l1Entries} entries, and ${needed} are needed for ${sizeBytes} bytes`,
    );
  const refcountTableClusters = view.getUint32(56);
  if (refcountTableClusters === 0 || refcountTableClusters * clusterBytes > LARGEST_REFCOUNT_TABLE)
    throw unsound(`its refcount table has ${refcountTableClusters} clusters`);
  const refcountOrder = v3 ? view.getUint32(96) : 4;
  if (refcountOrder > 6) throw unsound(`its refcounts have 2^${refcountOrder} bits`);
  const [l1Offset, refcountTableOffset] = [getU64(view, 40), getU64(view, REFCOUNT_TABLE_FIELD)];
  for (const [name, offset] of [
    ['first table', l1Offset],
    ['refcount table', refcountTableOffset],
  ] as const) {
    if (offset % clusterBytes !== 0 || (offset === 0 && (name === 'refcount table' || l1Entries > 0)))
      throw unsound(`its ${name} is at 0x${offset.toString(16)}`);
  }
  const backing = backingOf(file, view, headerBytes, clusterBytes);
  const autoclear = v3 && (view.getUint32(AUTOCLEAR_FIELD) | view.getUint32(AUTOCLEAR_FIELD + 4)) !== 0;
  return {
    ...{ version, clusterBits, sizeBytes, l1Entries, l1Offset, refcountTableOffset, refcountTableClusters },
    ...{ refcountOrder, backing, autoclear },
  };
}

function checkFeatures(view: DataView, v3: boolean, compression: number, writable: boolean): void {
  const method = view.getUint32(32);
  if (method !== 0) throw unmodelled(`encryption (method ${method})`, 'qemu-img convert writes a plain one.');
  if (!v3) return;
  const [high, low] = [view.getUint32(72), view.getUint32(76)];
  const plain = 'qemu-img convert -O qcow2 writes one without.';
  if ((low & INCOMPATIBLE_EXTERNAL_DATA) !== 0) throw unmodelled('a data file of its own', plain);
  if ((low & INCOMPATIBLE_COMPRESSION) !== 0 && compression !== 0)
    throw unmodelled(`compression type ${compression} (1 is zstd)`, plain);
  if ((low & INCOMPATIBLE_EXTENDED_L2) !== 0) throw unmodelled('extended L2 entries', plain);
  const known =
    INCOMPATIBLE_DIRTY |
    INCOMPATIBLE_CORRUPT |
    INCOMPATIBLE_EXTERNAL_DATA |
    INCOMPATIBLE_COMPRESSION |
    INCOMPATIBLE_EXTENDED_L2;
  if (high !== 0 || (low & ~known) !== 0)
    throw unmodelled(`unknown features (0x${high.toString(16)}, 0x${low.toString(16)})`, plain);
  if (writable && (low & (INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT)) !== 0) {
    throw new SmmError(
      'IMAGE_FORMAT',
      'the image is marked as damaged: whoever wrote it last did not finish',
      'Repair it with qemu-img check -r all, or open it read-only.',
    );
  }
}

function backingOf(
  file: ByteStore,
  view: DataView,
  headerBytes: number,
  clusterBytes: number,
): Qcow2Header['backing'] {
  const [at, length] = [getU64(view, 8), view.getUint32(16)];
  if (at === 0 || length === 0) return undefined;
  if (length > LONGEST_BACKING_NAME || at + length > clusterBytes)
    throw unsound(`the name of its backing file has ${length} bytes at ${at}`);
  return { name: textAt(file, at, length), format: backingFormat(file, headerBytes, at) };
}

/** Walks the extensions between header and backing file's name. */
function backingFormat(file: ByteStore, from: number, end: number): string | undefined {
  for (let at = from; at + 8 <= end; ) {
    const head = new Uint8Array(8);
    file.read(at, head);
    const [type, length] = [viewOf(head).getUint32(0), viewOf(head).getUint32(4)];
    if (type === EXTENSION_END) return undefined;
    if (at + 8 + length > end) throw unsound(`a header extension at ${at} has ${length} bytes`);
    if (type === EXTENSION_BACKING_FORMAT) return textAt(file, at + 8, length);
    at += 8 + Math.ceil(length / 8) * 8;
  }
  return undefined;
}

function textAt(file: ByteStore, at: number, length: number): string {
  const bytes = new Uint8Array(length);
  file.read(at, bytes);
  return new TextDecoder().decode(bytes);
}

function byteAt(file: ByteStore, at: number): number {
  const bytes = new Uint8Array(1);
  file.read(at, bytes);
  return bytes[0]!;
}

/** A view of just these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A big-endian number of 64 bits. Throws `SmmError` `IMAGE_FORMAT` for one that no file reaches. */
function getU64(view: DataView, at: number): number {
  const value = view.getUint32(at) * 2 ** 32 + view.getUint32(at + 4);
  if (value > Number.MAX_SAFE_INTEGER) throw unsound(`a place or size in its header is ${value}`);
  return value;
}

/** Writes a big-endian number of 64 bits, at most 2^53. */
export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, Math.floor(value / 2 ** 32));
  view.setUint32(at + 4, value % 2 ** 32);
}

function unsound(why: string): SmmError {
  return new SmmError(
    'IMAGE_FORMAT',
    `this is no sound qcow2 image: ${why}`,
    'Check it with qemu-img check, or name its format: format=raw takes a file as it is.',
  );
}

function unmodelled(what: string, fix: string): UnmodelledError {
  return new UnmodelledError('IMAGE_FEATURE', `the qcow2 image has ${what}, which is not read here`, fix, {
    what,
  });
}
