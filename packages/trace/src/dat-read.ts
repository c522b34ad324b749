/** Reads trace.dat versions 6 and 7: what this package writes, and what `trace-cmd record -e kvm` writes. */
import { checkOptions, isBytes, isListOf, isObject, maybe, UnmodelledError } from '@smm/x86-defs';
import type { TraceCodec } from './dat-codec.ts';
import { Cursor, foreign, truncated } from './dat-cursor.ts';
import { MAGIC, OPTION, SECTION_WORD_SIZE, VERSION, VERSION_7 } from './dat-format.ts';
import {
  type Formats,
  formOfFormats,
  readCommandLines,
  readEventFormats,
  readFtraceFormats,
  skipHeaderInfo,
} from './dat-formats.ts';
import { type Decoder, decodePage, newDecoder } from './dat-pages.ts';
import { type CpuData, Version7 } from './dat-read-v7.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { MOST_CPUS } from './events.ts';
import type { ReadCounts } from './read-counts.ts';
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
  /** Whose formats the file has; undefined if it has none that differ. */
  readonly form: TraceForm | undefined;
  /** What became of the records. */
  readonly counts: ReadCounts;
}

/** How to read. */
export interface TraceDatReadOptions {
  /** Algorithms by which a file of version 7 may be compressed. */
  readonly codecs?: readonly TraceCodec[];
}

/** What lies before the pages of any version. */
interface Contents {
  readonly formats: Formats;
  readonly comms: ReadonlyMap<number, string>;
  readonly cpus: number;
  readonly data: readonly CpuData[];
}

/** Reads what every version begins with; gives the version. */
function readMagic(cursor: Cursor): string {
  const start = cursor.bytes.subarray(0, MAGIC.length);
  if (start.some((byte, i) => byte !== MAGIC[i])) {
    throw foreign('The file does not begin as a trace.dat file does.');
  }
  cursor.take(MAGIC.length);
  const version = cursor.word();
  if (version !== VERSION && version !== VERSION_7) {
    throw new UnmodelledError(
      'TRACE_DAT_VERSION',
      `The file is trace.dat version ${version}; this reader knows ${VERSION} and ${VERSION_7}.`,
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
  return version;
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

/** The contents of version 6, which stand one after another. */
function readVersion6(cursor: Cursor, pageSize: number): Contents {
  const { bytes } = cursor;
  skipHeaderInfo(cursor);
  const formats: Formats = new Map();
  readFtraceFormats(cursor, formats);
  readEventFormats(cursor, formats);
  cursor.take(cursor.u32()); // kallsyms
  cursor.take(cursor.u32()); // printk formats
  const comms = new Map<number, string>();
  readCommandLines(cursor, comms);
  const cpus = cursor.u32();
  readSections(cursor);
  const data: CpuData[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    const offset = cursor.u64();
    const size = cursor.u64();
    if (offset + size > bytes.length) throw truncated(offset + size, bytes.length);
    data.push({ cpu, data: bytes.subarray(offset, offset + size), pageSize });
  }
  return { formats, comms, cpus, data };
}

function decodeAll(decoder: Decoder, contents: Contents, longSize: number): void {
  for (const { cpu, data, pageSize } of contents.data) {
    if (pageSize < 64) throw foreign(`The file says that its pages have ${pageSize} bytes.`);
    for (let at = 0; at + pageSize <= data.length; at += pageSize) {
      decodePage(decoder, data.subarray(at, at + pageSize), cpu, longSize);
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
 * @throws UnmodelledError `TRACE_DAT_VERSION`, `TRACE_DAT_BIG_ENDIAN`, `TRACE_DAT_SECTION`, `TRACE_DAT_COMPRESSION`.
 */
export function readTraceDat(bytes: Uint8Array, options: TraceDatReadOptions = {}): TraceDat {
  isBytes('bytes', bytes);
  checkOptions<TraceDatReadOptions>('the options of readTraceDat', options, {
    codecs: maybe(isListOf(isObject)),
  });
  const cursor = new Cursor(bytes);
  const version = readMagic(cursor);
  const longSize = cursor.u8();
  const pageSize = cursor.u32();
  const contents: Contents =
    version === VERSION ? readVersion6(cursor, pageSize) : new Version7(cursor, options.codecs ?? []);
  const { formats, comms, cpus } = contents;
  if (cpus > MOST_CPUS) throw foreign(`The file says that it is of a machine with ${cpus} CPUs.`);
  const decoder = newDecoder(formats, comms);
  decodeAll(decoder, contents, longSize);
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
    form: formOfFormats(formats),
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
