/** One boot with its surroundings: serial text out, keys in, variables on disk, a line that shows where it is. */
import { createHash } from 'node:crypto';
import type { Output } from '@smm/files';
import { Boot, type BootReport, bootInPieces, SHELL_PROMPT } from '@smm/machine';
import type { Io } from '../io.ts';
import { type Progress, progressLine } from '../render/progress.ts';
import { counted } from '../render/text.ts';
import { paragraphOf } from '../usage-error.ts';
import type { BootHost } from './host.ts';
import { KEYS_HELP, KeyFilter, LineFeeder } from './keys.ts';
import type { BootRequest } from './request.ts';
import { VarsFile } from './vars-file.ts';

/** A finished boot. */
export interface BootResult {
  /** What became of it. */
  readonly report: BootReport;
  /** The user left, or the lines of standard input were all run: nothing failed. */
  readonly left: boolean;
  /** The guest's serial output up to the first shell prompt, or all of it. */
  readonly serial: { readonly bytes: number; readonly sha256: string; readonly upToPrompt: boolean };
  /** The variable store at the end. */
  readonly nvramSha256: string;
  /** Processor seconds of this process for the run. */
  readonly cpuSeconds: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
  /** Where the variables were written; undefined if the guest changed none, or they are kept nowhere. */
  readonly varsWritten: string | undefined;
}

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

/** Runs a request to its end. Puts the terminal back and writes the variables however it ends. */
export async function runSession(request: BootRequest, io: Io, host: BootHost): Promise<BootResult> {
  const session = new Session(request, io, host);
  const cancel = host.atExit(() => {
    try {
      session.stop();
    } catch (error) {
      io.err(`smm: ${paragraphOf(error).text}\n`); // the process is going: nobody can catch it any more
    }
  });
  try {
    return await session.run();
  } finally {
    session.stop();
    cancel();
  }
}

class Session {
  readonly #request: BootRequest;
  readonly #io: Io;
  readonly #host: BootHost;
  readonly #boot: Boot;
  readonly #progress: Progress;
  readonly #vars: VarsFile | undefined;
  readonly #file: Output | undefined;
  readonly #feeder: LineFeeder | undefined;
  readonly #closeInput: () => void;
  /** Bytes for the guest that its serial port had no room for. */
  readonly #toGuest: number[] = [];
  /** Everything that the guest has sent, up to the first prompt; then only what is not yet shown. */
  readonly #hash = createHash('sha256');
  #hashed = 0;
  #hashedTail = '';
  #prompted = false;
  #unshown: number[] = [];
  /** Virtual time and instructions when the guest last printed, or got a key. */
  #heard = { ns: 0, retired: 0 };
  #left = false;
  /** The guest has printed since it began, the last time. */
  #spoke = false;
  #phase = 'reset';
  #stopped = false;

  constructor(request: BootRequest, io: Io, host: BootHost) {
    this.#request = request;
    this.#io = io;
    this.#host = host;
    this.#progress = progressLine(io);
    const { serial, varsOut } = request;
    this.#boot = new Boot({
      ...request.machine,
      serial: (byte) => this.#fromGuest(byte),
      roomAgain: () => this.#pump(),
      varsWritten: () => this.#vars?.changed(),
    });
    this.#vars =
      varsOut === undefined ? undefined : new VarsFile(varsOut.output, () => this.#boot.vars(), host);
    this.#file = typeof serial === 'object' ? serial : undefined;
    this.#file?.append(new Uint8Array()); // what an earlier run left goes, even if this guest never says a word
    const send = (byte: number): void => {
      this.#toGuest.push(byte);
    };
    // A goal other than the prompt may need input; a measured boot to the prompt must not depend on what stdin is.
    const takesInput = serial === 'stdio' && request.goal !== 'shell' && request.goal !== 'relocated';
    if (!takesInput) {
      this.#closeInput = () => undefined;
    } else if (host.inputIsTerminal) {
      const keys = new KeyFilter({
        send,
        leave: () => {
          this.#left = true;
        },
        help: () => io.err(`\r\n${KEYS_HELP}`),
        save: () => this.#saveNow(),
      });
      this.#closeInput = host.openInput(
        (bytes) => keys.take(bytes),
        () => undefined,
      ).close;
    } else {
      const feeder = new LineFeeder(send);
      this.#feeder = feeder;
      this.#closeInput = host.openInput(
        (bytes) => feeder.take(bytes),
        () => feeder.end(),
      ).close;
    }
  }

  async run(): Promise<BootResult> {
    const { goal, budget, timeout, noReboot } = this.#request;
    const { machine } = this.#boot;
    const started = { at: this.#host.now(), cpu: this.#host.cpuSeconds() };
    const seconds = (): number => (this.#host.now() - started.at) / 1000;
    const interactive = goal === undefined;
    let pieceBegan = started.at;
    const pieces = bootInPieces(this.#boot, {
      goal,
      budget,
      noReboot,
      ...(interactive && { pieceNs: PIECE_NS }),
      interrupt: () => this.#host.now() - pieceBegan >= LONGEST_PIECE_MS,
      giveUp: () => timeout !== undefined && seconds() >= timeout,
    });
    let report: BootReport | undefined;
    while (report === undefined) {
      const before = { ns: machine.clock.now(), retired: machine.retired };
      pieceBegan = this.#host.now();
      const step = pieces.next();
      this.#show();
      if (step.done === true) {
        report = step.value;
        break;
      }
      this.#vars?.tick();
      this.#showProgress(seconds());
      await this.#io.breathe();
      this.#pump();
      report = this.#ended();
      if (report === undefined && interactive) await this.#restIfIdle(before);
    }
    this.#progress.clear();
    this.#vars?.save();
    return {
      report,
      left: this.#left || this.#allRun,
      serial: {
        bytes: this.#hashed,
        sha256: this.#hash.copy().digest('hex'),
        upToPrompt: this.#prompted,
      },
      nvramSha256: createHash('sha256').update(this.#boot.vars()).digest('hex'),
      cpuSeconds: this.#host.cpuSeconds() - started.cpu,
      seconds: seconds(),
      varsWritten: this.#vars?.written === true ? this.#request.varsOut?.path : undefined,
    };
  }

  /** The user asks for the variables to be written, and is told what became of that. */
  #saveNow(): void {
    this.#vars?.save();
    const { varsOut } = this.#request;
    const said =
      varsOut === undefined
        ? 'The variables are kept nowhere.'
        : this.#vars?.written === true
          ? `Variables written to ${varsOut.path}.`
          : 'The guest has changed no variable.';
    this.#io.err(`\r\n${said}\r\n`);
  }

  /** Puts the terminal back and writes what is unwritten. Harmless the second time. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#closeInput();
    this.#progress.clear();
    try {
      this.#show();
    } finally {
      this.#vars?.save();
    }
  }

  /** Every line of the input has been run and the shell prompts again. */
  get #allRun(): boolean {
    const feeder = this.#feeder;
    return feeder?.ended === true && feeder.atPrompt && !feeder.waiting && this.#toGuest.length === 0;
  }

  /**
   * The report if there is nothing left to do: the user has left, all lines have run, or nobody will ever press the key
   * that is awaited.
   */
  #ended(): BootReport | undefined {
    const boot = this.#boot;
    if (this.#left) return boot.report('left', `left in phase ${boot.phases.phase}`);
    if (this.#allRun) return boot.report('shell', 'every line of the input has run, and the shell prompts');
    const silent = this.#silence();
    if (silent === undefined) return undefined;
    const { seconds, waits, feeder } = silent;
    if (seconds >= SILENCE.asks && feeder.answer()) {
      this.#listen();
      return undefined;
    }
    if (seconds < (waits ? SILENCE.waits : SILENCE.computes)) return undefined;
    const left =
      feeder.left === 0
        ? 'the input has ended'
        : `${counted(feeder.left, 'line')} of input had to wait for a prompt`;
    return boot.report(
      waits ? 'idle' : 'budget',
      `the guest ${waits ? 'waits' : 'computes'} and has printed nothing for ${Math.floor(seconds)} virtual seconds, ` +
        `last '${feeder.lastLine}'; ${left}`,
    );
  }

  /** How long a guest that is fed lines has been silent away from its prompt; undefined where input may still come. */
  #silence(): { seconds: number; waits: boolean; feeder: LineFeeder } | undefined {
    const feeder = this.#feeder;
    if (feeder === undefined || feeder.atPrompt || !(feeder.ended || feeder.waiting)) return undefined;
    const { machine } = this.#boot;
    const ns = machine.clock.now() - this.#heard.ns;
    const executing = (machine.retired - this.#heard.retired) * machine.nsPerInstruction;
    return { seconds: ns / 1e9, waits: executing < ns * WAITING, feeder };
  }

  /** From here on silence counts. */
  #listen(): void {
    const { machine } = this.#boot;
    this.#heard = { ns: machine.clock.now(), retired: machine.retired };
  }

  /** An idle guest's time passes as real time does, so that it costs nothing and its clock is right. */
  async #restIfIdle(before: { readonly ns: number; readonly retired: number }): Promise<void> {
    const { machine } = this.#boot;
    const idleNs =
      machine.clock.now() - before.ns - (machine.retired - before.retired) * machine.nsPerInstruction;
    const feeder = this.#feeder;
    const waits = feeder === undefined || (!feeder.waiting && (feeder.atPrompt || !feeder.ended));
    const ms = Math.min(LONGEST_REST_MS, Math.floor(idleNs / NS_PER_MS));
    if (waits && ms >= 1 && this.#toGuest.length === 0) await this.#host.rest(ms);
  }

  #pump(): void {
    const { serial } = this.#boot;
    while (this.#toGuest.length > 0 && serial.room > 0) serial.receive(this.#toGuest.shift()!);
  }

  #fromGuest(byte: number): void {
    this.#unshown.push(byte);
    this.#spoke = true;
    if (this.#feeder !== undefined) {
      this.#listen();
      this.#feeder.see(byte);
    }
    if (this.#prompted) return;
    this.#hash.update(Uint8Array.of(byte));
    this.#hashed++;
    this.#hashedTail = (this.#hashedTail + String.fromCharCode(byte)).slice(-SHELL_PROMPT.length);
    this.#prompted = this.#hashedTail === SHELL_PROMPT;
  }

  #show(): void {
    if (this.#unshown.length === 0) return;
    const bytes = Uint8Array.from(this.#unshown);
    this.#unshown = [];
    const { serial } = this.#request;
    if (serial === 'stdio') {
      this.#progress.clear();
      this.#io.out(bytes);
    } else this.#file?.append(bytes);
  }

  /** The guest began anew: says so, and shows its progress until it prints again. */
  #sayReset(phase: string): void {
    if (phase === 'reset' && this.#phase !== 'reset') {
      this.#spoke = false;
      if (this.#io.errIsTerminal) this.#io.err('\r\nThe guest was reset.\r\n');
    }
    this.#phase = phase;
  }

  #showProgress(seconds: number): void {
    const { phases, machine } = this.#boot;
    this.#sayReset(phases.phase);
    const visible = this.#request.serial === 'stdio' && this.#spoke;
    if (!this.#io.errIsTerminal || visible) return;
    const module = this.#boot.moduleNow()?.name ?? '';
    const millions = machine.retired / 1e6;
    this.#progress.show(
      `${phases.phase.padEnd(5)} ${module.padEnd(24)} ${millions.toFixed(0)} million instructions, ${(millions / seconds).toFixed(0)} MIPS`,
    );
  }
}
