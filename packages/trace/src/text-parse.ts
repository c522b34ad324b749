/**
 * Reads trace-cmd text: reports of 2015 and of today, and pieces of them as people paste them into mails
 * (wrapped lines, `> ` before lines, no task or time, `...` between).
 */
import { SmmError } from '@smm/x86-defs';
import type { RawRecord } from './c-layout.ts';
import { escapeText } from './escape.ts';
import type { TraceEvent, TraceEventName, TraceForm } from './events.ts';
import { plannedSmbases } from './planned.ts';
import { EVENT_NAMES, EVENT_TABLE, eventNameOf, membersFromRaw } from './table.ts';
import { compileTemplate } from './template.ts';
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
}

/** How to read. */
export interface ParseOptions {
  /**
   * Whose words the text has. A few say different things in both, such as the vector of `kvm_msi_set_irq`
   * (hexadecimal in 2015). If absent: today's where some line has words that only today's kernels print.
   */
  readonly form?: TraceForm;
}

type Reader = (text: string) => RawRecord | undefined;

interface Pending {
  readonly name: TraceEventName;
  readonly line: number;
  readonly cpu: number | undefined;
  readonly ts: number | undefined;
  readonly pid: number | undefined;
  readonly comm: string | undefined;
  text: string;
  raw: RawRecord | undefined;
}

// `      comm-pid   [cpu] flags seconds.fraction: ` with every part optional, as mails drop them. A comm has at
// most 15 characters in the kernel, so that nothing inside another tracepoint's text looks like a task.
const HEADER =
  /^\s*(?:(?<comm>\S.{0,15}?)-(?<pid>-?\d+)\s+)?(?:\[(?<cpu>\d+)\]\s+)?(?:[A-Za-z0-9.#]{4,5}\s+)?(?:(?<sec>\d+)\.(?<frac>\d{6}|\d{9}):\s+)?(?<name>kvm_\w+|smm_\w+|vcpu_match_mmio):(?=\s|$)\s*(?<text>.*)$/;
const QUOTE = /^(?:\s*>)+ ?/;
const MOST_CONTINUATIONS = 4;

/** Words that no kernel of 2015 printed. */
const CURRENT_WORDS =
  /kvm_smm_transition:|kvm_entry:\s+vcpu \d+, rip|info1 0x|kvm_page_fault:\s+vcpu|kvm_inj_virq:\s+(?:IRQ|Soft)|cpuid entry/;

function readersOf(name: TraceEventName, first: TraceForm): Reader[] {
  const { old, current, between = [], untold = {} } = EVENT_TABLE[name];
  const templates = new Set(
    [
      ...(first === '2015' ? [old.print, current.print] : [current.print, old.print]),
      old.plugin,
      current.plugin,
      ...between,
    ].filter((t) => t !== undefined),
  );
  return [...templates].map((template) => {
    const read = compileTemplate(template);
    return (text: string) => {
      const raw = read(text);
      if (!raw) return undefined;
      for (const [field, value] of Object.entries(untold)) {
        const told = raw[field];
        if (typeof value === 'bigint') raw[field] = value | (typeof told === 'bigint' ? told : 0n);
      }
      return raw;
    };
  });
}

function nanoseconds(sec: string, frac: string): number {
  return Number(sec) * 1e9 + Number(frac.padEnd(9, '0'));
}

function foreign(text: string, unread: ParsedText['unread']): SmmError {
  const lines = text.split('\n');
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

/**
 * Events of a trace-cmd report or of a pasted piece of one. Other tracepoints and prose are passed over.
 * @throws SmmError `TRACE_FOREIGN` if not one event is recognised; `details.lines` has line numbers.
 */
export function parseTraceText(text: string, options: ParseOptions = {}): ParsedText {
  const form = options.form ?? (CURRENT_WORDS.test(text) ? 'current' : '2015');
  const readers = new Map(EVENT_NAMES.map((name) => [name, readersOf(name, form)] as const));
  const read = (name: TraceEventName, message: string): RawRecord | undefined => {
    for (const reader of readers.get(name) ?? []) {
      const raw = reader(message);
      if (raw) return raw;
    }
    return undefined;
  };

  const events: TraceEvent[] = [];
  const lines: number[] = [];
  const unread: { line: number; text: string }[] = [];
  let timed = false;
  let ts = -1;

  const finish = (pending: Pending | undefined): void => {
    if (!pending) return;
    if (!pending.raw) {
      unread.push({ line: pending.line, text: `${pending.name}: ${pending.text}` });
      return;
    }
    if (pending.ts !== undefined) timed = true;
    ts = pending.ts ?? ts + 1;
    events.push({
      name: pending.name,
      ts,
      cpu: pending.cpu ?? 0,
      ...(pending.pid !== undefined && { pid: pending.pid }),
      ...(pending.comm !== undefined && { comm: pending.comm }),
      ...membersFromRaw(pending.name, pending.raw),
    } as TraceEvent);
    lines.push(pending.line);
  };

  let pending: Pending | undefined;
  let continuations = 0;
  for (const [index, original] of text.split(/\r?\n/).entries()) {
    const line = original.replace(QUOTE, '');
    const groups = HEADER.exec(line)?.groups;
    const name = groups?.['name'] === undefined ? undefined : eventNameOf(groups['name']);
    if (groups && name) {
      finish(pending);
      const message = (groups['text'] ?? '').trim();
      const { comm, pid, cpu, sec, frac } = groups;
      pending = {
        name,
        line: index + 1,
        cpu: cpu === undefined ? undefined : Number(cpu),
        ts: sec === undefined || frac === undefined ? undefined : nanoseconds(sec, frac),
        pid: pid === undefined ? undefined : Number(pid),
        comm,
        text: message,
        raw: read(name, message),
      };
      continuations = 0;
    } else if (pending && !groups && line.trim() !== '' && continuations < MOST_CONTINUATIONS) {
      // A wrapped line: taken only if the event reads with it.
      const joined = `${pending.text} ${line.trim()}`.trim();
      const raw = read(pending.name, joined);
      if (raw || !pending.raw) {
        pending.text = joined;
        pending.raw = raw;
        continuations++;
      } else {
        continuations = MOST_CONTINUATIONS;
      }
    } else {
      continuations = MOST_CONTINUATIONS;
    }
  }
  finish(pending);
  if (events.length === 0) throw foreign(text, unread);
  return { events: inferVcpus(events), lines, unread, timed, planned: plannedSmbases(text.split(/\r?\n/)) };
}
