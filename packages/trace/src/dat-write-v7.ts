/** Writes the sections and options of trace.dat version 7. */
import { ByteWriter } from './byte-writer.ts';
import type { TraceCodec } from './dat-codec.ts';
import { OPTION, PAGE_SIZE, SECTION } from './dat-format.ts';
import type { Layout } from './dat-write-pages.ts';
import { CLOCK, commandLines, eventFormats, headerInfo } from './dat-write-parts.ts';
import type { TraceEvent, TraceForm } from './events.ts';

/** What goes into the file. */
export interface Content {
  readonly events: readonly TraceEvent[];
  readonly form: TraceForm;
  readonly layout: Layout;
  /** Pages of each host CPU. */
  readonly byCpu: readonly (readonly Uint8Array[])[];
  /** How to compress; undefined for not at all. */
  readonly codec: TraceCodec | undefined;
}

/** Pages in one compressed piece. */
const CHUNK_PAGES = 64;
const COMPRESSED = 1;
/** Descriptions of the sections, one after another; a section names its own by its place in here. */
const DESCRIPTIONS = [
  'headers',
  'ftrace events',
  'events format',
  'kallsyms',
  'printk',
  'command lines',
  'options',
  'buffer flyrecord',
  'strings',
] as const;
const STRINGS = DESCRIPTIONS.map((text) => `${text}\0`).join('');

type Description = (typeof DESCRIPTIONS)[number];

function placeOf(description: Description): number {
  return DESCRIPTIONS.slice(0, DESCRIPTIONS.indexOf(description)).reduce(
    (sum, text) => sum + text.length + 1,
    0,
  );
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new ByteWriter();
  for (const part of parts) out.bytes(part);
  return out.finish();
}

/** Header of a section. */
function writeHead(
  out: ByteWriter,
  id: number,
  compressed: boolean,
  description: Description,
  size: number,
): void {
  out.u16(id);
  out.u16(compressed ? COMPRESSED : 0);
  out.u32(placeOf(description));
  out.u64(size);
}

/** One section; gives its offset. */
function writeSection(
  out: ByteWriter,
  id: number,
  description: Description,
  data: Uint8Array,
  codec?: TraceCodec,
): number {
  const offset = out.length;
  if (!codec) {
    writeHead(out, id, false, description, data.length);
    out.bytes(data);
    return offset;
  }
  const packed = codec.compress(data);
  writeHead(out, id, true, description, packed.length + 8);
  out.u32(packed.length);
  out.u32(data.length);
  out.bytes(packed);
  return offset;
}

/** Compressed pages of one CPU: how many pieces, then each with its sizes. */
function piecesOf(pages: readonly Uint8Array[], codec: TraceCodec): Uint8Array {
  const out = new ByteWriter();
  out.u32(Math.ceil(pages.length / CHUNK_PAGES));
  for (let i = 0; i < pages.length; i += CHUNK_PAGES) {
    const data = joined(pages.slice(i, i + CHUNK_PAGES));
    const packed = codec.compress(data);
    out.u32(packed.length);
    out.u32(data.length);
    out.bytes(packed);
  }
  return out.finish();
}

/** The section of all pages; gives its option. CPUs without pages have none. */
function writeBuffer(out: ByteWriter, { byCpu, codec }: Content): Uint8Array {
  const parts = byCpu.flatMap((pages, cpu) =>
    pages.length === 0 ? [] : [{ cpu, data: codec ? piecesOf(pages, codec) : joined(pages) }],
  );
  const HEAD = 16;
  const section = out.length;
  const first = Math.ceil((section + HEAD) / PAGE_SIZE) * PAGE_SIZE;
  const size = parts.reduce((sum, { data }) => sum + data.length, first - section - HEAD);
  writeHead(out, SECTION.BUFFER, codec !== undefined, 'buffer flyrecord', size);
  out.padTo(first);
  const option = new ByteWriter();
  option.u64(section);
  option.text('\0'); // the top instance
  option.text('local\0');
  option.u32(PAGE_SIZE);
  option.u32(parts.length);
  for (const { cpu, data } of parts) {
    option.u32(cpu);
    option.u64(out.length);
    option.u64(data.length);
    out.bytes(data);
  }
  return option.finish();
}

/** Everything behind the sizes: the algorithm, the sections, and the options that point to them. */
export function writeSections(out: ByteWriter, content: Content): Uint8Array {
  const { events, form, layout, byCpu, codec } = content;
  const nothing = new Uint8Array(4);
  out.text(codec ? `${codec.name}\0${codec.version}\0` : 'none\0\0');
  const pointer = out.length;
  out.u64(0);
  const options = new ByteWriter();
  const option = (id: number, data: Uint8Array): void => {
    options.u16(id);
    options.u32(data.length);
    options.bytes(data);
  };
  const place = (id: number, offset: number): void => {
    const data = new ByteWriter();
    data.u64(offset);
    option(id, data.finish());
  };
  const cpus = new ByteWriter();
  cpus.u32(byCpu.length);
  option(OPTION.TRACE_CLOCK, new TextEncoder().encode(`${CLOCK}\0`));
  place(OPTION.HEADER_INFO, writeSection(out, SECTION.HEADER_INFO, 'headers', headerInfo(), codec));
  place(OPTION.FTRACE_EVENTS, writeSection(out, SECTION.FTRACE_EVENTS, 'ftrace events', nothing, codec));
  place(
    OPTION.EVENT_FORMATS,
    writeSection(out, SECTION.EVENT_FORMATS, 'events format', eventFormats(form, layout), codec),
  );
  place(OPTION.KALLSYMS, writeSection(out, SECTION.KALLSYMS, 'kallsyms', nothing, codec));
  place(OPTION.PRINTK, writeSection(out, SECTION.PRINTK, 'printk', nothing, codec));
  place(
    OPTION.COMMAND_LINES,
    writeSection(out, SECTION.COMMAND_LINES, 'command lines', commandLines(events), codec),
  );
  option(OPTION.CPU_COUNT, cpus.finish());
  option(OPTION.BUFFER, writeBuffer(out, content));
  writeSection(out, SECTION.STRINGS, 'strings', new TextEncoder().encode(STRINGS), codec);
  place(OPTION.END, 0);
  const first = writeSection(out, SECTION.OPTIONS, 'options', options.finish());
  const bytes = out.finish();
  new DataView(bytes.buffer, bytes.byteOffset).setBigUint64(pointer, BigInt(first), true);
  return bytes;
}
