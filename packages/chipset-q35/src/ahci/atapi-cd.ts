/**
 * A SATA CD drive with a disc in it, read by command packets.
 * Sources: INCITS MMC-6, "Commands"; SPC-4, "Sense data"; ATA8-ACS, "PACKET feature set".
 */
import { attempt, type Medium } from '../block-device.ts';
import type { PartState } from '../part.ts';
import { requireVersion1 } from '../snapshot.ts';
import {
  ATA_ABORTED,
  ATA_BAD,
  ATA_DONE,
  ATA_ERROR_ABRT,
  ATA_GOOD,
  type AtaData,
  type AtaDevice,
  type AtaOutcome,
  type AtaTask,
  wordBytes,
} from './ata-device.ts';
import { DEFAULT_TRANSFER_MODE, type DriveIdentity, identifyCd } from './ata-identify.ts';
import { powerCommand, transferModeIsKnown } from './ata-settings.ts';
import { discInformation, getConfiguration, inquiry, modePages, tableOfContents } from './cd-answers.ts';

/** Bytes of a sector. */
const SECTOR = 2048;
const SECTORS_AT_ONCE = 32;
/** Sectors of one command: what READ (10) can ask for. READ (12) could ask for more, and does nowhere. */
const MOST_SECTORS = 0xffff;
const SIGNATURE_LBA = 0xeb14_01;
/** Interrupt reason, in the count register: the command is over. */
const REASON_OVER = 3;

/** What went wrong, as REQUEST SENSE tells it: key, code, qualifier. */
type Sense = readonly [key: number, code: number, qualifier: number];
const NO_SENSE: Sense = [0, 0, 0];
const NOT_READY_NO_MEDIUM: Sense = [2, 0x3a, 0];
const MEDIUM_ERROR: Sense = [3, 0x11, 0];
const INVALID_COMMAND: Sense = [5, 0x20, 0];
const OUT_OF_RANGE: Sense = [5, 0x21, 0];
const INVALID_FIELD: Sense = [5, 0x24, 0];

interface AtapiCdState extends PartState {
  version: 1;
  transferMode: number;
  sense: number[];
  ejected: boolean;
  disk: PartState;
}

/** The drive. */
export class AtapiCd implements AtaDevice {
  readonly signature = 0xeb14_0101;
  readonly queues = false;
  readonly #medium: Medium;
  readonly #identity: DriveIdentity;
  #transferMode = DEFAULT_TRANSFER_MODE;
  #sense: Sense = NO_SENSE;
  /** The tray is out. */
  #ejected = false;

  constructor(medium: Medium, identity: DriveIdentity) {
    this.#medium = medium;
    this.#identity = identity;
  }

  bytesOf({ command, packet }: AtaTask): number {
    return command === 0xa0 ? Math.min(extentOf(packet)?.count ?? 0, MOST_SECTORS) * SECTOR : 0;
  }

  pioBlock({ command, features, lba }: AtaTask): number {
    if (command === 0xa1) return 512;
    // The byte count limit is in the registers of LBA mid and high; 0 stands for the most.
    return command === 0xa0 && (features & 1) === 0 ? Math.floor(lba / 256) & 0xfffe || 0xfffe : 0;
  }

  execute(task: AtaTask, data: AtaData): AtaOutcome {
    switch (task.command) {
      case 0xa0:
        return this.#packet(task.packet, data);
      case 0xa1: // IDENTIFY PACKET DEVICE
        data.put(wordBytes(identifyCd(this.#identity, this.#transferMode)));
        return ATA_DONE;
      case 0xef: // SET FEATURES
        if ((task.features & 0xff) !== 3 || !transferModeIsKnown(task.count & 0xff)) return ATA_ABORTED;
        this.#transferMode = task.count & 0xff;
        return ATA_DONE;
      case 0x08: // DEVICE RESET
        return { status: 0, error: 1, count: 1, lba: SIGNATURE_LBA };
      case 0x90: // EXECUTE DEVICE DIAGNOSTIC
        return { status: ATA_GOOD, error: 1, count: 1, lba: SIGNATURE_LBA };
      case 0xec: // IDENTIFY DEVICE: aborted, with the signature
      case 0x20:
        return { ...ATA_ABORTED, count: 1, lba: SIGNATURE_LBA };
      default:
        return powerCommand(task.command) ?? ATA_ABORTED;
    }
  }

  noteQueuedError(): void {}

  reset(kind: 'port' | 'power-on'): void {
    this.#sense = NO_SENSE;
    if (kind === 'port') return;
    this.#transferMode = DEFAULT_TRANSFER_MODE;
    this.#ejected = false;
    this.#medium.disk.reset();
  }

  save(): AtapiCdState {
    return {
      version: 1,
      transferMode: this.#transferMode,
      sense: [...this.#sense],
      ejected: this.#ejected,
      disk: this.#medium.disk.save(),
    };
  }

  restore(state: AtapiCdState): void {
    requireVersion1('SATA CD drive', state);
    this.#medium.disk.restore(state.disk);
    this.#transferMode = state.transferMode;
    const [key = 0, code = 0, qualifier = 0] = state.sense;
    this.#sense = [key, code, qualifier];
    this.#ejected = state.ejected;
  }

  get #sectors(): number {
    return Math.floor(this.#medium.disk.sizeBytes / SECTOR);
  }

  #packet(packet: Uint8Array, data: AtaData): AtaOutcome {
    const sense = this.#carryOut(packet, data);
    this.#sense = sense;
    if (sense === NO_SENSE) return { ...ATA_DONE, count: REASON_OVER };
    return { status: ATA_BAD, error: (sense[0] << 4) | ATA_ERROR_ABRT, count: REASON_OVER };
  }

  #carryOut(packet: Uint8Array, data: AtaData): Sense {
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    const present = !this.#ejected;
    const answer = (bytes: Uint8Array, room: number): Sense => {
      data.put(bytes.subarray(0, room));
      return NO_SENSE;
    };
    switch (packet[0]) {
      case 0x00: // TEST UNIT READY
        return present ? NO_SENSE : NOT_READY_NO_MEDIUM;
      case 0x03: {
        const [key, code, qualifier] = this.#sense;
        const bytes = new Uint8Array(18);
        bytes.set([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, qualifier]);
        return answer(bytes, packet[4]!);
      }
      case 0x12:
        return (packet[1]! & 1) === 0 ? answer(inquiry(this.#identity), packet[4]!) : INVALID_FIELD;
      case 0x1b: // START STOP UNIT: with LOEJ, the tray
        if ((packet[4]! & 2) !== 0) this.#ejected = (packet[4]! & 1) === 0;
        return NO_SENSE;
      case 0x1e: // PREVENT ALLOW MEDIUM REMOVAL
      case 0xbb: // SET CD SPEED
        return NO_SENSE;
      case 0x4a: // GET EVENT STATUS NOTIFICATION: polled, media
        if ((packet[1]! & 1) === 0) return INVALID_FIELD;
        return answer(Uint8Array.of(0, 4, 4, 0x10, 0, present ? 2 : 1, 0, 0), view.getUint16(7));
      case 0x5a: // MODE SENSE (10)
      case 0x1a: {
        const wide = packet[0] === 0x5a;
        const pages = modePages(packet[2]! & 0x3f, wide);
        return pages === undefined ? INVALID_FIELD : answer(pages, wide ? view.getUint16(7) : packet[4]!);
      }
      case 0x46:
        return answer(getConfiguration(present, this.#sectors), view.getUint16(7));
    }
    if (!present) return isKnown(packet[0]!) ? NOT_READY_NO_MEDIUM : INVALID_COMMAND;
    return this.#withDisc(packet, view, data, answer);
  }

  #withDisc(
    packet: Uint8Array,
    view: DataView,
    data: AtaData,
    answer: (bytes: Uint8Array, room: number) => Sense,
  ): Sense {
    const extent = extentOf(packet);
    if (extent !== undefined) return this.#read(extent, data);
    switch (packet[0]) {
      case 0x25: {
        const bytes = new Uint8Array(8);
        new DataView(bytes.buffer).setUint32(0, this.#sectors - 1);
        new DataView(bytes.buffer).setUint32(4, SECTOR);
        return answer(bytes, 8);
      }
      case 0x2b: // SEEK
        return view.getUint32(2) < this.#sectors ? NO_SENSE : OUT_OF_RANGE;
      case 0x43: {
        const format = packet[2]! & 0x0f || packet[9]! >>> 6;
        const toc = tableOfContents(format, (packet[1]! & 2) !== 0, packet[6]!, this.#sectors);
        return toc === undefined ? INVALID_FIELD : answer(toc, view.getUint16(7));
      }
      case 0x51:
        return answer(discInformation(), view.getUint16(7));
      default:
        return INVALID_COMMAND;
    }
  }

  #read({ lba, count }: Extent, data: AtaData): Sense {
    if (count > MOST_SECTORS) return INVALID_FIELD;
    if (lba + count > this.#sectors) return OUT_OF_RANGE;
    const chunk = new Uint8Array(SECTOR * Math.min(count, SECTORS_AT_ONCE));
    for (let done = 0; done < count; done += SECTORS_AT_ONCE) {
      const piece = chunk.subarray(0, SECTOR * Math.min(SECTORS_AT_ONCE, count - done));
      if (!attempt(this.#medium, () => this.#medium.disk.read((lba + done) * SECTOR, piece)))
        return MEDIUM_ERROR;
      if (!data.put(piece)) return NO_SENSE; // the port knows
    }
    return NO_SENSE;
  }
}

interface Extent {
  readonly lba: number;
  readonly count: number;
}

/** The sectors that a packet reads: READ (10), READ (12), and READ CD where it wants user data alone. */
function extentOf(packet: Uint8Array): Extent | undefined {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  const lba = view.getUint32(2);
  switch (packet[0]) {
    case 0x28:
      return { lba, count: view.getUint16(7) };
    case 0xa8:
      return { lba, count: view.getUint32(6) };
    case 0xbe: {
      const count = view.getUint32(5) & 0xff_ffff;
      return (packet[9]! & 0xf8) === 0x10 ? { lba, count } : undefined;
    }
    default:
      return undefined;
  }
}

/** Commands that need a disc. */
function isKnown(command: number): boolean {
  return [0x25, 0x28, 0x2b, 0x43, 0x51, 0xa8, 0xbe].includes(command);
}
