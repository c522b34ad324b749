/** Writes the ring-buffer pages of a trace.dat file. */
import { SmmError } from '@smm/x86-defs';
import { ByteWriter } from './byte-writer.ts';
import { encodeRecord, type PlacedField } from './c-layout.ts';
import { DELTA_LIMIT, ENTRY, PAGE_HEADER_SIZE, PAGE_SIZE } from './dat-format.ts';
import { MOST_CPUS, type TraceEvent, type TraceEventName, type TraceForm } from './events.ts';
import { carriesExtra, EVENT_NAMES, EVENT_TABLE, fieldsOf, rawFromEvent } from './table.ts';
import { threadOf } from './text-format.ts';

const PAGE_DATA_SIZE = PAGE_SIZE - PAGE_HEADER_SIZE;

/** Fields of every event's record in one file. */
export type Layout = ReadonlyMap<TraceEventName, readonly PlacedField[]>;

/** Layout of a file in a form; a record that may have more fields has them if an event carries them. */
export function layoutOf(form: TraceForm, events: readonly TraceEvent[]): Layout {
  return new Map(
    EVENT_NAMES.map((name) => [name, fieldsOf(name, form, carriesExtra(name, form, events))] as const),
  );
}

/** One record with its common part. */
function recordOf(event: TraceEvent, form: TraceForm, fields: Layout): Uint8Array {
  const record = encodeRecord(fields.get(event.name) ?? [], rawFromEvent(event, form));
  const view = new DataView(record.buffer);
  view.setUint16(0, EVENT_TABLE[event.name].id, true);
  view.setInt32(4, threadOf(event).pid, true);
  return record;
}

/** Pages of one CPU's events, which must be in order of time. */
function pagesOf(events: readonly TraceEvent[], form: TraceForm, fields: Layout): Uint8Array[] {
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

/**
 * Pages of every CPU in order. Times are rounded to whole nanoseconds; events of one CPU are put into order of time.
 * @throws SmmError `TRACE_RECORD_TOO_LONG`, and `TRACE_CPU` for a CPU number that no kernel has.
 */
export function pagesByCpu(
  events: readonly TraceEvent[],
  form: TraceForm,
  layout: Layout,
  atLeast: number,
): Uint8Array[][] {
  const cpus = events.reduce((most, event) => Math.max(most, event.cpu + 1), atLeast);
  if (!Number.isInteger(cpus) || cpus > MOST_CPUS) {
    throw new SmmError(
      'TRACE_CPU',
      `A trace.dat file of ${cpus} host CPUs cannot be written.`,
      `Number the host CPUs from 0 to at most ${MOST_CPUS - 1}.`,
      { cpus },
    );
  }
  const ofCpu = Array.from({ length: cpus }, (): TraceEvent[] => []);
  for (const event of events) ofCpu[event.cpu]?.push(event);
  return ofCpu.map((own) =>
    pagesOf(
      own.sort((a, b) => a.ts - b.ts),
      form,
      layout,
    ),
  );
}
