/** Trace files as they are read: text of any size piece by piece, other formats whole. */
import {
  isTraceDat,
  readTrace,
  type TraceCodec,
  type TraceEvent,
  type TraceFile,
  TraceTextStream,
} from '@smm/trace';
import type { Io } from './io.ts';
import { progressLine } from './render/progress.ts';
import { traceCodecs } from './trace-codecs.ts';
import { asUsage, UsageError } from './usage-error.ts';

/** Bytes of a file that is read whole. */
const LARGEST_WHOLE = 0x2000_0000;
/** Events that are held at once where all of them are needed. */
export const MOST_HELD = 4_000_000;
/** Bytes by which a format is told. */
const ENOUGH = 64;
/** Bytes between two signs of progress. */
const STEP = 0x100_0000;

/** A trace that is read as its events are asked for. */
export interface TraceInput {
  /** It is in memory as a whole, whatever its size. */
  readonly whole: boolean;
  /** Its events in pieces; once. Throws as reading does, also after some of them. */
  readonly events: Iterable<readonly TraceEvent[]>;
  /** What else it holds; complete after the last event, its `events` empty. */
  readonly about: () => TraceFile;
}

/** Opens a trace in any of the formats; `-` is standard input. */
export async function openTrace(path: string, io: Io): Promise<TraceInput> {
  const name = path === '-' ? 'standard input' : path;
  const file = path === '-' ? 0 : path;
  const pieces = io.readPieces('the trace', file)[Symbol.iterator]();
  const head: Uint8Array[] = [];
  while (Buffer.concat(head).toString('latin1').trimStart().length < ENOUGH) {
    const { value, done } = pieces.next();
    if (done === true) break;
    head.push(value as Uint8Array);
  }
  const begin = Buffer.concat(head);
  const isText = !isTraceDat(begin) && !begin.toString('latin1').trimStart().startsWith('{');
  if (isText && begin.length > 0) return textInput(name, begin, { [Symbol.iterator]: () => pieces }, io);
  const bytes = file === 0 ? wholeOf(name, begin, pieces) : io.readFile('the trace', file, LARGEST_WHOLE);
  if (file !== 0) pieces.return?.();
  const codecs = isTraceDat(bytes) ? await traceCodecs() : [];
  const { events, ...about } = asUsage(`cannot read ${name}`, () => decode(bytes, codecs));
  return { whole: true, events: [events], about: () => ({ ...about, events: [] }) };
}

/** Events of pieces until there are more than `most`; `ended` if there are no more. */
export function collect(
  pieces: Iterator<readonly TraceEvent[]>,
  most: number,
): { readonly events: TraceEvent[]; readonly ended: boolean } {
  const events: TraceEvent[] = [];
  while (events.length <= most) {
    const next = pieces.next();
    if (next.done === true) return { events, ended: true };
    for (const event of next.value) events.push(event);
  }
  return { events, ended: false };
}

/** The refusal of a trace that has more than {@link MOST_HELD} events. */
export function tooMany(name: string): UsageError {
  return new UsageError(
    `${name} has more than ${MOST_HELD.toLocaleString('en')} events, which are not held at once`,
    "'smm diagnose' looks at longer traces, and 'smm trace convert' writes .txt and .jsonl of them.",
  );
}

/** A whole trace, which must hold events, not only a log or a register dump. */
export async function loadEvents(path: string, io: Io): Promise<TraceFile> {
  const name = path === '-' ? 'standard input' : path;
  const { whole, events: pieces, about } = await openTrace(path, io);
  const most = whole ? Number.POSITIVE_INFINITY : MOST_HELD;
  const { events, ended } = collect(pieces[Symbol.iterator](), most);
  if (!ended) throw tooMany(name);
  return withEvents(name, { ...about(), events });
}

/** The trace, if it holds events. */
export function withEvents(name: string, trace: TraceFile): TraceFile {
  if (trace.events.length > 0) return trace;
  throw new UsageError(
    `${name} holds no event, only a log or a register dump`,
    "Give it to 'smm diagnose', which reads those too.",
  );
}

function wholeOf(name: string, begin: Uint8Array, rest: Iterator<Uint8Array>): Uint8Array {
  const pieces = [begin];
  let total = begin.length;
  for (let next = rest.next(); next.done !== true; next = rest.next()) {
    pieces.push(next.value);
    total += next.value.length;
    if (total > LARGEST_WHOLE) {
      throw new UsageError(
        `${name} has more than ${LARGEST_WHOLE} bytes`,
        'Give the text of trace-cmd report, which is read piece by piece.',
      );
    }
  }
  return Buffer.concat(pieces);
}

function textInput(name: string, begin: Uint8Array, rest: Iterable<Uint8Array>, io: Io): TraceInput {
  const stream = new TraceTextStream();
  const progress = progressLine(io);
  function* events(): Generator<readonly TraceEvent[]> {
    let bytes = 0;
    let said = 0;
    let count = 0;
    for (const piece of inOrder(begin, rest)) {
      if (piece.includes(0)) throw asUsage(`cannot read ${name}`, noText);
      bytes += piece.length;
      const found = stream.push(piece);
      count += found.length;
      if (found.length > 0) yield found;
      if (bytes - said < STEP) continue;
      said = bytes;
      progress.show(`reading: ${(bytes / 1e6).toFixed(0)} MB, ${count.toLocaleString('en')} events`);
    }
    progress.clear();
    yield asUsage(`cannot read ${name}`, () => stream.end());
  }
  return {
    whole: false,
    events: events(),
    about: () => {
      const { counts, form, notes, planned, cut } = stream;
      return { format: 'text', events: [], planned, counts, form, notes, cut };
    },
  };
}

function* inOrder(begin: Uint8Array, rest: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield begin;
  yield* rest;
}

function noText(): never {
  throw new UsageError(
    'it is neither text nor a trace.dat',
    'Give the text of trace-cmd report, a trace.dat, or a .jsonl of ours; Perfetto files are only written.',
  );
}

function decode(bytes: Uint8Array, codecs: readonly TraceCodec[]): TraceFile {
  if (bytes.length === 0) throw new UsageError('the file is empty', 'Give a trace with at least one event.');
  if (!isTraceDat(bytes) && bytes.includes(0)) noText();
  const trace = readTrace(bytes, { codecs });
  if (trace.events.length > 0 || (trace.notes?.length ?? 0) > 0) return trace;
  throw new UsageError('it holds no KVM or machine event', "Record with 'trace-cmd record -e kvm'.");
}
