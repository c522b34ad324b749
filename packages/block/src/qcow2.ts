/**
 * A disk in a qcow2 file: sparse, over a backing image perhaps, clusters compressed perhaps.
 *
 * What is written goes into clusters of the file at once. That these are now the guest's is noted in memory, and
 * written in an order that a loss of power at any moment survives: counts and data, then second tables, then the
 * first, then the counts of what became free; each is on the disk before the next. So what is lost is what was written
 * after the last `flush`, and clusters may be counted that nobody uses (`qemu-img check` calls them leaked), never the
 * reverse.
 */
import { SmmError, UnmodelledError } from '@smm/x86-defs';
import type { ByteStore } from './byte-store.ts';
import { AUTOCLEAR_FIELD, type Qcow2Header, readHeader } from './qcow2-header.ts';
import { Qcow2Refcounts } from './qcow2-refcounts.ts';
import { type Cluster, Qcow2Tables } from './qcow2-tables.ts';

/** What an image is opened with. */
export interface Qcow2Options {
  /** It is only read: images that are marked as damaged can be. Default: as the file. */
  readonly readonly?: boolean;
  /** The image below, where the header names one. Only read. */
  readonly backing?: ByteStore;
  /**
   * Unpacks a raw deflate stream (RFC 1951) of at most `sizeBytes` bytes; what follows the stream is not of it. Left
   * out: compressed clusters throw `UnmodelledError` `IMAGE_FEATURE`.
   */
  readonly inflateRaw?: (packed: Uint8Array, sizeBytes: number) => Uint8Array;
}

/** Changed tables, and clusters taken, after which all is written without being asked. */
const MOST_DIRTY_TABLES = 8;
const MOST_TAKEN = 256;

/** The disk that the guest sees. */
export class Qcow2Image implements ByteStore {
  readonly sizeBytes: number;
  readonly readonly: boolean;
  /** What the header says. */
  readonly header: Qcow2Header;
  readonly #file: ByteStore;
  readonly #options: Qcow2Options;
  readonly #clusterBytes: number;
  readonly #tables: Qcow2Tables;
  readonly #refcounts: Qcow2Refcounts | undefined;
  /** Clusters to give back once no table in the file names them. */
  readonly #released: number[] = [];
  #taken = 0;
  #autoclear: boolean;
  /** The cluster unpacked last. */
  #unpacked: { readonly offset: number; readonly bytes: Uint8Array } | undefined;

  /** Throws what `readHeader` throws, and `SmmError` `IMAGE_BACKING` if the image below is missing. */
  constructor(file: ByteStore, options: Qcow2Options = {}) {
    this.#file = file;
    this.#options = options;
    this.readonly = file.readonly || options.readonly === true;
    const header = readHeader(file, !this.readonly);
    this.header = header;
    if (header.backing !== undefined && options.backing === undefined) {
      throw new SmmError(
        'IMAGE_BACKING',
        `the qcow2 image lies over ${header.backing.name}, which was not given`,
        'Give it as options.backing.',
        { ...header.backing },
      );
    }
    this.sizeBytes = header.sizeBytes;
    this.#clusterBytes = 2 ** header.clusterBits;
    this.#autoclear = header.autoclear;
    this.#tables = new Qcow2Tables(file, header);
    this.#refcounts = this.readonly ? undefined : new Qcow2Refcounts(file, header);
  }

  read(at: number, into: Uint8Array): void {
    const there = into.subarray(0, Math.max(0, Math.min(into.length, this.sizeBytes - at)));
    into.fill(0, there.length);
    this.#pieces(at, there, (cluster, within, piece) => this.#readPiece(cluster, within, piece));
  }

  write(at: number, bytes: Uint8Array): void {
    const refcounts = this.#refcounts;
    if (refcounts === undefined || at + bytes.length > this.sizeBytes) {
      throw new SmmError(
        'BLOCK_WRITE',
        refcounts === undefined
          ? 'the image is read-only'
          : `${bytes.length} bytes at ${at} are not within the ${this.sizeBytes} of the image`,
        'Write within an image that was opened to be written.',
        { at, length: bytes.length },
      );
    }
    if (this.#autoclear) this.#file.write(AUTOCLEAR_FIELD, new Uint8Array(8));
    this.#autoclear = false;
    this.#pieces(at, bytes, (cluster, within, piece) => this.#writePiece(refcounts, cluster, within, piece));
    if (this.#tables.dirtyTables > MOST_DIRTY_TABLES || this.#taken > MOST_TAKEN) this.#commit(refcounts);
  }

  flush(): void {
    if (this.#refcounts !== undefined) {
      this.#commit(this.#refcounts);
      this.#refcounts.writeDirty();
    }
    this.#file.flush();
  }

  #pieces(
    at: number,
    bytes: Uint8Array,
    each: (cluster: number, within: number, piece: Uint8Array) => void,
  ): void {
    for (let done = 0; done < bytes.length; ) {
      const within = (at + done) % this.#clusterBytes;
      const length = Math.min(this.#clusterBytes - within, bytes.length - done);
      each((at + done - within) / this.#clusterBytes, within, bytes.subarray(done, done + length));
      done += length;
    }
  }

  #readPiece(cluster: number, within: number, into: Uint8Array): void {
    const where = this.#tables.get(cluster);
    if (where.kind === 'data') this.#file.read(where.offset + within, into);
    else if (where.kind === 'compressed')
      into.set(this.#unpack(where).subarray(within, within + into.length));
    else if (where.kind === 'absent' && this.#options.backing !== undefined)
      this.#options.backing.read(cluster * this.#clusterBytes + within, into);
    else into.fill(0);
  }

  #writePiece(refcounts: Qcow2Refcounts, cluster: number, within: number, piece: Uint8Array): void {
    const where = this.#tables.get(cluster);
    if (where.kind === 'data' && where.own) {
      this.#file.write(where.offset + within, piece);
      return;
    }
    let whole = piece;
    if (piece.length < this.#clusterBytes) {
      whole = new Uint8Array(this.#clusterBytes);
      this.#readPiece(cluster, 0, whole);
      whole.set(piece, within);
    }
    const pool = {
      allocate: () => {
        this.#taken++;
        return refcounts.allocate();
      },
      release: (offset: number) => {
        this.#released.push(offset);
      },
    };
    const reusable = where.kind === 'zero' && where.own && where.offset !== 0;
    const offset = reusable ? where.offset : pool.allocate();
    this.#file.write(offset, whole);
    this.#tables.set(cluster, offset, pool);
    if (!reusable) for (const old of this.#clustersOf(where)) pool.release(old);
  }

  /** The clusters of the file that something takes. */
  *#clustersOf(where: Cluster): Generator<number> {
    if (where.kind === 'absent') return;
    if (where.kind !== 'compressed') {
      if (where.offset !== 0) yield where.offset;
      return;
    }
    const first = where.offset - (where.offset % this.#clusterBytes);
    for (let at = first; at < where.offset + where.sizeBytes; at += this.#clusterBytes) yield at;
  }

  /** Writes what is noted in memory, each thing after what it needs. */
  #commit(refcounts: Qcow2Refcounts): void {
    const tables = this.#tables;
    if (tables.dirtyTables === 0 && !tables.rootDirty && this.#released.length === 0) return;
    refcounts.writeDirty();
    this.#file.flush();
    tables.writeTables();
    if (tables.rootDirty) {
      this.#file.flush();
      tables.writeRoot();
    }
    this.#taken = 0;
    if (this.#released.length === 0) return;
    this.#file.flush();
    for (const offset of this.#released.splice(0)) refcounts.release(offset);
  }

  #unpack(where: Cluster & { kind: 'compressed' }): Uint8Array {
    const { offset, sizeBytes } = where;
    if (this.#unpacked?.offset === offset) return this.#unpacked.bytes;
    const { inflateRaw } = this.#options;
    if (inflateRaw === undefined) {
      throw new UnmodelledError(
        'IMAGE_FEATURE',
        'the qcow2 image has compressed clusters',
        'Give options.inflateRaw, or convert the image: qemu-img convert -O qcow2.',
      );
    }
    const packed = new Uint8Array(sizeBytes);
    this.#file.read(offset, packed);
    let bytes: Uint8Array;
    try {
      bytes = inflateRaw(packed, this.#clusterBytes);
    } catch (cause) {
      throw this.#damaged(offset, cause);
    }
    if (bytes.length !== this.#clusterBytes) throw this.#damaged(offset);
    this.#unpacked = { offset, bytes };
    return bytes;
  }

  #damaged(offset: number, cause?: unknown): SmmError {
    return new SmmError(
      'IMAGE_DAMAGED',
      `the compressed cluster at 0x${offset.toString(16)} of the qcow2 image cannot be unpacked`,
      'Check it with qemu-img check; a backup may help.',
      { offset },
      { cause },
    );
  }
}
