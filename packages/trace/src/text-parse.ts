/**
 * Reads trace text: reports of trace-cmd, ftrace's own files, perf script and perf trace, of kernels from 3.10 on,
 * and pieces of them as people paste them into mails (wrapped, quoted, quoted-printable, trimmed).
 */

import { checkOptions, isOneOf, maybe, SmmError } from '@smm/x86-defs';
import { escapeText } from './escape.ts';
import type { TraceEvent, TraceForm } from './events.ts';
import { TRACE_FORMS } from './events.ts';
import { plannedCpu } from './planned.ts';
import type { ReadCounts } from './read-counts.ts';
import { cutWidth } from './text-cut.ts';
import { TextReader } from './text-reader.ts';
import { inferVcpus } from './vcpus.ts';

/** What a text holds. */
export interface ParsedText {
  /** The events, in the order of the text. */
  readonly events: TraceEvent[];
  /** Line of the text where each event begins; the first line is 1. */
  readonly lines: number[];
  /** Lines that name a known event but say nothing that this package can read. */
  readonly unread: readonly {
    /** Line of the text, from 1. */
    readonly line: number;
    /** The event's name and what follows it. */
    readonly text: string;
  }[];
  /** True if the lines carry times. If not, `ts` only counts the events. */
  readonly timed: boolean;
  /** SMBASEs that a firmware debug log among the text plans, by CPU index; empty if there is none. */
  readonly planned: readonly number[];
  /** What became of every line. */
  readonly counts: ReadCounts;
  /** Whose words the text has. */
  readonly form: TraceForm;
  /** True if the text ends in the middle of a line, so that the last event's last number may be cut short. */
  readonly cut: boolean;
  /** Lines that are no events and yet tell something: debug logs of firmware, register dumps of QEMU. */
  readonly notes: readonly Note[];
}

/** A line that is no event. */
export interface Note {
  /** Line of the text, from 1. */
  readonly line: number;
  /** The line without quotes and dates. */
  readonly text: string;
}

/** How to read. */
export interface ParseOptions {
  /**
   * Whose words the text has. A few say different things in both, such as the vector of `kvm_msi_set_irq`
   * (hexadecimal in 2015). If absent: today's where some line has words that only today's kernels print.
   */
  readonly form?: TraceForm;
}

/** Words that no kernel of 2015 printed. */
export const CURRENT_WORDS =
  /kvm_smm_transition:|kvm_entry:\s+vcpu \d+,? rip|info1 0x|kvm_page_fault:\s+vcpu|kvm_inj_virq:\s+(?:IRQ|Soft)|cpuid entry/;

function foreign(lines: readonly string[], unread: ParsedText['unread']): SmmError {
  const shown = unread.length
    ? unread.slice(0, 3)
    : lines
        .map((content, i) => ({ line: i + 1, text: content.trim() }))
        .filter((each) => each.text !== '')
        .slice(0, 3);
  const where = shown
    .map(({ line, text: content }) => `line ${line}: "${escapeText(content.slice(0, 60))}"`)
    .join('; ');
  return new SmmError(
    'TRACE_FOREIGN',
    `No KVM or machine event was recognised in ${lines.length} lines of text${where ? ` (${where})` : ''}.`,
    'Give the text of `trace-cmd report` for the events kvm:*, or a trace that this project wrote.',
    { lines: shown.map(({ line }) => line) },
  );
}

/** SMBASEs that notes plan, by CPU index. */
export function plannedIn(notes: readonly Note[]): number[] {
  const planned: number[] = [];
  for (const { text } of notes) {
    const cpu = plannedCpu(text);
    if (cpu) planned[cpu.index] = cpu.smbase;
  }
  return planned;
}

/**
 * Events of a trace report or of a pasted piece of one. Other tracepoints and prose are passed over and counted.
 * @throws SmmError `TRACE_FOREIGN` if nothing of use is recognised; `details.lines` has line numbers.
 */
export function parseTraceText(text: string, options: ParseOptions = {}): ParsedText {
  checkOptions<ParseOptions>('the options of parseTraceText', options, {
    form: maybe(isOneOf(TRACE_FORMS)),
  });
  const form = options.form ?? (CURRENT_WORDS.test(text) ? 'current' : '2015');
  const lines = text.split(/\r?\n/);
  const unterminated = lines[lines.length - 1] !== '';
  if (!unterminated) lines.pop();
  const reader = new TextReader(form, Number.POSITIVE_INFINITY, cutWidth(text));
  for (const line of lines) reader.push(line);
  reader.end();
  const { events, unread, counts, notes } = reader;
  if (events.length === 0 && notes.length === 0) throw foreign(lines, unread);
  const lastLine = reader.lines[reader.lines.length - 1];
  return {
    events: inferVcpus(events),
    lines: reader.lines,
    unread,
    timed: reader.timed,
    planned: plannedIn(notes),
    counts,
    form,
    cut: unterminated && lastLine === lines.length && /[0-9a-fx]$/.test(text),
    notes,
  };
}
