/**
 * Reads the two headers that nearly all lines of large traces have, character by character: those of trace-cmd and
 * ftrace, and of perf script. All others are left to {@link parseHeader}, whose answer for these is the same.
 */
import { type Header, LONGEST, wordsOf } from './text-header.ts';

const TAB = 9;
const BLANK = 32;
const HASH = 35;
const MINUS = 45;
const DOT = 46;
const SLASH = 47;
const ZERO = 48;
const COLON = 58;
const SQUARE_END = 93;
const UNDERSCORE = 95;

/** Longest name of a thread. */
const LONGEST_COMM = 16;
/** Before the host CPU stand at most a name, a process, a thread and blanks. */
const FARTHEST_CPU = LONGEST_COMM + 30;
/** Names that are remembered. */
const MOST_NAMES = 4096;
/** What ftrace writes for a CPU without a thread, and for threads whose names it lost. */
const NAMELESS: readonly string[] = ['<idle>', '<...>'];

const isDigit = (code: number): boolean => code >= ZERO && code <= 57;
const isLetter = (code: number): boolean => {
  const lower = code | 32;
  return lower >= 97 && lower <= 122;
};
const isBlank = (code: number): boolean => code === BLANK || code === TAB;
const isWord = (code: number): boolean => isLetter(code) || isDigit(code) || code === UNDERSCORE;

/** Offset behind the blanks at `at`. */
function behindBlanks(line: string, at: number): number {
  let end = at;
  while (isBlank(line.charCodeAt(end))) end++;
  return end;
}

/** Offset behind the digits at `at`. */
function behindDigits(line: string, at: number): number {
  let end = at;
  while (isDigit(line.charCodeAt(end))) end++;
  return end;
}

/** The number of the decimal digits from `at` to `end`; at most 15 of them. */
function decimal(line: string, at: number, end: number): number {
  let value = 0;
  for (let i = at; i < end; i++) value = 10 * value + line.charCodeAt(i) - ZERO;
  return value;
}

/** Offset behind flags of ftrace and the blanks after them; `at` if there are none. */
function behindFlags(line: string, at: number): number {
  let end = at;
  let telling = false;
  for (;;) {
    const code = line.charCodeAt(end);
    if (isLetter(code) || code === DOT || code === HASH) telling = true;
    else if (!isDigit(code)) break;
    end++;
  }
  const fits = telling && end - at >= 4 && end - at <= 7 && isBlank(line.charCodeAt(end));
  return fits ? behindBlanks(line, end) : at;
}

/** True if what stands before the thread's number could be something that others put before a line. */
function looksPrefixed(comm: string): boolean {
  if (NAMELESS.includes(comm)) return false;
  if (!isLetter(comm.charCodeAt(0)) || comm.includes('>')) return true;
  return comm.includes(':') && comm.includes(' ');
}

/** A name that was seen before, or the one between the offsets. */
function knownName(names: Map<number, string>, key: number, line: string, at: number, end: number): string {
  const known = names.get(key);
  if (known !== undefined && known.length === end - at && line.startsWith(known, at)) return known;
  const name = line.slice(at, end);
  if (names.size >= MOST_NAMES) names.clear();
  names.set(key, name);
  return name;
}

/** Reads headers; remembers names of threads and tracepoints, which lines repeat. */
export class HeaderScanner {
  readonly #comms = new Map<number, string>();
  readonly #names = new Map<number, string>();

  /** Header of a line as it stands, without prefixes; undefined if it is for {@link parseHeader} to tell. */
  scan(line: string): Header | undefined {
    const start = behindBlanks(line, 0);
    const square = line.indexOf('[', start);
    if (square < 0 || square > start + FARTHEST_CPU || line.length > LONGEST) return undefined;
    let end = square;
    while (isBlank(line.charCodeAt(end - 1))) end--;
    let at = end;
    while (isDigit(line.charCodeAt(at - 1))) at--;
    if (at === end || end === square || end - at > 10) return undefined;
    const pid = decimal(line, at, end);
    let separator = line.charCodeAt(at - 1);
    const perf = separator !== MINUS;
    if (perf && separator === SLASH) {
      end = --at;
      while (isDigit(line.charCodeAt(at - 1))) at--;
      if (at === end || end - at > 10) return undefined;
      separator = line.charCodeAt(at - 1);
    }
    if (perf && !isBlank(separator)) return undefined;
    at--;
    while (perf && isBlank(line.charCodeAt(at - 1))) at--;
    if (at <= start || at - start > LONGEST_COMM) return undefined;
    const last = line.charCodeAt(at - 1);
    if (last === MINUS || isBlank(last)) return undefined;
    const comm = knownName(this.#comms, pid, line, start, at);
    return looksPrefixed(comm) ? undefined : this.#fromCpu(line, square, perf, comm, pid);
  }

  #fromCpu(line: string, square: number, perf: boolean, comm: string, pid: number): Header | undefined {
    let end = behindDigits(line, square + 1);
    if (end === square + 1 || end > square + 5 || line.charCodeAt(end) !== SQUARE_END) return undefined;
    const cpu = decimal(line, square + 1, end);
    if (!isBlank(line.charCodeAt(end + 1))) return undefined;
    let at = behindFlags(line, behindBlanks(line, end + 1));
    end = behindDigits(line, at);
    if (end === at || end > at + 10 || line.charCodeAt(end) !== DOT) return undefined;
    const seconds = decimal(line, at, end);
    at = end + 1;
    end = behindDigits(line, at);
    const digits = end - at;
    if ((digits !== 6 && digits !== 9) || line.charCodeAt(end) !== COLON) return undefined;
    const ts = seconds * 1e9 + decimal(line, at, end) * (digits === 6 ? 1000 : 1);
    at = behindBlanks(line, end + 1);
    if (at === end + 1) return undefined;
    if (perf) {
      end = behindDigits(line, at);
      if (end > at && isBlank(line.charCodeAt(end))) at = behindBlanks(line, end);
    }
    end = behindName(line, at);
    if (end > at && line.charCodeAt(end) === COLON && !endsName(line, end)) {
      at = end + 1; // behind the system
      end = behindName(line, at);
    }
    if (end === at || line.charCodeAt(end) !== COLON || !endsName(line, end)) return undefined;
    const key = ((end - at) << 16) | (line.charCodeAt(at + 4) << 8) | line.charCodeAt(end - 1);
    const name = knownName(this.#names, key, line, at, end);
    const text = wordsOf(line.slice(behindBlanks(line, end + 1)), false);
    return { name, text, comm, pid, cpu, ts, pieces: 3 };
  }
}

/** Whether the colon at `at` is followed by nothing or by a blank. */
function endsName(line: string, at: number): boolean {
  return at + 1 >= line.length || isBlank(line.charCodeAt(at + 1));
}

/** Offset behind a name in lower case; `at` if there is none. */
function behindName(line: string, at: number): number {
  const first = line.charCodeAt(at);
  if (!(first >= 97 && first <= 122)) return at;
  let end = at + 1;
  while (isWord(line.charCodeAt(end))) end++;
  return end;
}
