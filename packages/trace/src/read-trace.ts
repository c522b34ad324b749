/** Reads a trace file of any of the formats that this package reads. */
import { isTraceDat, readTraceDat } from './dat-read.ts';
import type { TraceEvent } from './events.ts';
import { readJsonl } from './jsonl.ts';
import { plannedSmbases } from './planned.ts';
import { parseTraceText } from './text-parse.ts';

/** A trace read from a file. */
export interface TraceFile {
  /** What the file was. */
  readonly format: 'trace.dat' | 'jsonl' | 'text';
  /** The events. */
  readonly events: TraceEvent[];
  /** SMBASEs that a firmware debug log in the file plans, by CPU index; empty if there is none. */
  readonly planned: readonly number[];
  /** For text and JSONL, the line where each event begins, from 1. */
  readonly lines?: readonly number[];
}

function plannedIn(events: readonly TraceEvent[]): number[] {
  return plannedSmbases(events.flatMap((event) => (event.name === 'smm_debugcon' ? [event.text] : [])));
}

/**
 * Events of a trace.dat, JSONL or trace-cmd text file, told apart by their first bytes.
 * @throws SmmError `TRACE_FOREIGN` or `TRACE_TRUNCATED`, and what {@link readTraceDat} throws.
 */
export function readTrace(bytes: Uint8Array): TraceFile {
  if (isTraceDat(bytes)) {
    const { events } = readTraceDat(bytes);
    return { format: 'trace.dat', events, planned: plannedIn(events) };
  }
  const text = new TextDecoder().decode(bytes);
  if (text.trimStart().startsWith('{')) {
    const events = readJsonl(text);
    const lines = text.split('\n').flatMap((line, index) => (line.trim() === '' ? [] : [index + 1]));
    return { format: 'jsonl', events, planned: plannedIn(events), lines };
  }
  const { events, planned, lines } = parseTraceText(text);
  const logged = plannedIn(events);
  return { format: 'text', events, planned: logged.length > 0 ? logged : planned, lines };
}
