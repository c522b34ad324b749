/** The ring-buffer pages in a trace.dat file. Linux `include/linux/ring_buffer.h`, `kernel/trace/ring_buffer.c`. */
import { decodeRecord } from './c-layout.ts';
import { truncated } from './dat-cursor.ts';
import { COMMIT_FLAGS, COMMIT_LOST, DELTA_LIMIT, ENTRY, PAGE_HEADER_SIZE } from './dat-format.ts';
import type { Format } from './dat-formats.ts';
import type { TraceEvent } from './events.ts';
import { NameCounter } from './read-counts.ts';
import { membersFromRaw, saysEnough } from './table.ts';

/** What the records of a file are decoded with and into. */
export interface Decoder {
  readonly formats: ReadonlyMap<number, Format>;
  readonly comms: ReadonlyMap<number, string>;
  readonly events: TraceEvent[];
  readonly tracepoints: NameCounter;
  readonly unread: NameCounter;
  records: number;
  pagesAfterLoss: number;
}

/** A decoder without records. */
export function newDecoder(
  formats: ReadonlyMap<number, Format>,
  comms: ReadonlyMap<number, string>,
): Decoder {
  return {
    formats,
    comms,
    events: [],
    tracepoints: new NameCounter(),
    unread: new NameCounter(),
    records: 0,
    pagesAfterLoss: 0,
  };
}

function decodePayload(decoder: Decoder, payload: Uint8Array, cpu: number, ts: number): void {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const id = payload.length >= 8 ? view.getUint16(0, true) : undefined;
  const format = id === undefined ? undefined : decoder.formats.get(id);
  decoder.records++;
  const where = `CPU ${cpu} at ${(ts / 1e9).toFixed(6)}`;
  if (!format?.name) {
    decoder.tracepoints.add(
      format?.tracepoint ?? `event ${id ?? 'without a number'}`,
      decoder.records,
      where,
    );
    return;
  }
  const raw = decodeRecord(format.fields, payload);
  if (!saysEnough(format.name, raw)) {
    decoder.unread.add(format.tracepoint, decoder.records, where);
    return;
  }
  const pid = view.getInt32(4, true);
  const comm = decoder.comms.get(pid);
  decoder.events.push({
    name: format.name,
    ts,
    cpu,
    pid,
    ...(comm !== undefined && { comm }),
    ...membersFromRaw(format.name, raw),
  } as TraceEvent);
}

/** Decodes one page. */
export function decodePage(decoder: Decoder, page: Uint8Array, cpu: number, longSize: number): void {
  const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
  const commit = view.getUint32(8, true);
  if (commit & COMMIT_LOST) decoder.pagesAfterLoss++;
  const start = PAGE_HEADER_SIZE - 8 + longSize;
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
      decodePayload(decoder, page.subarray(at, at + stored), cpu, ts);
      at += Math.ceil(stored / 4) * 4;
    }
  }
}
