/** Reads trace.dat versions 6 and 7: what this package writes, and what `trace-cmd record -e kvm` writes. */
import {
  checkOptions,
  isBytes,
  isCount,
  isFunction,
  isListOf,
  isObject,
  isWhole,
  maybe,
  UnmodelledError,
} from '@smm/x86-defs';
import { type ByteSource, readAhead, sourceOf } from './byte-source.ts';
import type { TraceCodec } from './dat-codec.ts';
import { Cursor, foreign } from './dat-cursor.ts';
import { MAGIC, OPTION, SECTION_WORD_SIZE, VERSION, VERSION_7 } from './dat-format.ts';
import {
  type Formats,
  formOfFormats,
  readCommandLines,
  readEventFormats,
  readFtraceFormats,
  skipHeaderInfo,
} from './dat-formats.ts';
import { inOrderOfTime } from './dat-merge.ts';
import { type Decoded, OtherRecord, PageDecoder } from './dat-pages.ts';
import { type CpuData, plainPages, Version7 } from './dat-read-v7.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { MOST_CPUS } from './events.ts';
import { NameCounter, type ReadCounts } from './read-counts.ts';
import { VcpuInference } from './vcpus.ts';

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
  for (const byte of MAGIC) {
    if (cursor.u8() !== byte) throw foreign('The file does not begin as a trace.dat file does.');
  }
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
    for (let id = cursor.u16(); id !== OPTION.END; id = cursor.u16()) cursor.skip(cursor.u32());
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
function readVersion6(source: ByteSource, cursor: Cursor, pageSize: number): Contents {
  skipHeaderInfo(cursor);
  const formats: Formats = new Map();
  readFtraceFormats(cursor, formats);
  readEventFormats(cursor, formats);
  cursor.skip(cursor.u32()); // kallsyms
  cursor.skip(cursor.u32()); // printk formats
  const comms = new Map<number, string>();
  readCommandLines(cursor, comms);
  const cpus = cursor.u32();
  readSections(cursor);
  const data: CpuData[] = [];
  for (let cpu = 0; cpu < cpus; cpu++) {
    const offset = cursor.u64();
    const size = cursor.u64();
    cursor.expect(offset, size);
    data.push({ cpu, pages: plainPages(source, offset, size, pageSize), pageSize });
  }
  return { formats, comms, cpus, data };
}

/** Records of one host CPU, a few pages at a time. */
function* recordsOf({ cpu, pages, pageSize }: CpuData, decoder: PageDecoder): Generator<readonly Decoded[]> {
  if (pageSize < 64) throw foreign(`The file says that its pages have ${pageSize} bytes.`);
  for (const bytes of pages) {
    const records: Decoded[] = [];
    for (let at = 0; at + pageSize <= bytes.length; at += pageSize) {
      decoder.decode(bytes.subarray(at, at + pageSize), cpu, records);
    }
    if (records.length > 0) yield records;
  }
}

/** True if the bytes begin as a trace.dat file of any version does. */
export function isTraceDat(bytes: Uint8Array): boolean {
  return bytes.length > 2 && MAGIC.every((byte, i) => i >= bytes.length || bytes[i] === byte);
}

/** How to read a file piece by piece. */
export interface TraceDatStreamOptions extends TraceDatReadOptions {
  /** Events that wait for one that tells whose thread theirs is; 65,536 if absent. */
  readonly mostWaiting?: number;
}

/** Events that are given at once. */
const EVENTS_AT_ONCE = 4096;

/** Reads a trace.dat file of any size in bounded memory: of each host CPU a few pages are held. */
export class TraceDatStream {
  /** Number of host CPUs. */
  readonly cpus: number;
  /** Whose formats the file has; undefined if it has none that differ. */
  readonly form: TraceForm | undefined;

  readonly #data: readonly CpuData[];
  readonly #decoder: PageDecoder;
  readonly #inference: VcpuInference;
  readonly #tracepoints = new NameCounter();
  readonly #unread = new NameCounter();
  #records = 0;
  #events = 0;

  /**
   * Reads what lies before the records.
   * @throws SmmError `TRACE_FOREIGN` if it is no trace.dat file, `TRACE_TRUNCATED` if it ends early.
   * @throws UnmodelledError `TRACE_DAT_VERSION`, `TRACE_DAT_BIG_ENDIAN`, `TRACE_DAT_SECTION`, `TRACE_DAT_COMPRESSION`.
   */
  constructor(source: ByteSource, options: TraceDatStreamOptions = {}) {
    checkOptions<ByteSource>('the source of a trace.dat', source, { size: isWhole(0), read: isFunction });
    checkOptions<TraceDatStreamOptions>('the options of a trace.dat stream', options, {
      codecs: maybe(isListOf(isObject)),
      mostWaiting: maybe(isCount()),
    });
    const cursor = new Cursor(readAhead(source));
    const version = readMagic(cursor);
    const longSize = cursor.u8();
    const pageSize = cursor.u32();
    const contents: Contents =
      version === VERSION
        ? readVersion6(source, cursor, pageSize)
        : new Version7(source, cursor, options.codecs ?? []);
    const { formats, comms, cpus, data } = contents;
    if (cpus > MOST_CPUS) throw foreign(`The file says that it is of a machine with ${cpus} CPUs.`);
    this.cpus = cpus;
    this.form = formOfFormats(formats);
    this.#data = data;
    this.#decoder = new PageDecoder(formats, comms, longSize);
    this.#inference = new VcpuInference(options.mostWaiting ?? 0x1_0000);
  }

  /**
   * The events that this package knows, in pieces; once. In order of time, equal times in order of the CPUs, each CPU's
   * in the order of their records, as `trace-cmd report` shows them.
   * @throws SmmError `TRACE_TRUNCATED` where compressed data end early, `TRACE_FOREIGN` where they are damaged, and at
   * the end if there was no event.
   */
  *pieces(): Generator<readonly TraceEvent[]> {
    let events: TraceEvent[] = [];
    for (const record of inOrderOfTime(this.#data.map((each) => recordsOf(each, this.#decoder)))) {
      this.#records++;
      if (record instanceof OtherRecord) {
        const { tracepoint, cpu, ts } = record;
        const where = (): string => `CPU ${cpu} at ${(ts / 1e9).toFixed(6)}`;
        (record.unread ? this.#unread : this.#tracepoints).add(tracepoint, this.#records, where);
        continue;
      }
      events.push(record);
      if (events.length < EVENTS_AT_ONCE) continue;
      this.#events += events.length;
      yield this.#inference.push(events);
      events = [];
    }
    this.#events += events.length;
    yield [...this.#inference.push(events), ...this.#inference.end()];
    if (this.#events > 0) return;
    const others = `${this.#records} records of other tracepoints`;
    throw foreign(`The file holds no KVM and no machine event (${others}).`);
  }

  /** What became of the records; complete after the last piece. */
  get counts(): ReadCounts {
    return {
      unit: 'record',
      lines: this.#records,
      events: this.#events,
      continued: 0,
      notUnderstood: this.#unread.total,
      passedOver: this.#tracepoints.total,
      unread: this.#unread.list,
      tracepoints: this.#tracepoints.list,
      lost: this.#decoder.pagesAfterLoss,
    };
  }
}

/**
 * The events of a trace.dat file, as {@link TraceDatStream} gives them.
 * @throws SmmError and UnmodelledError as {@link TraceDatStream} does.
 */
export function readTraceDat(bytes: Uint8Array, options: TraceDatReadOptions = {}): TraceDat {
  isBytes('bytes', bytes);
  const stream = new TraceDatStream(sourceOf(bytes), { ...options, mostWaiting: Number.MAX_SAFE_INTEGER });
  const events: TraceEvent[] = [];
  for (const piece of stream.pieces()) for (const event of piece) events.push(event);
  const { counts, cpus, form } = stream;
  return { events, cpus, skipped: counts.passedOver, pagesAfterLoss: counts.lost, form, counts };
}
