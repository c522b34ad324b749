/** Trace files of any format and size, read piece by piece. */
import {
  type ByteSource,
  type EventSource,
  isTraceDat,
  type TraceEvent,
  type TraceFile,
  type TraceForm,
} from '@smm/trace';
import type { Io } from './io.ts';
import { traceCodecs } from './trace-codecs.ts';
import { formOf } from './trace-file.ts';
import { datInput, jsonlInput, type TraceInput, textInput } from './trace-reading.ts';
import { asUsage, UsageError } from './usage-error.ts';

/** Bytes of a trace.dat that comes through a pipe, which is held, for its parts are read in another order. */
const LARGEST_PIPED_DAT = 0x2000_0000;
/** Events that are held at once where all of them are needed. */
export const MOST_HELD = 4_000_000;
/** Bytes by which a format is told. */
const ENOUGH = 64;

/** A trace that may be read more than once. */
export interface OpenedTrace extends TraceInput {
  /** Reads it again from the beginning; absent for standard input and pipes. */
  readonly again?: () => TraceInput;
}

/** How messages call a trace: `-` is standard input. */
export function nameOfTrace(path: string): string {
  return path === '-' ? 'standard input' : path;
}

/** Opens a trace in any of the formats; `-` is standard input. */
export async function openTrace(path: string, io: Io): Promise<OpenedTrace> {
  const name = nameOfTrace(path);
  const { begin, rest } = headOf(path, io);
  if (begin.length === 0) {
    asUsage(`cannot read ${name}`, () => {
      throw new UsageError('the file is empty', 'Give a trace with at least one event.');
    });
  }
  const file = path === '-' ? undefined : io.openRandom('the trace', path);
  if (isTraceDat(begin)) {
    const codecs = await traceCodecs();
    const read = (source: ByteSource): TraceInput => datInput(name, source, codecs, io);
    return file ? { ...read(file), again: () => read(file) } : read(inMemory(held(name, rest)));
  }
  file?.close();
  const isJsonl = begin.toString('latin1').trimStart().startsWith('{');
  const read = (pieces: Iterable<Uint8Array>): TraceInput =>
    isJsonl ? jsonlInput(name, pieces, io) : textInput(name, pieces, io);
  return { ...read(rest), ...(file && { again: () => read(io.readPieces('the trace', path)) }) };
}

/** As much of a trace as tells its format, and all of it. */
function headOf(path: string, io: Io): { readonly begin: Buffer; readonly rest: Iterable<Uint8Array> } {
  const pieces = io.readPieces('the trace', path === '-' ? 0 : path)[Symbol.iterator]();
  const head: Uint8Array[] = [];
  while (Buffer.concat(head).toString('latin1').trimStart().length < ENOUGH) {
    const { value, done } = pieces.next();
    if (done === true) break;
    head.push(value as Uint8Array);
  }
  const begin = Buffer.concat(head);
  return { begin, rest: inOrder(begin, { [Symbol.iterator]: () => pieces }) };
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
    "'smm diagnose' and 'smm trace diff' read longer traces from files, and 'smm trace convert' writes .txt and .jsonl of them.",
  );
}

/** The trace, if it holds events, not only a log or a register dump. */
export function withEvents(name: string, trace: TraceFile): TraceFile {
  if (trace.counts.events > 0) return trace;
  throw new UsageError(
    `${name} holds no event, only a log or a register dump`,
    "Give it to 'smm diagnose', which reads those too.",
  );
}

/** A trace that is read again and again, without its log. */
export interface AgainAndAgain {
  /** Its events from the first, each time. */
  readonly source: EventSource;
  /** What else it holds; complete after it was read once. */
  readonly about: () => TraceFile;
  /** Whose words it has. */
  readonly form: TraceForm;
}

/** Opens a trace to read it several times; one from a pipe is held. */
export async function openAgainAndAgain(path: string, io: Io): Promise<AgainAndAgain> {
  const { events, about, again } = await openTrace(path, io);
  const pieces = events[Symbol.iterator]();
  // The beginning of a text tells its form.
  const begin = collect(pieces, again ? 0 : MOST_HELD);
  if (!again && !begin.ended) throw tooMany(nameOfTrace(path));
  const form = formOf({ ...about(), events: begin.events });
  if (!again) return { source: () => [begin.events], about, form };
  let first: Iterable<readonly TraceEvent[]> | undefined = withBeginning(begin.events, pieces);
  const source = (): Iterable<readonly TraceEvent[]> => {
    const read = first ?? again().events;
    first = undefined;
    return read;
  };
  return { source, about, form };
}

/** Pieces of which the first events were taken already. */
export function* withBeginning(
  begin: readonly TraceEvent[],
  rest: Iterator<readonly TraceEvent[]>,
): Generator<readonly TraceEvent[]> {
  yield begin;
  yield* { [Symbol.iterator]: () => rest };
}

function inMemory(bytes: Uint8Array): ByteSource {
  return { size: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) };
}

/** A trace.dat from a pipe. */
function held(name: string, pieces: Iterable<Uint8Array>): Uint8Array {
  const all: Uint8Array[] = [];
  let total = 0;
  for (const piece of pieces) {
    all.push(piece);
    total += piece.length;
    if (total > LARGEST_PIPED_DAT) {
      throw new UsageError(
        `${name} is a trace.dat of more than ${LARGEST_PIPED_DAT} bytes and comes through a pipe`,
        'Name the file, which is read piece by piece, or give the text of trace-cmd report.',
      );
    }
  }
  return Buffer.concat(all);
}

function* inOrder(begin: Uint8Array, rest: Iterable<Uint8Array>): Generator<Uint8Array> {
  yield begin;
  yield* rest;
}
