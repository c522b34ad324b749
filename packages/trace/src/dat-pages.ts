/** The ring-buffer pages in a trace.dat file. Linux `include/linux/ring_buffer.h`, `kernel/trace/ring_buffer.c`. */
import { truncated } from './dat-cursor.ts';
import { COMMIT_FLAGS, COMMIT_LOST, DELTA_LIMIT, ENTRY, PAGE_HEADER_SIZE } from './dat-format.ts';
import type { Format } from './dat-formats.ts';
import { type RecordReader, recordReader } from './dat-records.ts';
import type { TraceEvent } from './events.ts';

/** A record that is no event. */
export class OtherRecord {
  /** Nanoseconds. */
  readonly ts: number;
  /** Host CPU. */
  readonly cpu: number;
  /** Its tracepoint. */
  readonly tracepoint: string;
  /** The tracepoint has a row, but the record does not tell enough. */
  readonly unread: boolean;

  constructor(ts: number, cpu: number, tracepoint: string, unread: boolean) {
    this.ts = ts;
    this.cpu = cpu;
    this.tracepoint = tracepoint;
    this.unread = unread;
  }
}

/** What a record is. */
export type Decoded = TraceEvent | OtherRecord;

/** Decodes pages. */
export class PageDecoder {
  /** Pages before which the kernel lost events, so far. */
  pagesAfterLoss = 0;

  readonly #formats: ReadonlyMap<number, Format>;
  readonly #comms: ReadonlyMap<number, string>;
  readonly #longSize: number;
  readonly #readers = new Map<number, RecordReader>();

  /** `longSize`: size of a `long` in bytes, that of the length in a page. */
  constructor(formats: ReadonlyMap<number, Format>, comms: ReadonlyMap<number, string>, longSize: number) {
    this.#formats = formats;
    this.#comms = comms;
    this.#longSize = longSize;
    for (const [id, format] of formats) {
      if (format.name !== undefined) this.#readers.set(id, recordReader(format.name, format));
    }
  }

  /** Adds the records of one page, in order. */
  decode(page: Uint8Array, cpu: number, into: Decoded[]): void {
    const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
    const commit = view.getUint32(8, true);
    if (commit & COMMIT_LOST) this.pagesAfterLoss++;
    const start = PAGE_HEADER_SIZE - 8 + this.#longSize;
    const end = start + ((commit & ~COMMIT_FLAGS) >>> 0);
    if (end > page.length) throw truncated(end, page.length);
    let ts = Number(view.getBigUint64(0, true));
    let at = start;
    while (at + 4 <= end) {
      const word = view.getUint32(at, true);
      const type = word & 31;
      const delta = word >>> 5;
      at += 4;
      if (type === ENTRY.PADDING) {
        if (delta === 0) return;
        ts += delta;
        at += at + 4 <= end ? view.getUint32(at, true) : 4;
      } else if (type === ENTRY.TIME_EXTEND || type === ENTRY.TIME_STAMP) {
        const value = delta + view.getUint32(at, true) * DELTA_LIMIT;
        ts = type === ENTRY.TIME_EXTEND ? ts + value : value;
        at += 4;
      } else {
        const stored = type === ENTRY.LONG ? view.getUint32(at, true) - 4 : 4 * type;
        if (type === ENTRY.LONG) at += 4;
        if (stored < 0 || at + stored > end) throw truncated(at + stored, end);
        ts += delta;
        into.push(this.#record(page.subarray(at, at + stored), cpu, ts));
        at += Math.ceil(stored / 4) * 4;
      }
    }
  }

  #record(record: Uint8Array, cpu: number, ts: number): Decoded {
    const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
    const id = record.length >= 8 ? view.getUint16(0, true) : undefined;
    const format = id === undefined ? undefined : this.#formats.get(id);
    if (id === undefined || format?.name === undefined) {
      return new OtherRecord(ts, cpu, format?.tracepoint ?? `event ${id ?? 'without a number'}`, false);
    }
    const members = this.#readers.get(id)?.(record, view);
    if (!members) return new OtherRecord(ts, cpu, format.tracepoint, true);
    const pid = view.getInt32(4, true);
    const comm = this.#comms.get(pid);
    members['name'] = format.name;
    members['ts'] = ts;
    members['cpu'] = cpu;
    members['pid'] = pid;
    if (comm !== undefined) members['comm'] = comm;
    return members as unknown as TraceEvent;
  }
}
