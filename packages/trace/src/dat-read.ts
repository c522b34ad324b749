/** Reads trace.dat version 6: what this package writes, and what `trace-cmd record -e kvm` writes. */
import { SmmError, UnmodelledError } from '@smm/x86-defs';
import { type DeclaredField, decodeRecord } from './c-layout.ts';
import {
  COMMIT_FLAGS,
  COMMIT_LOST,
  DELTA_LIMIT,
  ENTRY,
  MAGIC,
  OPTION,
  PAGE_HEADER_SIZE,
  SECTION_WORD_SIZE,
  VERSION,
} from './dat-format.ts';
import type { TraceEvent, TraceEventName } from './events.ts';
import { NameCounter, type ReadCounts } from './read-counts.ts';
import { eventNameOf, membersFromRaw, saysEnough } from './table.ts';
import { inReportOrder } from './text-format.ts';
import { inferVcpus } from './vcpus.ts';

/** What a trace.dat file holds. */
export interface TraceDat {
  /** The events that this package knows, in order of time; equal times in order of the CPUs. */
  readonly events: TraceEvent[];
  /** Number of host CPUs. */
  readonly cpus: number;
  /** Records of other tracepoints. */
  readonly skipped: number;
  /** Pages before which the kernel lost events. */
  readonly pagesAfterLoss: number;
  /** What became of the records. */
  readonly counts: ReadCounts;
}

interface Format {
  /** The tracepoint. */
  readonly tracepoint: string;
  /** Our name of it; undefined for tracepoints without a row. */
  readonly name: TraceEventName | undefined;
  readonly fields: readonly DeclaredField[];
}

/** Reads a byte string from the front; running out of bytes is a truncated file. */
class Cursor {
  readonly #view: DataView;
  #at = 0;

  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(size: number): Uint8Array {
    const at = this.#at;
    if (size < 0 || at + size > this.bytes.length) throw truncated(at + size, this.bytes.length);
    this.#at += size;
    return this.bytes.subarray(at, at + size);
  }

  u8(): number {
    return this.take(1)[0] ?? 0;
  }

  u16(): number {
    this.take(2);
    return this.#view.getUint16(this.#at - 2, true);
  }

  u32(): number {
    this.take(4);
    return this.#view.getUint32(this.#at - 4, true);
  }

  u64(): number {
    this.take(8);
    return Number(this.#view.getBigUint64(this.#at - 8, true));
  }

  text(size: number): string {
    return new TextDecoder().decode(this.take(size));
  }

  /** Text up to a zero. */
  word(): string {
    const end = this.bytes.indexOf(0, this.#at);
    if (end < 0) throw truncated(this.bytes.length + 1, this.bytes.length);
    const text = this.text(end - this.#at);
    this.#at++;
    return text;
  }
}

function truncated(needed: number, length: number): SmmError {
  return new SmmError(
    'TRACE_TRUNCATED',
    `The trace.dat file ends at byte ${length}, but its content goes on to byte ${needed} at least.`,
    'Copy the whole file again, or record anew: the file was cut short.',
    { needed, length },
  );
}

function foreign(message: string): SmmError {
  return new SmmError(
    'TRACE_FOREIGN',
    message,
    'Give a trace.dat file of trace-cmd (version 6), recorded with `trace-cmd record -e kvm`.',
  );
}

/** Reads one format file; undefined if it is none. */
function parseFormat(text: string): [id: number, format: Format] | undefined {
  const tracepoint = /^name: (\S+)/m.exec(text)?.[1] ?? '';
  const name = eventNameOf(tracepoint);
  const id = Number(/^ID: (\d+)/m.exec(text)?.[1] ?? Number.NaN);
  if (Number.isNaN(id)) return undefined;
  if (!name) return [id, { tracepoint, name, fields: [] }];
  const fields: DeclaredField[] = [];
  const line = /field:([^;]*?)(\w+)(\[\d*\])?;\s*offset:(\d+);\s*size:(\d+);(?:\s*signed:(\d);)?/g;
  for (const [, type = '', fieldName = '', array, offset, size, signed] of text.matchAll(line)) {
    if (fieldName.startsWith('common_')) continue;
    const shape = type.includes('__data_loc') ? 'string' : array ? 'bytes' : 'integer';
    fields.push({
      name: fieldName,
      offset: Number(offset),
      size: Number(size),
      signed: signed === '1',
      shape,
    });
  }
  return [id, { tracepoint, name, fields }];
}

function readFormats(cursor: Cursor, count: number, into: Map<number, Format>): void {
  for (let i = 0; i < count; i++) {
    const parsed = parseFormat(cursor.text(cursor.u64()));
    if (parsed) into.set(parsed[0], parsed[1]);
  }
}

function readMagic(cursor: Cursor): void {
  const start = cursor.bytes.subarray(0, MAGIC.length);
  if (start.some((byte, i) => byte !== MAGIC[i])) {
    throw foreign('The file does not begin as a trace.dat file does.');
  }
  cursor.take(MAGIC.length);
  const version = cursor.word();
  if (version !== VERSION) {
    throw new UnmodelledError(
      'TRACE_DAT_VERSION',
      `The file is trace.dat version ${version}; this reader knows version ${VERSION}.`,
      'Convert it with `trace-cmd convert --file-version 6`, or give the text of `trace-cmd report`.',
      { version },
    );
  }
  if (cursor.u8() !== 0) {
    throw new UnmodelledError(
      'TRACE_DAT_BIG_ENDIAN',
      'The file was recorded on a big-endian machine.',
      'Give the text of `trace-cmd report` instead.',
    );
  }
}

/** Skips the options and checks that flight-recorder data follow. */
function readSections(cursor: Cursor): void {
  let word = cursor.text(SECTION_WORD_SIZE);
  if (word.startsWith('options')) {
    for (let id = cursor.u16(); id !== OPTION.END; id = cursor.u16()) cursor.take(cursor.u32());
    word = cursor.text(SECTION_WORD_SIZE);
  }
  if (!word.startsWith('flyrecord')) {
    throw new UnmodelledError(
      'TRACE_DAT_SECTION',
      `The file holds "${word.replace(/\0.*$/, '').trim()}" data, not per-CPU records.`,
      'Record with `trace-cmd record`, without a latency tracer.',
      { section: word },
    );
  }
}

interface Decoder {
  readonly formats: ReadonlyMap<number, Format>;
  readonly comms: ReadonlyMap<number, string>;
  readonly events: TraceEvent[];
  readonly tracepoints: NameCounter;
  readonly unread: NameCounter;
  records: number;
  pagesAfterLoss: number;
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

/** One ring-buffer page. Linux `include/linux/ring_buffer.h` and `kernel/trace/ring_buffer.c`. */
function decodePage(decoder: Decoder, page: Uint8Array, cpu: number, longSize: number): void {
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

/** True if the bytes begin as a trace.dat file of any version does. */
export function isTraceDat(bytes: Uint8Array): boolean {
  return bytes.length > 2 && MAGIC.every((byte, i) => i >= bytes.length || bytes[i] === byte);
}

/**
 * The events of a trace.dat file.
 * @throws SmmError `TRACE_FOREIGN` if it is no trace.dat file or holds no event that this package knows,
 * `TRACE_TRUNCATED` if it ends early.
 * @throws UnmodelledError `TRACE_DAT_VERSION`, `TRACE_DAT_BIG_ENDIAN`, `TRACE_DAT_SECTION`.
 */
export function readTraceDat(bytes: Uint8Array): TraceDat {
  const cursor = new Cursor(bytes);
  readMagic(cursor);
  const longSize = cursor.u8();
  const pageSize = cursor.u32();
  for (const word of ['header_page', 'header_event']) {
    if (cursor.word() !== word) throw foreign(`The file has no ${word} where trace.dat has one.`);
    cursor.take(cursor.u64());
  }
  const formats = new Map<number, Format>();
  readFormats(cursor, cursor.u32(), formats);
  const systems = cursor.u32();
  for (let i = 0; i < systems; i++) {
    cursor.word();
    readFormats(cursor, cursor.u32(), formats);
  }
  cursor.take(cursor.u32()); // kallsyms
  cursor.take(cursor.u32()); // printk formats
  const comms = new Map<number, string>();
  for (const line of cursor.text(cursor.u64()).split('\n')) {
    const match = /^(\d+) (.*)$/.exec(line);
    if (match) comms.set(Number(match[1]), match[2] ?? '');
  }
  const cpus = cursor.u32();
  readSections(cursor);
  const decoder: Decoder = {
    formats,
    comms,
    events: [],
    tracepoints: new NameCounter(),
    unread: new NameCounter(),
    records: 0,
    pagesAfterLoss: 0,
  };
  for (let cpu = 0; cpu < cpus; cpu++) {
    const offset = cursor.u64();
    const size = cursor.u64();
    if (offset + size > bytes.length) throw truncated(offset + size, bytes.length);
    for (let at = 0; at + pageSize <= size; at += pageSize) {
      decodePage(decoder, bytes.subarray(offset + at, offset + at + pageSize), cpu, longSize);
    }
  }
  if (decoder.events.length === 0) {
    throw foreign(
      `The file holds no KVM and no machine event (${decoder.records} records of other tracepoints).`,
    );
  }
  const events = inReportOrder(decoder.events);
  const skipped = decoder.tracepoints.total;
  return {
    events: inferVcpus(events),
    cpus,
    skipped,
    pagesAfterLoss: decoder.pagesAfterLoss,
    counts: {
      unit: 'record',
      lines: decoder.records,
      events: events.length,
      continued: 0,
      notUnderstood: decoder.unread.total,
      passedOver: skipped,
      unread: decoder.unread.list,
      tracepoints: decoder.tracepoints.list,
      lost: decoder.pagesAfterLoss,
    },
  };
}
