/** Reads trace text that comes in pieces, in bounded memory: bytes in, events out. */
import { checkOptions, isCount, isOneOf, maybe, type OptionShape, SmmError } from '@smm/x86-defs';
import { TRACE_FORMS, type TraceEvent, type TraceForm } from './events.ts';
import type { ReadCounts } from './read-counts.ts';
import { cutWidth } from './text-cut.ts';
import { CURRENT_WORDS, type Note, type ParseOptions, plannedIn } from './text-parse.ts';
import { TextReader } from './text-reader.ts';
import { VcpuInference } from './vcpus.ts';

/** Bounds of a {@link TraceTextStream}. */
export interface TextStreamOptions extends ParseOptions {
  /** Characters from the beginning that tell whose words the text has; 1,048,576 if absent. */
  readonly formWindow?: number;
  /** Events that wait for one that tells whose thread theirs is; 65,536 if absent. */
  readonly mostWaiting?: number;
  /** Lines of logs and register dumps that are kept; 100,000 if absent. */
  readonly mostNotes?: number;
}

const STREAM_SHAPE: OptionShape<TextStreamOptions> = {
  form: maybe(isOneOf(TRACE_FORMS)),
  formWindow: maybe(isCount()),
  mostWaiting: maybe(isCount()),
  mostNotes: maybe(isCount()),
};

const CARRIAGE_RETURN = 13;
/** Characters of a line that are kept: longer ones hold no event. */
const LONGEST_LINE = 0x1_0000;

/** Takes a text in pieces of any size; `end` after the last. Its events are those of `parseTraceText`. */
export class TraceTextStream {
  readonly #options: TextStreamOptions;
  readonly #decoder = new TextDecoder();
  readonly #inference: VcpuInference;
  #reader: TextReader | undefined;
  #form: TraceForm | undefined;
  /** The beginning of the text, before its form is known; then of a line. */
  #rest = '';
  #cut = false;

  /** Throws `SmmError` `OPTION_VALUE` for bounds that are no counts. */
  constructor(options: TextStreamOptions = {}) {
    checkOptions('the options of a trace text stream', options, STREAM_SHAPE);
    this.#options = options;
    this.#inference = new VcpuInference(options.mostWaiting ?? 0x1_0000);
    this.#form = options.form;
  }

  /** The next piece: gives the events that are complete. */
  push(bytes: Uint8Array): TraceEvent[] {
    this.#rest += this.#decoder.decode(bytes, { stream: true });
    if (this.#form === undefined && this.#rest.length < (this.#options.formWindow ?? 0x10_0000)) return [];
    return this.#inference.push(this.#readLines());
  }

  /**
   * There are no more pieces: gives the last events.
   * @throws SmmError `TRACE_FOREIGN` if nothing of use was recognised in the whole text.
   */
  end(): TraceEvent[] {
    this.#rest += this.#decoder.decode();
    const events = this.#readLines();
    const reader = this.#started();
    const last = this.#rest;
    if (last !== '') reader.push(last);
    reader.end();
    const { counts, notes } = reader;
    this.#cut = last !== '' && reader.lines.at(-1) === counts.lines && /[0-9a-fx]$/.test(last);
    if (counts.events === 0 && notes.length === 0) {
      throw new SmmError(
        'TRACE_FOREIGN',
        `No KVM or machine event was recognised in ${counts.lines} lines of text.`,
        'Give the text of `trace-cmd report` for the events kvm:*, or a trace that this project wrote.',
      );
    }
    return [...this.#inference.push([...events, ...reader.take()]), ...this.#inference.end()];
  }

  /** What became of the lines; complete after `end`. */
  get counts(): ReadCounts {
    return this.#started().counts;
  }

  /** Whose words the text has; known for sure after `end`. */
  get form(): TraceForm {
    return this.#form ?? '2015';
  }

  /** Lines of logs and register dumps; complete after `end`. */
  get notes(): readonly Note[] {
    return this.#started().notes;
  }

  /** SMBASEs that a firmware debug log among the text plans, by CPU index. */
  get planned(): readonly number[] {
    return plannedIn(this.notes);
  }

  /** After `end`, true if the text ends in the middle of a line. */
  get cut(): boolean {
    return this.#cut;
  }

  #started(): TextReader {
    this.#form ??= CURRENT_WORDS.test(this.#rest) ? 'current' : '2015';
    this.#reader ??= new TextReader(this.#form, this.#options.mostNotes ?? 100_000, cutWidth(this.#rest));
    return this.#reader;
  }

  /** Reads the whole lines of what has come. */
  #readLines(): TraceEvent[] {
    const reader = this.#started();
    const text = this.#rest;
    let at = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
      reader.push(text.slice(at, text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end));
      at = end + 1;
    }
    this.#rest = text.slice(at, at + LONGEST_LINE);
    return reader.take();
  }
}
