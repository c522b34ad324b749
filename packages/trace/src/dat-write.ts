/** Writes trace.dat version 6, which `trace-cmd report`, kernelshark and others read. */
import { SmmError } from '@smm/x86-defs';
import { ByteWriter } from './byte-writer.ts';
import { encodeRecord } from './c-layout.ts';
import {
  DELTA_LIMIT,
  ENTRY,
  eventFormat,
  HEADER_EVENT,
  HEADER_PAGE,
  MAGIC,
  OPTION,
  PAGE_HEADER_SIZE,
  PAGE_SIZE,
  VERSION,
} from './dat-format.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { EVENT_NAMES, EVENT_TABLE, fieldsOf, rawFromEvent } from './table.ts';
import { threadOf } from './text-format.ts';

/** How to write. */
export interface TraceDatOptions {
  /** Whose fields and print formats; `2015` if absent. */
  readonly form?: TraceForm;
  /** Number of host CPUs, at least those that the events name. */
  readonly cpus?: number;
}

const PAGE_DATA_SIZE = PAGE_SIZE - PAGE_HEADER_SIZE;
const SYSTEMS = ['kvm', 'smm'] as const;
const CLOCK = '[local]\n';
const FIELDS_OF_FORM = (form: TraceForm) =>
  new Map(EVENT_NAMES.map((name) => [name, fieldsOf(name, form)] as const));

/** One record with its common part. */
function recordOf(event: TraceEvent, form: TraceForm, fields: ReturnType<typeof FIELDS_OF_FORM>): Uint8Array {
  const record = encodeRecord(fields.get(event.name) ?? [], rawFromEvent(event, form));
  const view = new DataView(record.buffer);
  view.setUint16(0, EVENT_TABLE[event.name].id, true);
  view.setInt32(4, threadOf(event).pid, true);
  return record;
}

/** Pages of one CPU's events, which must be in order of time. */
function pagesOf(events: readonly TraceEvent[], form: TraceForm): Uint8Array[] {
  const fields = FIELDS_OF_FORM(form);
  const pages: Uint8Array[] = [];
  let data = new ByteWriter();
  let pageStart = 0;
  let previous = 0;
  const flush = (): void => {
    if (data.length === 0) return;
    const page = new ByteWriter();
    page.u64(pageStart);
    page.u64(data.length);
    page.bytes(data.finish());
    page.padTo(PAGE_SIZE);
    pages.push(page.finish());
    data = new ByteWriter();
  };
  for (const event of events) {
    const record = recordOf(event, form, fields);
    const long = record.length > 4 * ENTRY.LONGEST_SHORT;
    const entrySize = 4 + (long ? 4 : 0) + record.length;
    if (entrySize > PAGE_DATA_SIZE) {
      throw new SmmError(
        'TRACE_RECORD_TOO_LONG',
        `An event ${event.name} of ${record.length} bytes does not fit into a page of a trace.dat file.`,
        'Shorten its text, or write JSONL, which has no such limit.',
        { name: event.name, bytes: record.length, limit: PAGE_DATA_SIZE - 8 },
      );
    }
    const ts = Math.round(event.ts);
    let delta = data.length === 0 ? 0 : ts - previous;
    const extendSize = delta >= DELTA_LIMIT ? 8 : 0;
    if (data.length + extendSize + entrySize > PAGE_DATA_SIZE) {
      flush();
      delta = 0;
    }
    if (data.length === 0) pageStart = ts;
    if (delta >= DELTA_LIMIT) {
      data.u32((((delta % DELTA_LIMIT) * 32) >>> 0) + ENTRY.TIME_EXTEND);
      data.u32(Math.floor(delta / DELTA_LIMIT));
      delta = 0;
    }
    data.u32(delta * 32 + (long ? ENTRY.LONG : record.length / 4));
    if (long) data.u32(record.length + 4);
    data.bytes(record);
    previous = ts;
  }
  flush();
  return pages;
}

function sized(out: ByteWriter, text: string): void {
  const bytes = new TextEncoder().encode(text);
  out.u64(bytes.length);
  out.bytes(bytes);
}

/** Everything before the CPUs' data. */
function writeHead(out: ByteWriter, events: readonly TraceEvent[], form: TraceForm, cpus: number): void {
  out.bytes(MAGIC);
  out.text(`${VERSION}\0`);
  out.u8(0); // little-endian
  out.u8(8); // size of a long
  out.u32(PAGE_SIZE);
  out.text('header_page\0');
  sized(out, HEADER_PAGE);
  out.text('header_event\0');
  sized(out, HEADER_EVENT);
  out.u32(0); // no formats of ftrace's own events
  out.u32(SYSTEMS.length);
  for (const system of SYSTEMS) {
    const names = EVENT_NAMES.filter((name) => EVENT_TABLE[name].system === system);
    out.text(`${system}\0`);
    out.u32(names.length);
    for (const name of names) sized(out, eventFormat(name, form));
  }
  out.u32(0); // no kallsyms
  out.u32(0); // no printk formats
  const threads = new Map(events.map((event) => [threadOf(event).pid, threadOf(event).comm] as const));
  sized(out, [...threads].map(([pid, comm]) => `${pid} ${comm}\n`).join(''));
  out.u32(cpus);
  out.text('options  \0');
  out.u16(OPTION.TRACE_CLOCK);
  out.u32(CLOCK.length);
  out.text(CLOCK);
  out.u16(OPTION.END);
}

/**
 * A trace.dat file. Times are rounded to whole nanoseconds; events of one CPU are put into order of time.
 * @throws SmmError `TRACE_RECORD_TOO_LONG` for an event whose text exceeds a page.
 */
export function writeTraceDat(events: readonly TraceEvent[], options: TraceDatOptions = {}): Uint8Array {
  const form = options.form ?? '2015';
  const cpus = events.reduce((most, event) => Math.max(most, event.cpu + 1), options.cpus ?? 1);
  const ofCpu = Array.from({ length: cpus }, (): TraceEvent[] => []);
  for (const event of events) ofCpu[event.cpu]?.push(event);
  const byCpu = ofCpu.map((own) =>
    pagesOf(
      own.sort((a, b) => a.ts - b.ts),
      form,
    ),
  );
  const out = new ByteWriter();
  writeHead(out, events, form, cpus);
  out.text('flyrecord\0');
  let offset = Math.ceil((out.length + 16 * cpus) / PAGE_SIZE) * PAGE_SIZE;
  const first = offset;
  for (const pages of byCpu) {
    out.u64(offset);
    out.u64(pages.length * PAGE_SIZE);
    offset += pages.length * PAGE_SIZE;
  }
  out.padTo(first);
  for (const page of byCpu.flat()) out.bytes(page);
  return out.finish();
}
