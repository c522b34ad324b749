/** Writes trace.dat, which `trace-cmd report`, kernelshark and others read: version 6, or 7 as trace-cmd 3 does. */

import { checkOptions, isObject, isOneOf, isWhole, maybe } from '@smm/x86-defs';
import { ByteWriter } from './byte-writer.ts';
import type { TraceCodec } from './dat-codec.ts';
import { MAGIC, OPTION, PAGE_SIZE, VERSION, VERSION_7 } from './dat-format.ts';
import { layoutOf, pagesByCpu } from './dat-write-pages.ts';
import { CLOCK, commandLines, eventFormats, headerInfo } from './dat-write-parts.ts';
import { writeSections } from './dat-write-v7.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { MOST_CPUS, TRACE_FORMS } from './events.ts';

/** How to write. */
export interface TraceDatOptions {
  /** Whose fields and print formats; `2015` if absent. */
  readonly form?: TraceForm;
  /** Number of host CPUs, at least those that the events name. */
  readonly cpus?: number;
  /** Version of the file; 6 if absent, which tools of all ages read. */
  readonly version?: 6 | 7;
  /** How to compress version 7; not at all if absent. */
  readonly codec?: TraceCodec;
}

/** What every version begins with. */
function writeMagic(out: ByteWriter, version: string): void {
  out.bytes(MAGIC);
  out.text(`${version}\0`);
  out.u8(0); // little-endian
  out.u8(8); // size of a long
  out.u32(PAGE_SIZE);
}

/**
 * A trace.dat file. Times are rounded to whole nanoseconds; events of one CPU are put into order of time.
 * @throws SmmError `TRACE_RECORD_TOO_LONG` for an event whose text exceeds a page, `TRACE_CPU`.
 */
export function writeTraceDat(events: readonly TraceEvent[], options: TraceDatOptions = {}): Uint8Array {
  checkOptions<TraceDatOptions>('the options of writeTraceDat', options, {
    form: maybe(isOneOf(TRACE_FORMS)),
    cpus: maybe(isWhole(1, MOST_CPUS)),
    version: maybe(isOneOf([6, 7])),
    codec: maybe(isObject),
  });
  const { form = '2015', cpus = 1, version = 6, codec } = options;
  const layout = layoutOf(form, events);
  const byCpu = pagesByCpu(events, form, layout, cpus);
  const out = new ByteWriter();
  if (version === 7) {
    writeMagic(out, VERSION_7);
    return writeSections(out, { events, form, layout, byCpu, codec });
  }
  writeMagic(out, VERSION);
  out.bytes(headerInfo());
  out.u32(0); // no formats of ftrace's own events
  out.bytes(eventFormats(form, layout));
  out.u32(0); // no kallsyms
  out.u32(0); // no printk formats
  out.bytes(commandLines(events));
  out.u32(byCpu.length);
  out.text('options  \0');
  out.u16(OPTION.TRACE_CLOCK);
  out.u32(CLOCK.length);
  out.text(CLOCK);
  out.u16(OPTION.END);
  out.text('flyrecord\0');
  let offset = Math.ceil((out.length + 16 * byCpu.length) / PAGE_SIZE) * PAGE_SIZE;
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
