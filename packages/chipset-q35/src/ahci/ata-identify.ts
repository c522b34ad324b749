/**
 * What disks and CD drives say of themselves: QEMU's words, so that a guest cannot tell which emulator it is on.
 * Sources: ATA8-ACS, "IDENTIFY DEVICE", "IDENTIFY PACKET DEVICE"; QEMU 7.2 measured.
 */
import { ataText } from './ata-device.ts';

/** Names that a drive has. */
export interface DriveIdentity {
  /** At most 20 characters. */
  readonly serial: string;
  /** At most 40. */
  readonly model: string;
  /** At most 8. */
  readonly firmware: string;
}

/** Settings of a disk that its words show. */
export interface DiskSettings {
  /** Sectors of 512 bytes. */
  readonly sectors: number;
  /** Sectors of a block of READ MULTIPLE; 0: none set. */
  readonly multiple: number;
  /** Writes may stay in the cache. */
  readonly writeCache: boolean;
  /** SET FEATURES's transfer mode, 8 bit. */
  readonly transferMode: number;
}

/** Sectors per block of READ MULTIPLE at most. */
export const MOST_MULTIPLE = 16;
/** Commands that may be queued. */
const QUEUE_DEPTH = 32;

/** Cylinders, heads and sectors of a disk of that many sectors. */
export function geometryOf(sectors: number): { cylinders: number; heads: number; sectors: number } {
  const cylinders = Math.min(16383, Math.max(2, Math.floor(sectors / (16 * 63))));
  return { cylinders, heads: 16, sectors: 63 };
}

/** Words 62, 63 and 88: the modes, and in the upper half the one in use. */
function transferModes(words: Uint16Array, mode: number, first: number): void {
  const used = 1 << (mode & 7);
  const kinds = [
    [62, 0x10],
    [63, 0x20],
    [88, 0x40],
  ] as const;
  const all = { 62: 0x07, 63: 0x07, 88: 0x3f };
  for (const [word, kind] of kinds) {
    if (first === 1 && word === 62) continue; // CD drives here have no single-word DMA
    words[word] = all[word] | ((mode & 0xf8) === kind ? used << 8 : 0);
  }
}

/** Default transfer mode: Ultra DMA 5. */
export const DEFAULT_TRANSFER_MODE = 0x45;

/** 256 words of IDENTIFY DEVICE. */
export function identifyDisk(identity: DriveIdentity, settings: DiskSettings): Uint16Array {
  const { sectors, multiple, writeCache, transferMode } = settings;
  const words = new Uint16Array(256);
  const { cylinders, heads, sectors: perTrack } = geometryOf(sectors);
  const chs = cylinders * heads * perTrack;
  const low = Math.min(sectors, 0x0fff_ffff);
  const cache = writeCache ? 0x20 : 0;
  const table: Readonly<Record<number, number>> = {
    ...{ 0: 0x0040, 1: cylinders, 3: heads, 4: 512 * perTrack, 5: 512, 6: perTrack, 20: 3, 21: 512, 22: 4 },
    ...{ 47: 0x8000 | MOST_MULTIPLE, 48: 1, 49: 0x0b00, 51: 0x200, 52: 0x200, 53: 7 },
    ...{ 54: cylinders, 55: heads, 56: perTrack, 57: chs & 0xffff, 58: chs >>> 16 },
    ...{ 59: multiple === 0 ? 0 : 0x100 | multiple, 60: low & 0xffff, 61: low >>> 16 },
    ...{ 64: 3, 65: 120, 66: 120, 67: 120, 68: 120, 69: 0x4000, 75: QUEUE_DEPTH - 1, 76: 0x0100 },
    ...{ 80: 0xf0, 81: 0x16, 82: 0x4021, 83: 0x7400, 84: 0x4000, 85: 0x4001 | cache, 86: 0x3400, 87: 0x4000 },
    ...{ 93: 0x6001, 100: sectors & 0xffff, 101: Math.floor(sectors / 2 ** 16) & 0xffff },
    ...{ 102: Math.floor(sectors / 2 ** 32) & 0xffff, 103: 0, 106: 0x6000, 169: 1 },
  };
  for (const [word, value] of Object.entries(table)) words[Number(word)] = value;
  transferModes(words, transferMode, 0);
  names(words, identity);
  return words;
}

/** 256 words of IDENTIFY PACKET DEVICE. */
export function identifyCd(identity: DriveIdentity, transferMode: number): Uint16Array {
  const words = new Uint16Array(256);
  const table: Readonly<Record<number, number>> = {
    ...{ 0: 0x85c0, 20: 3, 21: 512, 22: 4, 48: 1, 49: 0x0300, 53: 7, 64: 3, 65: 0xb4, 66: 0xb4 },
    ...{ 67: 0x12c, 68: 0xb4, 71: 30, 72: 30, 75: QUEUE_DEPTH - 1, 76: 0x0100, 80: 0x1e },
    ...{ 62: 7, 88: 0 },
  };
  for (const [word, value] of Object.entries(table)) words[Number(word)] = value;
  transferModes(words, transferMode, 1);
  names(words, identity);
  return words;
}

function names(words: Uint16Array, { serial, model, firmware }: DriveIdentity): void {
  ataText(words, 10, 10, serial);
  ataText(words, 23, 4, firmware);
  ataText(words, 27, 20, model);
}
