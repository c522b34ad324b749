/** The parts of a trace.dat file that both versions have. */
import { ByteWriter } from './byte-writer.ts';
import { eventFormat, HEADER_EVENT, HEADER_PAGE } from './dat-format.ts';
import type { Layout } from './dat-write-pages.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { EVENT_NAMES, EVENT_TABLE } from './table.ts';
import { threadOf } from './text-format.ts';

const SYSTEMS = ['kvm', 'smm'] as const;

/** Content of the kernel's `trace_clock`. */
export const CLOCK = '[local]\n';

function sized(out: ByteWriter, text: string): void {
  const bytes = new TextEncoder().encode(text);
  out.u64(bytes.length);
  out.bytes(bytes);
}

/** Layouts of pages and entries. */
export function headerInfo(): Uint8Array {
  const out = new ByteWriter();
  out.text('header_page\0');
  sized(out, HEADER_PAGE);
  out.text('header_event\0');
  sized(out, HEADER_EVENT);
  return out.finish();
}

/** Formats of all events, system by system. */
export function eventFormats(form: TraceForm, layout: Layout): Uint8Array {
  const out = new ByteWriter();
  out.u32(SYSTEMS.length);
  for (const system of SYSTEMS) {
    const names = EVENT_NAMES.filter((name) => EVENT_TABLE[name].system === system);
    out.text(`${system}\0`);
    out.u32(names.length);
    for (const name of names) sized(out, eventFormat(name, form, layout.get(name) ?? []));
  }
  return out.finish();
}

/** Names of threads by their ids. */
export function commandLines(events: readonly TraceEvent[]): Uint8Array {
  const out = new ByteWriter();
  const threads = new Map(events.map((event) => [threadOf(event).pid, threadOf(event).comm] as const));
  sized(out, [...threads].map(([pid, comm]) => `${pid} ${comm}\n`).join(''));
  return out.finish();
}
