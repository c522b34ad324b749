/** Reads trace.dat version 7, which trace-cmd 3 writes: sections that options point to, compressed or not. */
import { UnmodelledError } from '@smm/x86-defs';
import { type ByteSource, readAhead } from './byte-source.ts';
import type { TraceCodec } from './dat-codec.ts';
import { Cursor, foreign, truncated } from './dat-cursor.ts';
import { OPTION, SECTION } from './dat-format.ts';
import {
  type Formats,
  readCommandLines,
  readEventFormats,
  readFtraceFormats,
  skipHeaderInfo,
} from './dat-formats.ts';

/** The pages of one host CPU. */
export interface CpuData {
  /** Number of the host CPU. */
  readonly cpu: number;
  /** Its pages one after another, some at a time; once. What was given is overwritten by the next. */
  readonly pages: Iterable<Uint8Array>;
  /** Size of a page in bytes. */
  readonly pageSize: number;
}

/** Pages that are read at once. */
const PAGES_AT_ONCE = 16;

/** Pages that stand in the file as they are. */
export function* plainPages(
  source: ByteSource,
  offset: number,
  size: number,
  pageSize: number,
): Generator<Uint8Array> {
  const step = PAGES_AT_ONCE * pageSize;
  for (let at = offset; at < offset + size; at += step) {
    const length = Math.min(step, offset + size - at);
    const pages = source.read(at, length);
    if (pages.length < length) throw truncated(at + length, at + pages.length);
    yield pages;
  }
}

const COMPRESSED = 1;
/** Bytes that one piece may have; trace-cmd cuts data into much smaller ones. */
const LARGEST_PIECE = 0x2000_0000;
/** Sections of options that a file may chain. */
const MOST_CHAINS = 1000;

/** Reads what lies behind the version, byte order and sizes. */
export class Version7 {
  /** Formats of all events. */
  readonly formats: Formats = new Map();
  /** Names of threads. */
  readonly comms = new Map<number, string>();
  /** Pages of all buffers. */
  readonly data: CpuData[] = [];
  /** Number of host CPUs. */
  cpus = 0;

  readonly #source: ByteSource;
  /** The same, for the small parts. */
  readonly #ahead: ByteSource;
  readonly #codec: TraceCodec | undefined;
  readonly #algorithm: string;

  /** @throws SmmError and UnmodelledError as `readTraceDat` does. */
  constructor(source: ByteSource, cursor: Cursor, codecs: readonly TraceCodec[]) {
    this.#source = source;
    this.#ahead = readAhead(source);
    this.#algorithm = cursor.word();
    cursor.word();
    this.#codec = codecs.find(({ name }) => name === this.#algorithm);
    let next = cursor.u64();
    const seen = new Set<number>();
    while (next !== 0) {
      if (seen.has(next) || seen.size >= MOST_CHAINS)
        throw foreign('The options of the file go round in a circle.');
      seen.add(next);
      next = this.#options(this.#section(next));
    }
  }

  #decompress(data: Uint8Array, size: number): Uint8Array {
    if (!this.#codec) {
      throw new UnmodelledError(
        'TRACE_DAT_COMPRESSION',
        `The file is compressed by ${this.#algorithm}, and no codec of this name was given.`,
        'Convert it with `trace-cmd convert --compression none`, or give the codec.',
        { algorithm: this.#algorithm },
      );
    }
    if (size > LARGEST_PIECE) throw foreign(`A compressed piece of the file claims to have ${size} bytes.`);
    let out: Uint8Array;
    try {
      out = this.#codec.decompress(data, size);
    } catch (cause) {
      throw foreign(
        `A compressed piece of the file is damaged: ${cause instanceof Error ? cause.message : String(cause)}.`,
      );
    }
    if (out.length !== size)
      throw foreign(`A compressed piece of the file has ${out.length} bytes, not ${size}.`);
    return out;
  }

  /** Header of the section at an offset: its flags, and a cursor behind it. */
  #head(offset: number): { readonly compressed: boolean; readonly size: number; readonly cursor: Cursor } {
    const cursor = new Cursor(this.#ahead);
    cursor.seek(offset);
    cursor.u16();
    const compressed = (cursor.u16() & COMPRESSED) !== 0;
    cursor.u32();
    return { compressed, size: cursor.u64(), cursor };
  }

  /** Content of the section at an offset. */
  #section(offset: number): Cursor {
    const { compressed, size, cursor } = this.#head(offset);
    if (!compressed) return new Cursor(cursor.take(size).slice());
    const packed = cursor.u32();
    const whole = cursor.u32();
    return new Cursor(this.#decompress(cursor.take(packed), whole));
  }

  /** Reads one section of options; gives the offset of the next, 0 if there is none. */
  #options(cursor: Cursor): number {
    for (;;) {
      const id = cursor.u16();
      const option = new Cursor(cursor.take(cursor.u32()));
      if (id === OPTION.END) return option.u64();
      if (id === OPTION.CPU_COUNT) this.cpus = Math.max(this.cpus, option.u32());
      else if (id === OPTION.BUFFER) this.#buffer(option);
      else if (id === OPTION.HEADER_INFO) skipHeaderInfo(this.#section(option.u64()));
      else if (id === OPTION.FTRACE_EVENTS) readFtraceFormats(this.#section(option.u64()), this.formats);
      else if (id === OPTION.EVENT_FORMATS) readEventFormats(this.#section(option.u64()), this.formats);
      else if (id === OPTION.COMMAND_LINES) readCommandLines(this.#section(option.u64()), this.comms);
      else if (id === OPTION.BUFFER_TEXT) {
        throw new UnmodelledError(
          'TRACE_DAT_SECTION',
          'The file holds the text of a latency tracer, not per-CPU records.',
          'Record with `trace-cmd record`, without a latency tracer.',
          { section: SECTION.BUFFER_TEXT },
        );
      }
    }
  }

  /** One trace instance: where the pages of each CPU are. */
  #buffer(option: Cursor): void {
    const { compressed } = this.#head(option.u64());
    option.word(); // name of the instance
    option.word(); // its clock
    const pageSize = option.u32();
    const count = option.u32();
    for (let i = 0; i < count; i++) {
      const cpu = option.u32();
      const offset = option.u64();
      const size = option.u64();
      this.cpus = Math.max(this.cpus, cpu + 1);
      if (size === 0) continue;
      new Cursor(this.#source).expect(offset, size);
      const pages = compressed ? this.#packedPages(offset) : plainPages(this.#source, offset, size, pageSize);
      this.data.push({ cpu, pages, pageSize });
    }
  }

  /** Pages in compressed pieces: how many pieces, then each with its sizes. */
  *#packedPages(offset: number): Generator<Uint8Array> {
    const cursor = new Cursor(readAhead(this.#source));
    cursor.seek(offset);
    const pieces = cursor.u32();
    for (let piece = 0; piece < pieces; piece++) {
      const packed = cursor.u32();
      const whole = cursor.u32();
      yield this.#decompress(cursor.take(packed), whole);
    }
  }
}
