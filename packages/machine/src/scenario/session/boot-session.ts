/**
 * A boot that somebody watches: run in pieces, with text out as it comes, keys or lines in, the variables kept, and no
 * work while the guest is idle. What it needs of the outside world it is given, so that it runs in a web page as in a
 * terminal.
 */
import {
  checkOptions,
  isCount,
  isFlag,
  isFunction,
  isObject,
  isPositive,
  isShape,
  maybe,
  type OptionShape,
} from '@smm/x86-defs';
import { Boot } from '../boot/boot.ts';
import type { BootOptions } from '../boot/boot-options.ts';
import { type BootRunOptions, bootInPieces, isGoal, lastWordSentence } from '../boot/boot-run.ts';
import type { BootReport } from '../boot/report.ts';
import { LineFeeder } from './line-feeder.ts';
import { VarsKeeper } from './vars-keeper.ts';

/** The outside world of a session. */
export interface SessionHost {
  /** Wall-clock milliseconds from some moment. */
  readonly now: () => number;
  /** Lets the host's events through between two pieces of work: a timer of 0, a message to oneself. */
  readonly breathe: () => Promise<void>;
  /** Waits, but no longer than until input comes. Default: a busy wait of pieces. */
  readonly rest?: (milliseconds: number) => Promise<void>;
}

/** What to boot, and where its text and its variables go. */
export interface SessionOptions extends Pick<BootRunOptions, 'until' | 'budget' | 'noReboot'> {
  /** The machine and its images. */
  readonly machine: Omit<BootOptions, 'serial' | 'roomAgain' | 'varsWritten'>;
  /** The outside world. */
  readonly host: SessionHost;
  /** Takes what the guest printed, some bytes at a time. */
  readonly show?: (bytes: Uint8Array) => void;
  /**
   * Input comes as lines of text ({@link BootSession.lines}), not as keys ({@link BootSession.send}). Default false.
   */
  readonly fed?: boolean;
  /**
   * Keeps the variable store after changes of the guest's; default: it is kept nowhere. What it throws ends the run.
   */
  readonly keepVars?: (image: Uint8Array) => void;
  /** Called after each piece, which takes some 50 ms. */
  readonly progress?: (session: BootSession) => void;
  /** Somebody may press the power button, so that the guest may stay in S3 though nothing of its own will end it. */
  readonly attended?: boolean;
  /** Wall-clock seconds after which it is given up. Default: none. */
  readonly timeout?: number | undefined;
}

/** How a session ended. */
export interface SessionResult {
  /** What became of the guest. */
  readonly report: BootReport;
  /** The user left, or every line of the input was run: nothing failed. */
  readonly left: boolean;
  /** Wall-clock seconds. */
  readonly seconds: number;
}

const SESSION_SHAPE: OptionShape<SessionOptions> = {
  machine: isObject, // Boot checks it
  until: isGoal,
  budget: maybe(isCount()),
  noReboot: maybe(isFlag),
  host: isShape<SessionHost>({ now: isFunction, breathe: isFunction, rest: maybe(isFunction) }),
  show: maybe(isFunction),
  fed: maybe(isFlag),
  keepVars: maybe(isFunction),
  progress: maybe(isFunction),
  attended: maybe(isFlag),
  timeout: maybe(isPositive),
};

/** Keys that wait for the guest, at most. */
const MOST_TO_GUEST = 65_536;
/** Virtual nanoseconds per piece where somebody may press a key. */
const PIECE_NS = 20_000_000;
/** Milliseconds for which signals, keys and the time limit wait at most for a busy guest. */
const LONGEST_PIECE_MS = 50;
/** Longest rest of an idle guest, milliseconds. */
const LONGEST_REST_MS = 50;
const NS_PER_MS = 1_000_000;
/** Virtual seconds of silence away from a prompt. */
const SILENCE = {
  /** After which it is taken to want the key that its last line asks for; longer than a countdown's tick. */
  asks: 3,
  /** After which one that waits will wait for ever. */
  waits: 60,
  /** After which one that computes is left. */
  computes: 600,
};
/** Part of the time in which a guest that waits executes at most. */
const WAITING = 0.5;

/**
 * One boot with its surroundings. Throws `SmmError` `OPTION_VALUE` for options that are none, and what `Boot` throws.
 */
export class BootSession {
  /** The machine with its firmware. */
  readonly boot: Boot;
  /** Where lines of input go, if it is fed. */
  readonly lines: LineFeeder | undefined;
  readonly #options: SessionOptions;
  readonly #vars: VarsKeeper | undefined;
  /** Bytes for the guest that its serial port had no room for. */
  readonly #toGuest: number[] = [];
  /** Keys that were dropped: the guest reads none, and so many as are kept wait already. */
  lost = 0;
  #unshown: number[] = [];
  /** Virtual time and instructions when the guest last printed, or got a key. */
  #heard = { ns: 0, retired: 0 };
  #left = false;
  #stopped = false;
  #startedAt: number | undefined;

  constructor(options: SessionOptions) {
    checkOptions('the options of a session', options, SESSION_SHAPE);
    this.#options = options;
    const { keepVars, host } = options;
    this.boot = new Boot({
      ...options.machine,
      serial: (byte) => this.#fromGuest(byte),
      roomAgain: () => this.#pump(),
      varsWritten: () => this.#vars?.changed(),
    });
    this.#vars =
      keepVars && new VarsKeeper({ write: keepVars, image: () => this.boot.vars(), now: () => host.now() });
    this.lines = options.fed === true ? new LineFeeder((byte) => this.send(byte)) : undefined;
  }

  /** A byte for the guest's serial port, as soon as there is room; see {@link lost}. */
  send(byte: number): void {
    if (this.#toGuest.length < MOST_TO_GUEST) this.#toGuest.push(byte);
    else this.lost++;
  }

  /** So much waits for the guest that reading should pause. */
  get full(): boolean {
    return this.lines?.full ?? this.#toGuest.length >= MOST_TO_GUEST / 2;
  }

  /** Presses the power button: an event for the OS, and the end of S3. */
  pressPowerButton(): void {
    this.boot.machine.pressPowerButton();
  }

  /** The user leaves: the run ends after this piece. */
  leave(): void {
    this.#left = true;
  }

  /** Keeps the variables now, if the guest has changed any since they were kept. */
  saveVars(): void {
    this.#vars?.save();
  }

  /** The variables have been kept at least once. */
  get varsKept(): boolean {
    return this.#vars?.written === true;
  }

  /** Wall-clock seconds since the run began. */
  get seconds(): number {
    const now = this.#options.host.now();
    return (now - (this.#startedAt ?? now)) / 1000;
  }

  /** Runs to its end. Ask for it once. */
  async run(): Promise<SessionResult> {
    const { until, budget, noReboot, attended, timeout, host, progress } = this.#options;
    const { machine } = this.boot;
    const interactive = until === undefined;
    let pieceBegan = host.now();
    this.#startedAt = pieceBegan;
    const pieces = bootInPieces(this.boot, {
      until,
      budget,
      ...(noReboot !== undefined && { noReboot }),
      ...(attended !== undefined && { waitSuspended: attended }),
      ...(interactive && { pieceNs: PIECE_NS }),
      interrupt: () => host.now() - pieceBegan >= LONGEST_PIECE_MS,
      giveUp: () => timeout !== undefined && this.seconds >= timeout,
    });
    let report: BootReport | undefined;
    while (report === undefined) {
      const before = { ns: machine.clock.now(), retired: machine.retired };
      pieceBegan = host.now();
      const step = pieces.next();
      this.#show();
      if (step.done === true) {
        report = step.value;
        break;
      }
      this.#vars?.tick();
      progress?.(this);
      await host.breathe();
      this.#pump();
      report = this.#ended();
      if (report === undefined && (interactive || machine.suspended)) await this.#restIfIdle(before);
    }
    this.#vars?.save();
    return { report, left: this.#left || this.#allRun, seconds: this.seconds };
  }

  /** Shows and keeps what is not yet, however the run ended. Harmless the second time. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    try {
      this.#show();
    } finally {
      this.#vars?.save();
    }
  }

  /** Every line of the input has been run and the shell prompts again. */
  get #allRun(): boolean {
    const { lines } = this;
    return lines?.ended === true && lines.atPrompt && !lines.waiting && this.#toGuest.length === 0;
  }

  /**
   * The report if there is nothing left to do: the user has left, all lines have run, or nobody will ever press the key
   * that is awaited.
   */
  #ended(): BootReport | undefined {
    const { boot } = this;
    if (this.#left) return boot.report('left', `left in phase ${boot.phases.phase}`);
    if (this.#allRun) return boot.report('shell', 'every line of the input has run, and the shell prompts');
    const silent = this.#silence();
    if (silent === undefined) return undefined;
    const { seconds, waits, feeder } = silent;
    const { lastWord } = boot;
    if (seconds >= SILENCE.asks && waits && lastWord !== undefined && feeder.ended && !feeder.waiting) {
      const inputEnded = 'the input has ended';
      return boot.report(
        lastWord === 'unbootable' ? lastWord : 'prompt',
        `${lastWordSentence(lastWord)}; ${inputEnded}`,
      );
    }
    if (seconds >= SILENCE.asks && (lastWord === 'menu' ? feeder.typeKey() : feeder.answer())) {
      this.#listen();
      return undefined;
    }
    if (seconds < (waits ? SILENCE.waits : SILENCE.computes)) return undefined;
    const left =
      feeder.left === 0
        ? 'the input has ended'
        : `${feeder.left.toLocaleString('en-US')} line${feeder.left === 1 ? '' : 's'} of input had to wait for a prompt`;
    return boot.report(
      waits ? 'idle' : 'budget',
      `the guest ${waits ? 'waits' : 'computes'} and has printed nothing for ${Math.floor(seconds)} virtual seconds, ` +
        `last '${feeder.lastLine}'; ${left}`,
    );
  }

  /** How long a guest that is fed lines has been silent away from its prompt; undefined where input may still come. */
  #silence(): { seconds: number; waits: boolean; feeder: LineFeeder } | undefined {
    const feeder = this.lines;
    if (feeder === undefined || feeder.atPrompt || !(feeder.ended || feeder.waiting)) return undefined;
    const { machine } = this.boot;
    const ns = machine.clock.now() - this.#heard.ns;
    const executing = (machine.retired - this.#heard.retired) * machine.nsPerInstruction;
    return { seconds: ns / 1e9, waits: executing < ns * WAITING, feeder };
  }

  /** From here on silence counts. */
  #listen(): void {
    const { machine } = this.boot;
    this.#heard = { ns: machine.clock.now(), retired: machine.retired };
  }

  /** An idle guest's time passes as real time does, so that it costs nothing and its clock is right. */
  async #restIfIdle(before: { readonly ns: number; readonly retired: number }): Promise<void> {
    const { machine } = this.boot;
    if (machine.suspended && !machine.chipset.mayWake) {
      await this.#options.host.rest?.(LONGEST_REST_MS);
      return;
    }
    const idleNs =
      machine.clock.now() - before.ns - (machine.retired - before.retired) * machine.nsPerInstruction;
    const feeder = this.lines;
    const waits = feeder === undefined || (!feeder.waiting && (feeder.atPrompt || !feeder.ended));
    const ms = Math.min(LONGEST_REST_MS, Math.floor(idleNs / NS_PER_MS));
    if (waits && ms >= 1 && this.#toGuest.length === 0) await this.#options.host.rest?.(ms);
  }

  #pump(): void {
    const { serial, machine } = this.boot;
    if (machine.suspended) return; // keys wait for a port that has power
    while (this.#toGuest.length > 0 && serial.room > 0) serial.receive(this.#toGuest.shift()!);
  }

  #fromGuest(byte: number): void {
    this.#unshown.push(byte);
    if (this.lines === undefined) return;
    this.#listen();
    this.lines.see(byte);
  }

  #show(): void {
    if (this.#unshown.length === 0) return;
    const bytes = Uint8Array.from(this.#unshown);
    this.#unshown = [];
    this.#options.show?.(bytes);
  }
}
