/**
 * A SATA disk: 28- and 48-bit commands, queued commands, flushes, SMART's verdict, power modes.
 *
 * Not modelled: security, HPA and DCO, streaming, SMART's self tests; those commands are aborted. TRIM is accepted and
 * changes nothing, which the standard allows. Source: ATA8-ACS, "Command descriptions".
 */
import { attempt, type Medium } from '../block-device.ts';
import type { PartState } from '../part.ts';
import { requireVersion1 } from '../snapshot.ts';
import {
  ATA_ABORTED,
  ATA_BAD,
  ATA_DONE,
  ATA_ERROR_ABRT,
  ATA_ERROR_IDNF,
  ATA_ERROR_UNC,
  ATA_GOOD,
  ATA_READY,
  type AtaData,
  type AtaDevice,
  type AtaOutcome,
  type AtaTask,
  wordBytes,
} from './ata-device.ts';
import {
  DEFAULT_TRANSFER_MODE,
  type DiskSettings,
  type DriveIdentity,
  geometryOf,
  identifyDisk,
  MOST_MULTIPLE,
} from './ata-identify.ts';
import { powerCommand, transferModeIsKnown } from './ata-settings.ts';

const SECTOR = 512;
/** Bytes that are moved between disk and memory at a time. */
const CHUNK = 0x1_0000;
const DEVICE_LBA = 0x40;
const DEVICE_FUA = 0x80;
const SMART_PASSED = 0xc24f00;
const LOG_NCQ_ERROR = 0x10;

/** How a command that moves sectors is encoded. */
interface Transfer {
  readonly kind: 'read' | 'write' | 'verify';
  readonly wide: boolean;
  readonly pio: boolean;
  readonly fua?: boolean;
}

const TRANSFERS: ReadonlyMap<number, Transfer> = new Map<number, Transfer>([
  [0x20, { kind: 'read', wide: false, pio: true }], // READ SECTOR(S)
  [0x21, { kind: 'read', wide: false, pio: true }],
  [0x24, { kind: 'read', wide: true, pio: true }], // READ SECTOR(S) EXT
  [0x25, { kind: 'read', wide: true, pio: false }], // READ DMA EXT
  [0x29, { kind: 'read', wide: true, pio: true }], // READ MULTIPLE EXT
  [0x30, { kind: 'write', wide: false, pio: true }], // WRITE SECTOR(S)
  [0x31, { kind: 'write', wide: false, pio: true }],
  [0x34, { kind: 'write', wide: true, pio: true }], // WRITE SECTOR(S) EXT
  [0x35, { kind: 'write', wide: true, pio: false }], // WRITE DMA EXT
  [0x39, { kind: 'write', wide: true, pio: true }], // WRITE MULTIPLE EXT
  [0x3d, { kind: 'write', wide: true, pio: false, fua: true }], // WRITE DMA FUA EXT
  [0x40, { kind: 'verify', wide: false, pio: true }], // READ VERIFY SECTOR(S)
  [0x41, { kind: 'verify', wide: false, pio: true }],
  [0x42, { kind: 'verify', wide: true, pio: true }], // READ VERIFY SECTOR(S) EXT
  [0xc4, { kind: 'read', wide: false, pio: true }], // READ MULTIPLE
  [0xc5, { kind: 'write', wide: false, pio: true }], // WRITE MULTIPLE
  [0xc8, { kind: 'read', wide: false, pio: false }], // READ DMA
  [0xc9, { kind: 'read', wide: false, pio: false }],
  [0xca, { kind: 'write', wide: false, pio: false }], // WRITE DMA
  [0xcb, { kind: 'write', wide: false, pio: false }],
  [0xce, { kind: 'write', wide: true, pio: true, fua: true }], // WRITE MULTIPLE FUA EXT
]);

/** Those whose blocks are as long as SET MULTIPLE MODE says. */
const MULTIPLE: ReadonlySet<number> = new Set([0x29, 0x39, 0xc4, 0xc5, 0xce]);

/** What a command moves; `at` is a byte of the disk, `there` whether it has all of that. */
interface Extent {
  readonly kind: Transfer['kind'];
  readonly at: number;
  readonly bytes: number;
  readonly there: boolean;
  /** What is written is on the disk when the command ends. */
  readonly fua: boolean;
}

/** READ FPDMA QUEUED. */
const READ_QUEUED = 0x60;
/** WRITE FPDMA QUEUED. */
const WRITE_QUEUED = 0x61;

interface AtaDiskState extends PartState {
  version: 1;
  writeCache: boolean;
  transferMode: number;
  multiple: number;
  smart: boolean;
  /** The log of the queued command that failed last. */
  errorLog: Uint8Array;
  disk: PartState;
}

/** The disk. */
export class AtaDisk implements AtaDevice {
  readonly signature = 0x0000_0101;
  readonly queues = true;
  readonly #medium: Medium;
  readonly #identity: DriveIdentity;
  readonly #sectors: number;
  #writeCache = true;
  #transferMode = DEFAULT_TRANSFER_MODE;
  #multiple = MOST_MULTIPLE;
  #smart = true;
  #errorLog = new Uint8Array(SECTOR);

  constructor(medium: Medium, identity: DriveIdentity) {
    this.#medium = medium;
    this.#identity = identity;
    this.#sectors = Math.floor(medium.disk.sizeBytes / SECTOR);
  }

  bytesOf(task: AtaTask): number {
    return this.#extentOf(task)?.bytes ?? 0;
  }

  pioBlock({ command }: AtaTask): number {
    const transfer = TRANSFERS.get(command);
    if (transfer === undefined) return [0xec, 0xb0, 0x2f].includes(command) ? SECTOR : 0;
    const sectors = MULTIPLE.has(command) ? Math.max(1, this.#multiple) : 1;
    return transfer.pio ? sectors * SECTOR : 0;
  }

  execute(task: AtaTask, data: AtaData): AtaOutcome {
    const extent = this.#extentOf(task);
    if (extent !== undefined) return this.#transfer(extent, data);
    switch (task.command) {
      case 0xec: // IDENTIFY DEVICE
        data.put(wordBytes(identifyDisk(this.#identity, this.#settings())));
        return ATA_DONE;
      case 0xe7: // FLUSH CACHE
      case 0xea: // FLUSH CACHE EXT
        return attempt(this.#medium, () => this.#medium.disk.flush()) ? ATA_DONE : ATA_ABORTED;
      case 0xef:
        return this.#setFeatures(task);
      case 0xc6: // SET MULTIPLE MODE
        return this.#setMultiple(task.count & 0xff);
      case 0xb0:
        return this.#smartCommand(task, data);
      case 0x2f: // READ LOG EXT
        return this.#readLog(task, data);
      case 0x06: // DATA SET MANAGEMENT
        return task.features === 1 ? this.#trim(task, data) : ATA_ABORTED;
      case 0x27: // READ NATIVE MAX ADDRESS EXT
      case 0xf8: // READ NATIVE MAX ADDRESS
        return { ...ATA_DONE, lba: Math.min(this.#sectors, task.command === 0x27 ? 2 ** 48 : 2 ** 28) - 1 };
      case 0x70: // SEEK
      case 0x91: // INITIALIZE DEVICE PARAMETERS
        return ATA_DONE;
      case 0x90: // EXECUTE DEVICE DIAGNOSTIC: passed, and the signature
        return { status: ATA_GOOD, error: 1, count: 1, lba: 1 };
      default:
        // RECALIBRATE is 10h to 1Fh.
        return task.command >>> 4 === 1 ? ATA_DONE : (powerCommand(task.command) ?? ATA_ABORTED);
    }
  }

  /** The log tells what of the queued command; the tag is in the count's bits 7:3. */
  noteQueuedError(tag: number, { lba, device, features }: AtaTask, { status, error }: AtaOutcome): void {
    const log = new Uint8Array(SECTOR);
    const place = [0, 1, 2, 3, 4, 5].map((i) => Math.floor(lba / 256 ** i) & 0xff);
    log.set([
      tag,
      0,
      status,
      error,
      place[0]!,
      place[1]!,
      place[2]!,
      device,
      place[3]!,
      place[4]!,
      place[5]!,
    ]);
    log.set([0, features & 0xff, features >>> 8], 11);
    this.#errorLog = log;
  }

  reset(kind: 'port' | 'power-on'): void {
    if (kind === 'port') return;
    this.#writeCache = true;
    this.#transferMode = DEFAULT_TRANSFER_MODE;
    this.#multiple = MOST_MULTIPLE;
    this.#smart = true;
    this.#errorLog = new Uint8Array(SECTOR);
    this.#medium.disk.reset();
  }

  save(): AtaDiskState {
    return {
      version: 1,
      writeCache: this.#writeCache,
      transferMode: this.#transferMode,
      multiple: this.#multiple,
      smart: this.#smart,
      errorLog: this.#errorLog.slice(),
      disk: this.#medium.disk.save(),
    };
  }

  restore(state: AtaDiskState): void {
    requireVersion1('SATA disk', state);
    this.#medium.disk.restore(state.disk);
    this.#writeCache = state.writeCache;
    this.#transferMode = state.transferMode;
    this.#multiple = state.multiple;
    this.#smart = state.smart;
    this.#errorLog = new Uint8Array(state.errorLog);
  }

  #settings(): DiskSettings {
    return {
      sectors: this.#sectors,
      multiple: this.#multiple,
      writeCache: this.#writeCache,
      transferMode: this.#transferMode,
    };
  }

  /** Undefined for a command that moves no sectors. */
  #extentOf(task: AtaTask): Extent | undefined {
    const { command, device, count, features, lba } = task;
    if (command === READ_QUEUED || command === WRITE_QUEUED) {
      const kind = command === READ_QUEUED ? 'read' : 'write';
      return this.#extent(kind, lba, features || 0x1_0000, (device & DEVICE_FUA) !== 0);
    }
    const transfer = TRANSFERS.get(command);
    if (transfer === undefined) return undefined;
    const { kind, wide, fua = false } = transfer;
    return wide
      ? this.#extent(kind, lba, count || 0x1_0000, fua)
      : this.#extent(kind, this.#narrow(task), count & 0xff || 0x100, fua);
  }

  /** 28 bits of LBA, or cylinder, head and sector from 1. */
  #narrow({ lba, device }: AtaTask): number {
    const [low, mid, high] = [lba % 256, Math.floor(lba / 2 ** 8) % 256, Math.floor(lba / 2 ** 16) % 256];
    const top = device & 0x0f;
    if ((device & DEVICE_LBA) !== 0) return top * 2 ** 24 + high * 2 ** 16 + mid * 2 ** 8 + low;
    const { heads, sectors } = geometryOf(this.#sectors);
    return ((high * 256 + mid) * heads + top) * sectors + low - 1;
  }

  #extent(kind: Extent['kind'], lba: number, sectors: number, fua: boolean): Extent {
    const there = lba >= 0 && lba + sectors <= this.#sectors;
    return { kind, at: lba * SECTOR, bytes: sectors * SECTOR, there, fua };
  }

  #transfer({ kind, at, bytes, there, fua }: Extent, data: AtaData): AtaOutcome {
    if (!there) return { status: ATA_BAD, error: ATA_ERROR_IDNF };
    const { disk } = this.#medium;
    if (kind === 'write' && disk.readonly) return ATA_ABORTED;
    const chunk = new Uint8Array(Math.min(CHUNK, bytes));
    for (let done = 0; done < bytes; done += chunk.length) {
      const piece = chunk.subarray(0, Math.min(chunk.length, bytes - done));
      if (kind === 'write') {
        if (!data.get(piece)) return ATA_ABORTED;
        if (!attempt(this.#medium, () => disk.write(at + done, piece))) return ATA_ABORTED;
      } else {
        if (!attempt(this.#medium, () => disk.read(at + done, piece)))
          return { status: ATA_BAD, error: ATA_ERROR_UNC };
        if (kind === 'read' && !data.put(piece)) return ATA_ABORTED;
      }
    }
    if (kind === 'verify') return ATA_READY;
    const through = kind === 'write' && (fua || !this.#writeCache);
    return !through || attempt(this.#medium, () => disk.flush()) ? ATA_DONE : ATA_ABORTED;
  }

  #setFeatures({ features, count }: AtaTask): AtaOutcome {
    switch (features & 0xff) {
      case 0x02:
        this.#writeCache = true;
        return ATA_DONE;
      case 0x82: {
        this.#writeCache = false;
        return attempt(this.#medium, () => this.#medium.disk.flush()) ? ATA_DONE : ATA_ABORTED;
      }
      case 0x03:
        if (!transferModeIsKnown(count & 0xff)) return ATA_ABORTED;
        this.#transferMode = count & 0xff;
        return ATA_DONE;
      case 0x55: // read look-ahead, power management, acoustics, reverting: accepted, as in QEMU
      case 0xaa:
      case 0x05:
      case 0x85:
      case 0x42:
      case 0xc2:
      case 0x66:
      case 0xcc:
        return ATA_DONE;
      default:
        return ATA_ABORTED;
    }
  }

  #setMultiple(count: number): AtaOutcome {
    if (count > MOST_MULTIPLE || (count & (count - 1)) !== 0) return ATA_ABORTED;
    this.#multiple = count;
    return ATA_DONE;
  }

  #smartCommand({ features, lba }: AtaTask, data: AtaData): AtaOutcome {
    const subcommand = features & 0xff;
    if (Math.floor(lba / 256) % 2 ** 16 !== SMART_PASSED >>> 8) return ATA_ABORTED;
    if (subcommand === 0xd8 || subcommand === 0xd9) {
      this.#smart = subcommand === 0xd8;
      return ATA_DONE;
    }
    if (!this.#smart) return ATA_ABORTED;
    switch (subcommand) {
      case 0xda: // RETURN STATUS: the registers stay as they are, all is well
      case 0xd2: // AUTOSAVE
        return ATA_DONE;
      case 0xd0: // READ DATA: no attributes
        data.put(withChecksum(Uint8Array.of(1)));
        return ATA_DONE;
      default:
        return ATA_ABORTED;
    }
  }

  #readLog({ lba, count }: AtaTask, data: AtaData): AtaOutcome {
    const address = lba % 256;
    if (count !== 1 || Math.floor(lba / 256) % 256 !== 0) return ATA_ABORTED;
    if (address === 0) {
      const directory = new Uint8Array(SECTOR);
      directory.set([1, 0]);
      directory[2 * LOG_NCQ_ERROR] = 1;
      data.put(directory);
      return ATA_DONE;
    }
    if (address !== LOG_NCQ_ERROR) return ATA_ABORTED;
    data.put(withChecksum(this.#errorLog));
    return ATA_DONE;
  }

  /** Ranges of 8 bytes: 48 bits of LBA, 16 of length; what is beyond the end is an error, the rest changes nothing. */
  #trim({ count }: AtaTask, data: AtaData): AtaOutcome {
    const sector = new Uint8Array(SECTOR);
    const view = new DataView(sector.buffer);
    for (let done = 0; done < (count === 0 ? 0x1_0000 : count); done++) {
      if (!data.get(sector)) return ATA_ABORTED;
      for (let at = 0; at < SECTOR; at += 8) {
        const lba = view.getUint32(at, true) + view.getUint16(at + 4, true) * 2 ** 32;
        if (lba + view.getUint16(at + 6, true) > this.#sectors)
          return { status: ATA_BAD, error: ATA_ERROR_ABRT | ATA_ERROR_IDNF };
      }
    }
    return ATA_DONE;
  }
}

/** A sector that begins with these bytes and whose bytes add up to 0. */
function withChecksum(bytes: Uint8Array): Uint8Array {
  const sector = new Uint8Array(SECTOR);
  sector.set(bytes.subarray(0, SECTOR - 1));
  sector[SECTOR - 1] = -sector.reduce((sum, byte) => sum + byte, 0);
  return sector;
}
