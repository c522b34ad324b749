/** Flash images as files: raw, or qcow2 as some distributions ship them. */
import { type ByteStore, createQcow2, type ImageFormat, MemoryStore, openImage } from '@smm/block';
import type { Io } from '../io.ts';
import { asUsage, UsageError } from '../usage-error.ts';
import { openOver } from './disks.ts';

/** Bytes of an image file at most: Q35 decodes 16 MiB of flash, and qcow2 may hold snapshots beside it. */
const LARGEST_FILE = 0x400_0000;
/** Bytes of flash that Q35 decodes below 4 GiB. */
const LARGEST_FLASH = 0x100_0000;
/** What is written at a time, so that equal parts of a qcow2 image stay as they are. */
const PIECE = 4096;

/** What is in a flash chip's file. */
export interface FlashImage {
  /** What the guest sees. */
  readonly bytes: Uint8Array;
  /** The file's bytes where the guest has made these of it. */
  readonly fileOf: (bytes: Uint8Array) => Uint8Array;
}

/**
 * Reads an image.
 * @param what - for messages: `the firmware`
 * @param format - default: by the first bytes, as in QEMU
 */
export function readFlashImage(
  what: string,
  path: string,
  format: ImageFormat | undefined,
  io: Io,
): FlashImage {
  const file = io.readFile(what, path, LARGEST_FILE);
  const open = (readonly: boolean, store: MemoryStore): ByteStore =>
    asUsage(`${what} ${path}`, () => openOver(store, { path, format, readonly, depth: 0 }, io));
  const disk = open(true, new MemoryStore(file));
  if (disk.sizeBytes > LARGEST_FLASH) {
    throw new UsageError(
      `${what} ${path} has ${disk.sizeBytes} bytes`,
      'Flash has at most 16 MiB: give the firmware files as the distribution installs them.',
    );
  }
  const bytes = new Uint8Array(disk.sizeBytes);
  disk.read(0, bytes);
  return {
    bytes,
    fileOf: (now) => {
      const store = new MemoryStore(file);
      writeChanges(open(false, store), now);
      return store.bytes;
    },
  };
}

/** A new file that holds `bytes`: qcow2 where the name says so, else raw. */
export function newFlashFile(path: string, bytes: Uint8Array): Uint8Array {
  if (!path.endsWith('.qcow2')) return bytes;
  const store = new MemoryStore();
  createQcow2(store, { sizeBytes: bytes.length });
  writeChanges(openImage(store, { format: 'qcow2' }), bytes);
  return store.bytes;
}

/** Makes a disk hold `bytes`; what it holds already is not written. */
function writeChanges(disk: ByteStore, bytes: Uint8Array): void {
  const there = new Uint8Array(PIECE);
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE);
    const old = there.subarray(0, piece.length);
    disk.read(at, old);
    if (piece.some((byte, i) => byte !== old[i])) disk.write(at, piece);
  }
  disk.flush();
}
