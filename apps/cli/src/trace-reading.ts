/** Reads one trace of a known format piece by piece, and shows how far it is. */
import {
  type ByteSource,
  JsonlStream,
  plannedCpu,
  type TraceCodec,
  TraceDatStream,
  type TraceEvent,
  type TraceFile,
  TraceTextStream,
} from '@smm/trace';
import type { Io } from './io.ts';
import { type Progress, progressLine } from './render/progress.ts';
import { asUsage, UsageError } from './usage-error.ts';

/** Bytes between two signs of progress. */
const STEP = 0x100_0000;

/** A trace that is read as its events are asked for. */
export interface TraceInput {
  /** Its events in pieces; once. Throws as reading does, also after some of them. */
  readonly events: Iterable<readonly TraceEvent[]>;
  /** What else it holds; complete after the last event, its `events` empty. */
  readonly about: () => TraceFile;
}

/** SMBASEs that a firmware's log among the events plans, by CPU index. */
class LoggedPlan {
  readonly planned: number[] = [];

  watch(events: readonly TraceEvent[]): readonly TraceEvent[] {
    for (const event of events) {
      const cpu = event.name === 'smm_debugcon' ? plannedCpu(event.text) : undefined;
      if (cpu) this.planned[cpu.index] = cpu.smbase;
    }
    return events;
  }
}

/** Shows how far a trace is read. */
class Reading {
  readonly #line: Progress;
  #said = 0;
  #events = 0;

  constructor(io: Io) {
    this.#line = progressLine(io);
  }

  /** `bytes` of the file are read, and these events came. */
  step(bytes: number, events: readonly TraceEvent[]): void {
    this.#events += events.length;
    if (bytes - this.#said < STEP) return;
    this.#said = bytes;
    this.#line.show(`reading: ${(bytes / 1e6).toFixed(0)} MB, ${this.#events.toLocaleString('en')} events`);
  }

  end(): void {
    this.#line.clear();
  }
}

/** Reads what comes front to back. */
function* readForward(
  name: string,
  pieces: Iterable<Uint8Array>,
  stream: { readonly push: (bytes: Uint8Array) => TraceEvent[]; readonly end: () => TraceEvent[] },
  plan: LoggedPlan,
  io: Io,
): Generator<readonly TraceEvent[]> {
  const reading = new Reading(io);
  const what = `cannot read ${name}`;
  let bytes = 0;
  try {
    for (const piece of pieces) {
      if (piece.includes(0)) asUsage(what, noText);
      bytes += piece.length;
      const found = asUsage(what, () => stream.push(piece));
      reading.step(bytes, found);
      if (found.length > 0) yield plan.watch(found);
    }
  } finally {
    reading.end();
  }
  yield plan.watch(asUsage(what, () => stream.end()));
}

/** Text of any of the recorders. */
export function textInput(name: string, pieces: Iterable<Uint8Array>, io: Io): TraceInput {
  const stream = new TraceTextStream();
  const plan = new LoggedPlan();
  return {
    events: readForward(name, pieces, stream, plan, io),
    about: () => {
      const { counts, form, notes, cut } = stream;
      const planned = plan.planned.length > 0 ? plan.planned : stream.planned;
      return { format: 'text', events: [], planned, counts, form, notes, cut };
    },
  };
}

/** JSONL of ours. */
export function jsonlInput(name: string, pieces: Iterable<Uint8Array>, io: Io): TraceInput {
  const stream = new JsonlStream();
  const plan = new LoggedPlan();
  return {
    events: readForward(name, pieces, stream, plan, io),
    about: () => ({ format: 'jsonl', events: [], planned: plan.planned, counts: stream.counts }),
  };
}

/** A trace.dat. */
export function datInput(
  name: string,
  source: ByteSource,
  codecs: readonly TraceCodec[],
  io: Io,
): TraceInput {
  const what = `cannot read ${name}`;
  let bytes = 0;
  const counted: ByteSource = {
    size: source.size,
    read: (offset, length) => {
      bytes += length;
      return source.read(offset, length);
    },
  };
  const stream = asUsage(what, () => new TraceDatStream(counted, { codecs }));
  const plan = new LoggedPlan();
  function* events(): Generator<readonly TraceEvent[]> {
    const reading = new Reading(io);
    try {
      const pieces = stream.pieces();
      for (;;) {
        const { value, done } = asUsage(what, () => pieces.next());
        if (done === true) return;
        reading.step(bytes, value);
        yield plan.watch(value);
      }
    } finally {
      reading.end();
    }
  }
  return {
    events: events(),
    about: () => {
      const { counts, form } = stream;
      return { format: 'trace.dat', events: [], planned: plan.planned, counts, ...(form && { form }) };
    },
  };
}

function noText(): never {
  throw new UsageError(
    'it is neither text nor a trace.dat',
    'Give the text of trace-cmd report, a trace.dat, or a .jsonl of ours; Perfetto files are only written.',
  );
}
