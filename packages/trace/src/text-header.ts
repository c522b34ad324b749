/**
 * What stands before an event's own words in a line of text: task, CPU, flags, time and name, as ftrace, trace-cmd
 * and perf write them, after what mailers, loggers and terminals put before that.
 */

/** What a line tells of an event before its own words. */
export interface Header {
  /** Tracepoint, without its system. */
  readonly name: string;
  /** What follows the name. */
  readonly text: string;
  /** Name of the thread. */
  readonly comm?: string;
  /** Thread id. */
  readonly pid?: number;
  /** Host CPU. */
  readonly cpu?: number;
  /** Trace clock in nanoseconds. */
  readonly ts?: number;
  /** How many of task, CPU and time it tells. */
  readonly pieces: number;
}

// A comm has at most 15 characters in the kernel, so that nothing inside another tracepoint's text looks like one.
const COMM = String.raw`(?<comm>[^\s\[(].{0,15}?)`;
const PID = String.raw`(?<pid>-?\d{1,10})`;
const TGID = String.raw`(?:\(\s*[-\d]+\)\s+)?`;
const CPU = String.raw`\[(?<cpu>\d{1,4})\]`;
/** Interrupts off, need-resched, hard or soft interrupt, preemption and migration counts; RT kernels have seven. */
const FLAGS = String.raw`(?=\S*[.a-zA-Z#])[.a-zA-Z0-9#]{4,7}`;
const SECONDS = String.raw`(?<sec>\d{1,10})\.(?<frac>\d{6}|\d{9}):`;
const COUNTER = String.raw`(?<ticks>\d{1,19})(?<us>us)?[ +!#$*@]{0,2}:`;
const TIME = String.raw`(?:${SECONDS}|${COUNTER})(?:\s+\(\+[\d.]+\))?`;
// With a system before it, as perf writes, or alone. Perf trace puts the words in brackets or right behind the colon.
const NAME = String.raw`(?:(?<system>[a-z][\w.-]*):)?(?<name>[A-Za-z_][\w.]*)(?<open>:(?=\s|$)|\(|:(?=[a-z]+[ _:]))(?<gap>\s*)(?<text>[^]*)$`;

/** Shapes of a line, most frequent first. */
const SHAPES: readonly RegExp[] = [
  // trace-cmd report, ftrace's trace and trace_pipe: `comm-pid (tgid) [cpu] flags time: name: words`.
  `(?:${COMM}-${PID}\\s+${TGID})?(?:${CPU}\\s*|CPU\\s+(?<cpu2>\\d{1,4}):?\\s+)?(?:${FLAGS}\\s+)?(?:${TIME}\\s+)?${NAME}`,
  // The latency format: `comm-pid cpu+flags time: name: words`.
  `(?:${COMM}-${PID}\\s+${TGID})?(?<cpu>\\d{1,4})(?:${FLAGS}|-0x[0-9a-f]{1,8})\\s+${TIME}\\s+${NAME}`,
  // perf script: `comm pid/tid [cpu] time: count system:name: words`.
  `${COMM}\\s+${PID}(?:/(?<tid>\\d{1,10}))?\\s+(?:${FLAGS}\\s+)?${CPU}\\s+(?:${FLAGS}\\s+)?${SECONDS}\\s+(?:\\d+\\s+)?${NAME}`,
  `${COMM}\\s+${PID}(?:/(?<tid>\\d{1,10}))?\\s+${SECONDS}\\s+(?:\\d+\\s+)?${NAME}`,
  `${CPU}\\s+${SECONDS}\\s+\\d+\\s+${NAME}`,
  `${COMM}\\s+${SECONDS}\\s+(?:\\d+\\s+)?${NAME}`,
  // perf trace: `milliseconds (duration): comm/tid system:name(fields)`.
  `(?<ms>\\d{1,12}\\.\\d{3})\\s+(?:\\([^)]*\\):?\\s+)?(?:${COMM}/${PID}\\s+)?${NAME}`,
].map((shape) => new RegExp(`^\\s*${shape}`));

/** The beginning of a line that a mailer wrapped before the name. */
const UNFINISHED = [
  `${COMM}-${PID}(?:\\s+${TGID}(?:${CPU}(?:\\s+${FLAGS})?(?:\\s+${TIME})?)?)?`,
  `${COMM}-${PID}\\s+${TGID}\\d{1,4}${FLAGS}(?:\\s+${TIME})?`,
  `${COMM}\\s+${PID}(?:/\\d{1,10})?\\s+(?:${FLAGS}\\s+)?${CPU}(?:\\s+${SECONDS})?`,
  `${CPU}(?:\\s+${FLAGS})?(?:\\s+${TIME})?`,
  `(?:${FLAGS}\\s+)?${SECONDS}`,
].map((shape) => new RegExp(`^\\s*(?:${shape.replace(/\?<\w+>/g, '?:')})\\s*$`));

/** What others put before a line: quotes, numbers of kernel messages, dates, names of hosts and files. */
const PREFIXES: readonly RegExp[] = [
  /^(?:\s*[A-Za-z]{0,3}>)+ ?/,
  /^\s*\| ?/,
  /^\s*<\d{1,3}>/,
  /^\s*\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?\s/,
  /^\s*[A-Z][a-z]{2}\s+\d{1,2}\s\d\d:\d\d:\d\d(?:\.\d+)?\s(?:\S+\s(?:kernel|[\w-]+\[\d+\]):\s)?/,
  /^\s*\S+\s(?:kernel|[\w-]+\[\d+\]):\s/,
  /^\s*\d\d:\d\d:\d\d(?:[.,]\d+)?:?\s/,
  /^\s*\[\s*\d+\.\d{6}\](?=\s)/,
  /^\s*\[[A-Z][a-z]{2} [A-Z][a-z]{2}\s+\d{1,2} \d\d:\d\d:\d\d(?:\.\d+)? \d{4}\](?=\s)/,
  /^\s*\S+\.dat:\s/,
];
const MOST_PREFIXES = 4;
/** Longest line that can be an event; what is longer is passed over. */
export const LONGEST = 8192;
/** Lines without task, CPU and time are events only under such names, so that prose is none. */
const OUR_NAMES =
  /^(?:kvm\w*|smm_\w+|vcpu_match_mmio|mark_mmio_spte|handle_mmio_page_fault|check_mmio_spte)$/;

/** A line without what others put before it. */
export function withoutPrefixes(line: string): string {
  let rest = line;
  for (let i = 0; i < MOST_PREFIXES; i++) {
    const found = PREFIXES.map((prefix) => prefix.exec(rest)).find((match) => match !== null);
    if (!found) break;
    rest = rest.slice(found[0].length);
  }
  return rest;
}

function timeOf(groups: Readonly<Record<string, string | undefined>>): number | undefined {
  const { sec, frac, ticks, us, ms } = groups;
  if (sec !== undefined && frac !== undefined) return Number(sec) * 1e9 + Number(frac.padEnd(9, '0'));
  if (ms !== undefined) return Math.round(Number(ms) * 1e6);
  return ticks === undefined ? undefined : Number(ticks) * (us ? 1000 : 1);
}

/** An event's words without the bracket that perf trace closes them with. */
export function wordsOf(text: string, opened: boolean): string {
  const words = text.trim();
  const unbalanced = words.endsWith(')') && !words.includes('(');
  return opened || unbalanced ? words.replace(/\)$/, '').trim() : words;
}

/** Header of a line without prefixes; undefined if no event begins in it. */
export function parseHeader(line: string): Header | undefined {
  if (line.length > LONGEST || !/[:(]/.test(line)) return undefined;
  let best: Header | undefined;
  for (const shape of SHAPES) {
    const groups = shape.exec(line)?.groups;
    const name = groups?.['name'];
    if (!groups || name === undefined) continue;
    const { comm, tid, pid, cpu = groups['cpu2'], system, open } = groups;
    const ts = timeOf(groups);
    const thread = tid ?? pid;
    const pieces = (thread === undefined ? 0 : 1) + (cpu === undefined ? 0 : 1) + (ts === undefined ? 0 : 1);
    // Without a blank behind it, a name must have a system before it.
    if (groups['gap'] === '' && groups['text'] !== '' && system === undefined) continue;
    if (pieces === 0 && !OUR_NAMES.test(name)) continue;
    if (best && best.pieces >= pieces) continue;
    best = {
      name,
      text: wordsOf(groups['text'] ?? '', open === '('),
      ...(comm !== undefined && { comm: comm.trim() }),
      ...(thread !== undefined && { pid: Number(thread) }),
      ...(cpu !== undefined && { cpu: Number(cpu) }),
      ...(ts !== undefined && { ts }),
      pieces,
    };
    if (pieces === 3) break;
  }
  return best;
}

/** True for the beginning of a header, which the next line may go on with. */
export function isUnfinishedHeader(line: string): boolean {
  return line.length <= LONGEST && line.trim() !== '' && UNFINISHED.some((shape) => shape.test(line));
}
