/** Reads a trace file of any of the formats that this package reads. */
import { isTraceDat, readTraceDat, type TraceDatReadOptions } from './dat-read.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { parseJsonl } from './jsonl.ts';
import { plannedSmbases } from './planned.ts';
import type { ReadCounts } from './read-counts.ts';
import { type Note, parseTraceText } from './text-parse.ts';

/** A trace read from a file. */
export interface TraceFile {
  /** What the file was. */
  readonly format: 'trace.dat' | 'jsonl' | 'text';
  /** The events. */
  readonly events: TraceEvent[];
  /** SMBASEs that a firmware debug log in the file plans, by CPU index; empty if there is none. */
  readonly planned: readonly number[];
  /** What became of the file's lines or records. */
  readonly counts: ReadCounts;
  /** For text and JSONL, the line where each event begins, from 1. */
  readonly lines?: readonly number[];
  /** For text and trace.dat, whose words or formats it has, where that can be told. */
  readonly form?: TraceForm;
  /** For text, true if it ends in the middle of a line. */
  readonly cut?: boolean;
  /** For text, lines of debug logs and register dumps. */
  readonly notes?: readonly Note[];
}

function plannedIn(events: readonly TraceEvent[]): number[] {
  return plannedSmbases(events.flatMap((event) => (event.name === 'smm_debugcon' ? [event.text] : [])));
}

/**
 * Events of a trace.dat, JSONL or text file, told apart by their first bytes.
 * @throws SmmError `TRACE_FOREIGN` or `TRACE_TRUNCATED`, and what {@link readTraceDat} throws.
 */
export function readTrace(bytes: Uint8Array, options: TraceDatReadOptions = {}): TraceFile {
  if (isTraceDat(bytes)) {
    const { events, counts, form } = readTraceDat(bytes, options);
    return { format: 'trace.dat', events, planned: plannedIn(events), counts, ...(form && { form }) };
  }
  const text = new TextDecoder().decode(bytes);
  if (text.trimStart().startsWith('{')) {
    const { events, lines, counts } = parseJsonl(text);
    return { format: 'jsonl', events, planned: plannedIn(events), counts, lines };
  }
  const { events, planned, lines, counts, form, cut, notes } = parseTraceText(text);
  const logged = plannedIn(events);
  return {
    format: 'text',
    events,
    planned: logged.length > 0 ? logged : planned,
    counts,
    lines,
    form,
    cut,
    notes,
  };
}
