/** Text as `trace-cmd report` prints it, in the words of a kernel of 2015 or of today. */

import { checkOptions, isFlag, isOneOf, isWhole, maybe } from '@smm/x86-defs';
import type { TraceEvent, TraceForm } from './events.ts';
import { MOST_CPUS, TRACE_FORMS } from './events.ts';
import { EVENT_TABLE, formOf, rawFromEvent, tracepointName } from './table.ts';
import { showTemplate } from './template.ts';

/** How to print. */
export interface TextOptions {
  /** Whose fields and words; `2015` if absent. */
  readonly form?: TraceForm;
  /**
   * Print `kvm_emulate_insn`, `kvm_exit` and today's `kvm_entry` as trace-cmd's KVM plugin does, rather than
   * by the kernel's own format (`trace-cmd report -N`). If absent: true for 2015, so that the text is what
   * people pasted then; false for today, where the plugin hides the VCPU of an exit.
   */
  readonly plugins?: boolean;
  /** Nanoseconds (`trace-cmd report -t`) instead of rounded microseconds. False if absent. */
  readonly nanoseconds?: boolean;
  /** Number of host CPUs for the first line; counted if absent. */
  readonly cpus?: number;
}

/** Thread id of VCPU 0's thread where nobody knows a real one; the other VCPUs follow. Those of the trace of 2015. */
export const FIRST_VCPU_PID = 22_084;
/** The name that a QEMU of 2015 gave to its threads, cut to 15 characters by the kernel. */
const COMM = 'qemu-system-i38';
/** Width of the event name's column. Measured on trace-cmd 3.1.6. */
const NAME_WIDTH = 20;

/** Thread that recorded an event; invented where the event carries none. */
export function threadOf(event: TraceEvent): {
  /** Thread id. */
  readonly pid: number;
  /** Thread name. */
  readonly comm: string;
} {
  return { pid: event.pid ?? FIRST_VCPU_PID + (event.vcpu ?? event.cpu), comm: event.comm ?? COMM };
}

/** Seconds, at least 5 wide, with 6 or 9 digits after the point. */
function seconds(ts: number, nanoseconds: boolean): string {
  const digits = nanoseconds ? 9 : 6;
  const units = nanoseconds ? Math.round(ts) : Math.round(ts / 1000);
  const scale = 10 ** digits;
  return `${String(Math.floor(units / scale)).padStart(5)}.${String(units % scale).padStart(digits, '0')}`;
}

/** What stands after the event's name. */
export function formatMessage(event: TraceEvent, options: TextOptions = {}): string {
  const form = options.form ?? '2015';
  const { print, plugin } = formOf(EVENT_TABLE[event.name], form);
  const template = (options.plugins ?? form === '2015') ? (plugin ?? print) : print;
  return showTemplate(template, rawFromEvent(event, form));
}

/** One line: task, CPU, time, name, message. */
export function formatEvent(event: TraceEvent, options: TextOptions = {}): string {
  const { pid, comm } = threadOf(event);
  const task = `${comm.padStart(16)}-${String(pid).padEnd(5)} [${String(event.cpu).padStart(3, '0')}]`;
  const name = `${tracepointName(event.name, options.form ?? '2015')}: `;
  const time = seconds(event.ts, options.nanoseconds ?? false);
  return `${task} ${time}: ${name.padEnd(NAME_WIDTH + 2)}${formatMessage(event, options)}`;
}

/** A whole report: the line `cpus=N`, then one line per event. Ends with a newline. */
export function formatTrace(events: readonly TraceEvent[], options: TextOptions = {}): string {
  checkOptions<TextOptions>('the options of formatTrace', options, {
    form: maybe(isOneOf(TRACE_FORMS)),
    plugins: maybe(isFlag),
    nanoseconds: maybe(isFlag),
    cpus: maybe(isWhole(1, MOST_CPUS)),
  });
  const cpus = options.cpus ?? events.reduce((most, event) => Math.max(most, event.cpu + 1), 1);
  return [`cpus=${cpus}`, ...events.map((event) => formatEvent(event, options)), ''].join('\n');
}

/**
 * Events in the order of `trace-cmd report`, which is also that of `readTraceDat`: by time in whole
 * nanoseconds, then by host CPU, then as they were. A copy. Runs whose CPUs have clocks of their own, and
 * events of one time, stand otherwise in the order in which they were recorded.
 */
export function inReportOrder(events: readonly TraceEvent[]): TraceEvent[] {
  return [...events].sort((a, b) => Math.round(a.ts) - Math.round(b.ts) || a.cpu - b.cpu);
}
