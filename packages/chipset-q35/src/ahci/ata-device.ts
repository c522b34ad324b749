/**
 * What a device on a SATA port is to the port: who carries out commands, with registers in and out and data between.
 * Sources: Serial ATA Revision 2.6, "FIS Types"; ATA8-ACS, "Register descriptions".
 */
import type { PartState } from '../part.ts';

/** STATUS: an error, in the error register. */
export const ATA_STATUS_ERR = 0x01;
/** STATUS: the device wants to move data. */
export const ATA_STATUS_DRQ = 0x08;
/** STATUS: the heads have settled; always set here, as in QEMU. */
const ATA_STATUS_DSC = 0x10;
/** STATUS: ready. */
const ATA_STATUS_DRDY = 0x40;
/** STATUS: at work. */
export const ATA_STATUS_BSY = 0x80;
/** ERROR: aborted. */
export const ATA_ERROR_ABRT = 0x04;
/** ERROR: there is no such sector. */
export const ATA_ERROR_IDNF = 0x10;
/** ERROR: the sector cannot be read. */
export const ATA_ERROR_UNC = 0x40;

/** STATUS of a command that went well. */
export const ATA_GOOD: number = ATA_STATUS_DRDY | ATA_STATUS_DSC;
/** STATUS of one that did not. */
export const ATA_BAD: number = ATA_STATUS_DRDY | ATA_STATUS_ERR;

/** A command as a host-to-device register FIS holds it. */
export interface AtaTask {
  /** Command, 8 bit. */
  readonly command: number;
  /** Features, 16 bit. */
  readonly features: number;
  /** Device register, 8 bit. */
  readonly device: number;
  /** LBA, 48 bit: all six registers. */
  readonly lba: number;
  /** Sector count, 16 bit. */
  readonly count: number;
  /** 12 or 16 bytes of a command packet. */
  readonly packet: Uint8Array;
}

/** How a command ended. */
export interface AtaOutcome {
  /** Status register. */
  readonly status: number;
  /** Error register. */
  readonly error: number;
  /** Sector count that the device answers with. Default that of the task. */
  readonly count?: number;
  /** LBA that it answers with. Default that of the task. */
  readonly lba?: number;
}

/** The way of a command's data; what moves is bounded by the command, whatever memory the host gives. */
export interface AtaData {
  /** To the host. False when that failed or there is no room: the device need not go on. */
  readonly put: (bytes: Uint8Array) => boolean;
  /** From the host. False when that failed or there is no more. */
  readonly get: (into: Uint8Array) => boolean;
}

/** A device on a port. */
export interface AtaDevice {
  /** Signature after a reset: bytes 3 to 0 are LBA high, mid, low and sector count. */
  readonly signature: number;
  /** It takes queued commands. */
  readonly queues: boolean;
  /** Bytes that a command moves, for how long it takes. */
  bytesOf(task: AtaTask): number;
  /** Bytes of a block, where data of the command go by PIO; 0 where they go by DMA. */
  pioBlock(task: AtaTask): number;
  /** Carries out a command. */
  execute(task: AtaTask, data: AtaData): AtaOutcome;
  /** A queued command failed: what its log says. */
  noteQueuedError(tag: number, task: AtaTask, outcome: AtaOutcome): void;
  /** To the state after a reset of the port. `power-on` is for the medium too. */
  reset(kind: 'port' | 'power-on'): void;
  /** State, the medium's included. */
  save(): PartState;
  /** Puts it back. */
  restore(state: PartState): void;
}

/** Aborted. */
export const ATA_ABORTED: AtaOutcome = { status: ATA_BAD, error: ATA_ERROR_ABRT };
/** Done. */
export const ATA_DONE: AtaOutcome = { status: ATA_GOOD, error: 0 };
/** Done, by a command that moves no data: QEMU leaves DSC out, which means nothing any more. */
export const ATA_READY: AtaOutcome = { status: ATA_STATUS_DRDY, error: 0 };

/** Stores text of a device as ATA does: two characters a word, the first in the upper half, blanks behind. */
export function ataText(words: Uint16Array, at: number, count: number, text: string): void {
  const padded = text.slice(0, 2 * count).padEnd(2 * count);
  for (let i = 0; i < count; i++)
    words[at + i] = (padded.charCodeAt(2 * i) << 8) | padded.charCodeAt(2 * i + 1);
}

/** The bytes of words, little-endian. */
export function wordBytes(words: Uint16Array): Uint8Array {
  const bytes = new Uint8Array(2 * words.length);
  words.forEach((word, i) => {
    bytes[2 * i] = word;
    bytes[2 * i + 1] = word >>> 8;
  });
  return bytes;
}
