/** Trace files: the format of a file to write is told by its name, that of a file to read by its content. */
import {
  formatTrace,
  isTraceDat,
  readTrace,
  type TraceCodec,
  type TraceDatOptions,
  type TraceEvent,
  type TraceFile,
  type TraceForm,
  writeJsonl,
  writePerfetto,
  writeTraceDat,
} from '@smm/trace';
import type { Io } from './io.ts';
import { traceCodecs } from './trace-codecs.ts';
import { asUsage, UsageError } from './usage-error.ts';

type Writer = (events: readonly TraceEvent[], form: TraceForm, dat: DatOptions) => Uint8Array | string;

/** How to write a trace.dat. */
export type DatOptions = Pick<TraceDatOptions, 'version' | 'codec'>;

const WRITERS: readonly {
  readonly endings: readonly string[];
  readonly what: string;
  readonly write: Writer;
}[] = [
  {
    endings: ['.dat'],
    what: 'trace.dat',
    write: (events, form, dat) => writeTraceDat(events, { form, ...dat }),
  },
  {
    endings: ['.perfetto-trace', '.pftrace'], // binary: no .json, which ui.perfetto.dev would take for another format
    what: 'Perfetto TrackEvent',
    write: (events) => writePerfetto(events),
  },
  { endings: ['.jsonl'], what: 'JSONL', write: (events) => writeJsonl(events) },
  { endings: ['.txt'], what: 'trace-cmd text', write: (events, form) => formatTrace(events, { form }) },
];

/** The endings that {@link claimTrace} knows, for help texts. */
export const TRACE_ENDINGS =
  '.dat (trace-cmd), .perfetto-trace (ui.perfetto.dev), .jsonl, .txt (trace-cmd report)';

/** A trace to be written; says in words what was. */
export type TraceOutput = (events: readonly TraceEvent[], form: TraceForm) => string;

/**
 * Makes ready to write a trace, `-` to standard output, as text. Refuses a name whose ending tells no format and a file
 * that cannot be written; before a long run, not after it.
 */
export function claimTrace(path: string, io: Io, dat: DatOptions = {}): TraceOutput {
  const { what, write } = writerFor(path);
  const put = path === '-' ? io.out : io.claim('the trace', path).replace;
  return (events, form) => {
    put(write(events, form, dat));
    return what === 'trace.dat' ? `${what} v${dat.version ?? 6}` : what;
  };
}

/** Whether {@link claimTrace} would take this name. */
export function namesTrace(path: string): boolean {
  return path === '-' || WRITERS.some(({ endings }) => endings.some((ending) => path.endsWith(ending)));
}

function writerFor(path: string): (typeof WRITERS)[number] {
  if (path === '-') return WRITERS[WRITERS.length - 1]!;
  const found = WRITERS.find(({ endings }) => endings.some((ending) => path.endsWith(ending)));
  if (found === undefined) {
    throw new UsageError(
      `the name ${path} does not say which trace format to write`,
      `Use one of ${TRACE_ENDINGS}.`,
    );
  }
  return found;
}

/** Bytes: what can be decoded at once. */
const LARGEST_TRACE = 0x2000_0000;

/** Reads a trace in any of the formats; `-` is standard input. */
export async function loadTrace(path: string, io: Io): Promise<TraceFile> {
  const name = path === '-' ? 'standard input' : path;
  const bytes = io.readFile('the trace', path === '-' ? 0 : path, LARGEST_TRACE);
  const codecs = isTraceDat(bytes) ? await traceCodecs() : [];
  return asUsage(`cannot read ${name}`, () => decode(bytes, codecs));
}

/** Reads a trace that must hold events, not only a log or a register dump. */
export async function loadEvents(path: string, io: Io): Promise<TraceFile> {
  const trace = await loadTrace(path, io);
  if (trace.events.length > 0) return trace;
  throw new UsageError(
    `${path === '-' ? 'standard input' : path} holds no event, only a log or a register dump`,
    "Give it to 'smm diagnose', which reads those too.",
  );
}

function decode(bytes: Uint8Array, codecs: readonly TraceCodec[]): TraceFile {
  if (bytes.length === 0) throw new UsageError('the file is empty', 'Give a trace with at least one event.');
  if (!isTraceDat(bytes) && bytes.includes(0)) {
    throw new UsageError(
      'it is neither text nor a trace.dat',
      'Give the text of trace-cmd report, a trace.dat, or a .jsonl of ours; Perfetto files are only written.',
    );
  }
  const trace = readTrace(bytes, { codecs });
  if (trace.events.length > 0 || (trace.notes?.length ?? 0) > 0) return trace;
  throw new UsageError('it holds no KVM or machine event', "Record with 'trace-cmd record -e kvm'.");
}

/**
 * Form of a trace that was read: today's where an event has what only today's kernels record. JSONL holds everything
 * that any form has, so its form cannot be told, and is that of 2015.
 */
export function formOf({ events, format, form }: TraceFile): TraceForm {
  if (form !== undefined) return form;
  if (format === 'jsonl') return '2015';
  return events.some((event) => event.name === 'kvm_entry' && event.rip !== undefined) ? 'current' : '2015';
}
