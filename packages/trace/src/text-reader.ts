/** Reads a trace's text line by line, puts wrapped lines together, and knows what became of each. */
import type { TraceEvent, TraceEventName, TraceForm } from './events.ts';
import { isNote } from './notes.ts';
import { NameCounter, type ReadCounts } from './read-counts.ts';
import { eventNameOf } from './table.ts';
import { isCutLine } from './text-cut.ts';
import type { Members } from './text-groups.ts';
import { type Header, isUnfinishedHeader, parseHeader, withoutPrefixes } from './text-header.ts';
import { HeaderScanner } from './text-header-scan.ts';
import { type MessageReader, messageReader } from './text-message.ts';

/** Lines that one event may be wrapped into. */
const MOST_CONTINUATIONS = 8;
/** `CPU:3 [LOST 1234 EVENTS]` and `CPU 3 [LOST ...]`, of ftrace and trace-cmd. */
const LOST = /\[LOST\s+\d*\s*EVENTS\]|\[\d+ EVENTS DROPPED\]/i;
/** Thread names that are remembered. */
const MOST_NAMES = 4096;
const EQUALS = 61;
const SOFT_BREAK = /=\s*$/;
/** An escape of quoted-printable. */
const ESCAPE = /=([0-9A-F]{2})/g;

/** What trace-cmd prints where its plugin and the file's format disagree; the file's own words follow. */
const COMPLAINT = /^.*<CANT FIND FIELD \w+>/;

/** An event whose words may go on in the next line. */
interface Pending {
  readonly header: Header;
  readonly name: TraceEventName;
  readonly line: number;
  /** Its words with all lines after it so far, whether they belong to it or not. */
  text: string;
  /** What the words say, up to the last line that made them readable. */
  members: Members | undefined;
  /** Lines taken as its continuation. */
  taken: number;
  /** Lines tried since the last one that made it readable. */
  tried: number;
}

/** True for a line that ends in `=`, blanks aside. */
function isSoftBroken(line: string): boolean {
  let end = line.length;
  while (line.charCodeAt(end - 1) <= 32) end--;
  const last = line.charCodeAt(end - 1);
  return (last === EQUALS || last > 127) && SOFT_BREAK.test(line);
}

function decodeEscapes(text: string): string {
  return text.replace(ESCAPE, (_all, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** Takes lines in order; `end` after the last. */
export class TextReader {
  /** Events so far, without VCPUs that only the threads tell. */
  events: TraceEvent[] = [];
  /** Line of each event, from 1. */
  readonly lines: number[] = [];
  /** Lines that name a known event and were not understood. */
  readonly unread: { line: number; text: string }[] = [];
  /** Lines of firmware logs and register dumps. */
  readonly notes: { line: number; text: string }[] = [];
  /** True once a line had a time. */
  timed = false;

  readonly #read: MessageReader;
  readonly #mostKept: number;
  readonly #width: number | undefined;
  /** The line at hand is cut. */
  #cut = false;
  readonly #scanner = new HeaderScanner();
  readonly #comms = new Map<string, string>();
  #eventCount = 0;
  #unreadCount = 0;
  readonly #unreadNames = new NameCounter();
  readonly #tracepoints = new NameCounter();
  #lineCount = 0;
  #continued = 0;
  #passedOver = 0;
  #lost = 0;
  #ts = -1;
  #pending: Pending | undefined;
  /** Beginning of a header that the next line may go on with, and how many lines it is. */
  #held: { text: string; lines: number } | undefined;
  /** Lines that end in `=`, as quoted-printable breaks them. */
  #soft: { line: number; text: string }[] = [];

  /**
   * `mostKept`: lines not understood, and notes, that are kept; of the others only the number. `width`: where lines are
   * cut; events whose last number may lack digits are not understood.
   */
  constructor(form: TraceForm, mostKept: number = Number.POSITIVE_INFINITY, width?: number) {
    this.#read = messageReader(form);
    this.#mostKept = mostKept;
    this.#width = width;
  }

  /** Takes the events so far out of the reader, which then holds none. */
  take(): TraceEvent[] {
    const { events } = this;
    this.events = [];
    this.lines.length = 0;
    return events;
  }

  /** What became of the lines; complete after `end`. */
  get counts(): ReadCounts {
    return {
      unit: 'line',
      lines: this.#lineCount,
      events: this.#eventCount,
      continued: this.#continued,
      notUnderstood: this.#unreadCount,
      passedOver: this.#passedOver,
      unread: this.#unreadNames.list,
      tracepoints: this.#tracepoints.list,
      lost: this.#lost,
    };
  }

  /** The next line, without its end. */
  push(original: string): void {
    this.#lineCount++;
    this.#cut = isCutLine(original, this.#width);
    const soft = isSoftBroken(original);
    if (!soft && this.#soft.length === 0) {
      const header = this.#scanner.scan(original);
      if (header) {
        this.#drop();
        this.#begin(header, this.#lineCount);
        return;
      }
    }
    const line = { line: this.#lineCount, text: original };
    if (soft && this.#soft.length < MOST_CONTINUATIONS) {
      this.#soft.push(line);
      return;
    }
    if (this.#soft.length > 0) this.#endSoft(line);
    else this.#take(line.text, line.line);
  }

  /** There are no more lines. */
  end(): void {
    this.#flushSoft();
    this.#drop();
    this.#finish();
  }

  /** A line after lines that end in `=`: one line if that can be read, else each for itself. */
  #endSoft(last: { line: number; text: string }): void {
    const joined = [...this.#soft.map(({ text }) => text.replace(SOFT_BREAK, '')), last.text].join('');
    const line = decodeEscapes(withoutPrefixes(joined));
    const header = parseHeader(line);
    const name = header && eventNameOf(header.name);
    const first = this.#soft[0]?.line ?? last.line;
    if (header && (name === undefined || this.#read(name, header.text))) {
      const more = this.#soft.length;
      this.#soft = [];
      this.#take(line, first);
      this.#continued += more;
      return;
    }
    this.#flushSoft();
    this.#take(last.text, last.line);
  }

  #flushSoft(): void {
    const soft = this.#soft;
    this.#soft = [];
    for (const { line, text } of soft) this.#take(text, line);
  }

  #take(original: string, number: number): void {
    const line = withoutPrefixes(original);
    const own = parseHeader(line) ?? this.#decoded(line);
    const held = this.#held;
    if (held) {
      const joined = parseHeader(`${held.text} ${line.trim()}`);
      if (joined && joined.pieces > (own?.pieces ?? -1)) {
        this.#held = undefined;
        this.#continued += held.lines;
        this.#begin(joined, number - held.lines);
        return;
      }
      if (own === undefined && isUnfinishedHeader(`${held.text} ${line.trim()}`)) {
        this.#held = { text: `${held.text} ${line.trim()}`, lines: held.lines + 1 };
        return;
      }
      this.#drop();
    }
    // A piece of another event's words can look like a foreign tracepoint.
    const doubtful = own && own.pieces < 3 && eventNameOf(own.name) === undefined;
    if ((!own || doubtful) && this.#extend(line)) return;
    if (own) {
      this.#begin(own, number);
    } else if (isUnfinishedHeader(line)) {
      this.#finish();
      this.#held = { text: line.trim(), lines: 1 };
    } else {
      this.#passOver(line, number);
    }
  }

  #decoded(line: string): Header | undefined {
    ESCAPE.lastIndex = 0;
    return ESCAPE.test(line) ? parseHeader(decodeEscapes(line)) : undefined;
  }

  /** The beginning of a header that nothing went on with. */
  #drop(): void {
    this.#passedOver += this.#held?.lines ?? 0;
    this.#held = undefined;
  }

  /** An event begins. */
  #begin(header: Header, line: number): void {
    const name = eventNameOf(header.name);
    this.#finish();
    if (name === undefined) {
      this.#passedOver++;
      this.#tracepoints.add(header.name, line, () => header.text.slice(0, 120));
      return;
    }
    this.#pending = { header, name, line, text: header.text, members: undefined, taken: 0, tried: 0 };
    if (!this.#cut) this.#pending.members = this.#understand(this.#pending, header.text);
  }

  #understand({ name }: Pending, words: string): Members | undefined {
    const text = words.includes('<CANT') ? words.replace(COMPLAINT, '') : words;
    return (
      this.#read(name, text) ??
      (text.includes('=') ? this.#read(name, decodeEscapes(text).trim()) : undefined)
    );
  }

  /** Takes a line as the continuation of the event before, if the event reads with it. */
  #extend(line: string): boolean {
    const pending = this.#pending;
    const more = line.trim();
    if (!pending || more === '' || pending.taken + pending.tried >= MOST_CONTINUATIONS) return false;
    // Mailers wrap at blanks, terminals anywhere.
    const glued = line === more && pending.text !== '' ? [`${pending.text}${more}`] : [];
    for (const text of [`${pending.text} ${more}`.trim(), ...glued]) {
      const members = this.#understand(pending, text);
      if (!members) continue;
      pending.text = text;
      pending.members = members;
      // Lines that were passed over on the way belong to it after all.
      this.#passedOver -= pending.tried;
      this.#continued += pending.tried + 1;
      pending.taken += pending.tried + 1;
      pending.tried = 0;
      return true;
    }
    return false;
  }

  /** A line that belongs to no event, unless the next one makes it belong to the event before. */
  #passOver(line: string, number: number): void {
    this.#passedOver++;
    if (LOST.test(line)) this.#lost++;
    if (isNote(line) && this.notes.length < this.#mostKept) {
      this.notes.push({ line: number, text: line.trim() });
    }
    const pending = this.#pending;
    if (!pending) return;
    if (line.trim() === '' || pending.taken + pending.tried >= MOST_CONTINUATIONS) {
      this.#finish();
    } else {
      pending.text = `${pending.text} ${line.trim()}`.trim();
      pending.tried++;
    }
  }

  #finish(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (!pending) return;
    const { name, header, members, line } = pending;
    if (!members) {
      this.#unreadCount++;
      if (this.unread.length < this.#mostKept) {
        this.unread.push({ line, text: `${header.name}: ${header.text}` });
      }
      this.#unreadNames.add(header.name, line, () => header.text.slice(0, 120));
      return;
    }
    const { ts, cpu, pid, comm } = header;
    if (ts !== undefined) this.timed = true;
    this.#ts = ts ?? this.#ts + 1;
    this.#eventCount++;
    members['name'] = name;
    members['ts'] = this.#ts;
    members['cpu'] = cpu ?? 0;
    if (pid !== undefined) members['pid'] = pid;
    if (comm !== undefined) members['comm'] = this.#interned(comm);
    this.events.push(members as unknown as TraceEvent);
    this.lines.push(line);
  }

  /** One string for each thread name: a part of a line would hold the whole text in memory. */
  #interned(comm: string): string {
    const known = this.#comms.get(comm);
    if (known !== undefined) return known;
    if (this.#comms.size >= MOST_NAMES) this.#comms.clear();
    this.#comms.set(comm, comm);
    return comm;
  }
}
