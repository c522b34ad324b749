/**
 * A virtio disk. Source: Virtual I/O Device (VIRTIO) 1.2, "Block Device".
 *
 * Not modelled: discards, zeroing, zones, several queues.
 */
import type { Clock } from '@smm/bus';
import { attempt, type Medium } from '../block-device.ts';
import type { PartState, ResetKind } from '../part.ts';
import { VirtioPci, type VirtioState } from './virtio-pci.ts';
import { type Chain, lengthOf, movePieces, type Piece, QueueFault, within } from './virtqueue.ts';

const SECTOR = 512;
const HEADER = 16;
const QUEUE_SIZE = 256;
/** Bytes that a request may move; longer ones fail. */
const LONGEST_REQUEST = 2 ** 26;
const CHUNK = 0x1_0000;
const ID_BYTES = 20;

const FEATURE = { SEG_MAX: 2, RO: 5, BLK_SIZE: 6, FLUSH: 9, CONFIG_WCE: 11 } as const;
const TYPE = { IN: 0, OUT: 1, FLUSH: 4, GET_ID: 8 } as const;
const STATUS = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;
/** Offset of the write-back byte in the configuration. */
const WRITEBACK = 32;

/** What a {@link VirtioBlk} is given. */
export interface VirtioBlkOptions extends Medium {
  /** PCI device number, 1 to 30. */
  readonly slot: number;
  /** Virtual time. */
  readonly clock: Clock;
  /** Serial number, at most 20 characters. Default empty. */
  readonly serial?: string;
}

/** Architectural state. */
export interface VirtioBlkState extends VirtioState {
  /** Writes may stay in the cache. */
  writeBack: boolean;
  /** The medium's. */
  disk: PartState;
}

/** OpenFirmware path of the disk in a PCI slot, as `bootorder` names it. */
export function virtioBlkPath(slot: number): string {
  return `/pci@i0cf8/scsi@${slot.toString(16)}/disk@0,0`;
}

/** The disk. */
export class VirtioBlk extends VirtioPci {
  readonly #medium: Medium;
  readonly #serial: string;
  readonly #sectors: number;
  #writeBack = true;

  constructor(options: VirtioBlkOptions) {
    const { slot, clock, disk, failed, serial = '' } = options;
    const bits: number[] = [FEATURE.SEG_MAX, FEATURE.BLK_SIZE, FEATURE.FLUSH, FEATURE.CONFIG_WCE];
    if (disk.readonly) bits.push(FEATURE.RO);
    super({
      ...{
        name: `virtio-blk-${slot}`,
        slot,
        type: 2,
        classCode: 0x01_0000,
        queues: 1,
        queueSize: QUEUE_SIZE,
      },
      ...{ features: bits.reduce((sum, bit) => sum + 2 ** bit, 0), clock },
    });
    this.#medium = { disk, failed };
    this.#serial = serial;
    this.#sectors = Math.floor(disk.sizeBytes / SECTOR);
  }

  /** At power-on its disk, too, is what it began as. */
  override reset(kind: ResetKind): void {
    super.reset(kind);
    this.#writeBack = true;
    if (kind === 'power-on') this.#medium.disk.reset();
  }

  /** Device and disk. */
  override save(): VirtioBlkState {
    return { ...super.save(), writeBack: this.#writeBack, disk: this.#medium.disk.save() };
  }

  /** Puts device and disk back. */
  override restore(state: VirtioBlkState): void {
    this.#medium.disk.restore(state.disk);
    this.#writeBack = state.writeBack;
    super.restore(state);
  }

  protected override configuration(): Uint8Array {
    const bytes = new Uint8Array(60);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#sectors % 2 ** 32, true);
    view.setUint32(4, Math.floor(this.#sectors / 2 ** 32), true);
    view.setUint32(12, QUEUE_SIZE - 2, true);
    view.setUint32(20, SECTOR, true);
    bytes[WRITEBACK] = this.#writeBack ? 1 : 0;
    view.setUint16(34, 1, true);
    return bytes;
  }

  protected override configured(offset: number, value: number): void {
    if (offset === WRITEBACK && this.accepted(FEATURE.CONFIG_WCE)) this.#writeBack = value !== 0;
  }

  protected override carryOut(_queue: number, { readable, writable }: Chain): number {
    const room = lengthOf(writable) - 1;
    if (lengthOf(readable) < HEADER || room < 0) throw new QueueFault('a request has no header or no status');
    const header = new Uint8Array(HEADER);
    this.#move(within(readable, 0, HEADER), header, this.dma.read);
    const view = new DataView(header.buffer);
    const sector = view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32;
    const source = within(readable, HEADER, lengthOf(readable) - HEADER);
    const target = within(writable, 0, room);
    const [status, written] = this.#request(view.getUint32(0, true), sector, source, target);
    this.#move(within(writable, room, 1), Uint8Array.of(status), this.dma.write);
    return written + 1;
  }

  /** Status, and bytes written to the target. */
  #request(
    type: number,
    sector: number,
    source: readonly Piece[],
    target: readonly Piece[],
  ): [number, number] {
    const { disk } = this.#medium;
    switch (type) {
      case TYPE.IN: {
        const bytes = lengthOf(target);
        const ok = this.#each(sector, bytes, (at, piece, from) => {
          if (!attempt(this.#medium, () => disk.read(at, piece))) return false;
          return this.#move(within(target, from, piece.length), piece, this.dma.write);
        });
        return ok ? [STATUS.OK, bytes] : [STATUS.IOERR, 0];
      }
      case TYPE.OUT: {
        const ok =
          !disk.readonly &&
          this.#each(sector, lengthOf(source), (at, piece, from) => {
            this.#move(within(source, from, piece.length), piece, this.dma.read);
            return attempt(this.#medium, () => disk.write(at, piece));
          });
        const cached = this.accepted(FEATURE.FLUSH) && this.#writeBack;
        return [ok && (cached || this.#flush()) ? STATUS.OK : STATUS.IOERR, 0];
      }
      case TYPE.FLUSH:
        return [this.#flush() ? STATUS.OK : STATUS.IOERR, 0];
      case TYPE.GET_ID: {
        const id = new Uint8Array(Math.min(ID_BYTES, lengthOf(target)));
        id.set(new TextEncoder().encode(this.#serial).subarray(0, id.length));
        this.#move(target, id, this.dma.write);
        return [STATUS.OK, id.length];
      }
      default:
        return [STATUS.UNSUPP, 0];
    }
  }

  #flush(): boolean {
    return attempt(this.#medium, () => this.#medium.disk.flush());
  }

  /** Goes through whole sectors that are there, in chunks; `from` is the byte of the request. */
  #each(
    sector: number,
    bytes: number,
    each: (at: number, piece: Uint8Array, from: number) => boolean,
  ): boolean {
    const there =
      bytes % SECTOR === 0 && bytes <= LONGEST_REQUEST && sector + bytes / SECTOR <= this.#sectors;
    if (!there) return false;
    const chunk = new Uint8Array(Math.min(CHUNK, bytes));
    for (let done = 0; done < bytes; done += chunk.length) {
      const piece = chunk.subarray(0, Math.min(chunk.length, bytes - done));
      if (!each(sector * SECTOR + done, piece, done)) return false;
    }
    return true;
  }

  #move(
    pieces: readonly Piece[],
    bytes: Uint8Array,
    way: (gpa: number, part: Uint8Array) => boolean,
  ): boolean {
    if (!movePieces(pieces, bytes, way)) throw new QueueFault('the device may not master the bus');
    return true;
  }
}
