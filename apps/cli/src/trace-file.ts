/** Trace files: the format of a file to write is told by its name, that of a file to read by its content. */
import {
  formatEvent,
  formatTrace,
  type TraceDatOptions,
  type TraceEvent,
  type TraceFile,
  type TraceForm,
  writeJsonl,
  writePerfetto,
  writeTraceDat,
} from '@smm/trace';
import type { Io } from './io.ts';
import { UsageError } from './usage-error.ts';

/** Writes a piece of a trace that is not held as a whole. */
type PieceWriter = (events: readonly TraceEvent[], form: TraceForm) => string;
type Writer = (events: readonly TraceEvent[], form: TraceForm, dat: DatOptions) => Uint8Array | string;

/** How to write a trace.dat. */
export type DatOptions = Pick<TraceDatOptions, 'version' | 'codec'>;

const WRITERS: readonly {
  readonly endings: readonly string[];
  readonly what: string;
  readonly write: Writer;
  /** Absent where the whole trace is needed. */
  readonly writePiece?: PieceWriter;
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
  {
    endings: ['.jsonl'],
    what: 'JSONL',
    write: (events) => writeJsonl(events),
    writePiece: (events) => writeJsonl(events),
  },
  {
    endings: ['.txt'],
    what: 'trace-cmd text',
    write: (events, form) => formatTrace(events, { form }),
    writePiece: (events, form) => events.map((event) => `${formatEvent(event, { form })}\n`).join(''),
  },
];

/** The endings that {@link claimTrace} knows, for help texts. */
export const TRACE_ENDINGS =
  '.dat (trace-cmd), .perfetto-trace (ui.perfetto.dev), .jsonl, .txt (trace-cmd report)';

/** A trace to be written; says in words what was. */
export interface TraceOutput {
  (events: readonly TraceEvent[], form: TraceForm): string;
  /**
   * Writes pieces as they come, if the format allows; the form is asked for at the first. Text has no line `cpus=N`
   * then, for nobody knows the number yet.
   */
  readonly pieces?: (pieces: Iterable<readonly TraceEvent[]>, form: () => TraceForm) => string;
}

/**
 * Makes ready to write a trace, `-` to standard output, as text. Refuses a name whose ending tells no format and a file
 * that cannot be written; before a long run, not after it.
 */
export function claimTrace(path: string, io: Io, dat: DatOptions = {}): TraceOutput {
  const { what, write, writePiece } = writerFor(path);
  const output = path === '-' ? undefined : io.claim('the trace', path);
  const whole = (events: readonly TraceEvent[], form: TraceForm): string => {
    const content = write(events, form, dat);
    if (output) output.replace(content);
    else io.out(content);
    return what === 'trace.dat' ? `${what} v${dat.version ?? 6}` : what;
  };
  if (writePiece === undefined) return whole;
  function* written(pieces: Iterable<readonly TraceEvent[]>, form: () => TraceForm): Generator<string> {
    for (const events of pieces) if (events.length > 0) yield writePiece!(events, form());
  }
  return Object.assign(whole, {
    pieces: (pieces: Iterable<readonly TraceEvent[]>, form: () => TraceForm): string => {
      if (output) output.replace(written(pieces, form));
      else for (const text of written(pieces, form)) io.out(text);
      return what;
    },
  });
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

/**
 * Form of a trace that was read: today's where an event has what only today's kernels record. JSONL holds everything
 * that any form has, so its form cannot be told, and is that of 2015.
 */
export function formOf({ events, format, form }: TraceFile): TraceForm {
  if (form !== undefined) return form;
  if (format === 'jsonl') return '2015';
  return events.some((event) => event.name === 'kvm_entry' && event.rip !== undefined) ? 'current' : '2015';
}
