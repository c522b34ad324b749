/** What became of everything that a trace file holds, so that nothing vanishes unseen. */

/** How often something was met, and the first of it. */
export interface NameCount {
  /** The tracepoint. */
  readonly name: string;
  /** How many lines or records. */
  readonly count: number;
  /** The first of them. */
  readonly first: {
    /** Line of the text, from 1; of a trace.dat the number of the record. */
    readonly line: number;
    /** What it says. */
    readonly text: string;
  };
}

/**
 * What became of a file's lines (of a trace.dat: its records). Always
 * `lines = events + continued + notUnderstood + passedOver`.
 */
export interface ReadCounts {
  /** What is counted. */
  readonly unit: 'line' | 'record';
  /** All lines or records. */
  readonly lines: number;
  /** Events that were read. */
  readonly events: number;
  /** Lines that belong to the event before or after them: what a mailer wrapped. */
  readonly continued: number;
  /** Lines that name a known event and say nothing that could be read. */
  readonly notUnderstood: number;
  /** Lines of other tracepoints, of logs and dumps, prose and empty lines. */
  readonly passedOver: number;
  /** What was not understood, by name. */
  readonly unread: readonly NameCount[];
  /** Tracepoints that were passed over because this package has no row for them, by name. */
  readonly tracepoints: readonly NameCount[];
  /** Places where the recorder itself says that it lost events. */
  readonly lost: number;
}

/** Counts per name, in order of their first appearance. */
export class NameCounter {
  readonly #counts = new Map<string, { name: string; count: number; first: NameCount['first'] }>();

  /** One more; `text` is asked for the first time only. */
  add(name: string, line: number, text: () => string): void {
    const known = this.#counts.get(name);
    if (known) known.count++;
    else this.#counts.set(name, { name, count: 1, first: { line, text: text() } });
  }

  /** All of them. */
  get list(): readonly NameCount[] {
    return [...this.#counts.values()];
  }

  /** How many in all. */
  get total(): number {
    return this.list.reduce((sum, { count }) => sum + count, 0);
  }
}

/** Whether what was not read could hold what a diagnosis would rest on. */
export function couldHideFailure({ notUnderstood, lost }: ReadCounts): boolean {
  return notUnderstood > 0 || lost > 0;
}
