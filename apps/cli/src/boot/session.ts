/** One boot with its surroundings: serial text out, keys in, variables on disk, a line that shows where it is. */
import { createHash } from 'node:crypto';
import type { Output } from '@smm/files';
import { type BootReport, BootSession, KeyFilter, LONGEST_LINE, SHELL_PROMPT } from '@smm/machine';
import type { Io } from '../io.ts';
import { type Progress, progressLine } from '../render/progress.ts';
import { paragraphOf } from '../usage-error.ts';
import type { BootHost, InputHandle } from './host.ts';
import { KEYS_HELP } from './keys.ts';
import type { BootRequest } from './request.ts';
import { TerminalModes } from './terminal-modes.ts';

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
  readonly #session: BootSession;
  readonly #progress: Progress;
  readonly #file: Output | undefined;
  /** What the guest has done to the terminal that it prints to. */
  readonly #modes: TerminalModes | undefined;
  readonly #input: InputHandle | undefined;
  /** Input is paused until its lines have been sent. */
  #held = false;
  /** What was said of input that was cut or dropped. */
  readonly #complained = new Set<string>();
  /** Everything that the guest has sent, up to the first prompt. */
  readonly #hash = createHash('sha256');
  #hashed = 0;
  #hashedTail = '';
  #prompted = false;
  /** The guest has printed since it began, the last time. */
  #spoke = false;
  #phase = 'reset';
  #stopped = false;

  constructor(request: BootRequest, io: Io, host: BootHost) {
    this.#request = request;
    this.#io = io;
    this.#host = host;
    this.#progress = progressLine(io);
    const { machine, serial, varsOut, goal, budget, timeout, noReboot } = request;
    // A goal other than the prompt may need input; a measured boot to the prompt must not depend on what stdin is.
    const takesInput = serial === 'stdio' && goal !== 'shell' && goal !== 'prompt' && goal !== 'relocated';
    const session = new BootSession({
      machine,
      until: goal,
      budget,
      timeout,
      noReboot,
      host: {
        now: () => host.now(),
        breathe: async () => {
          await io.breathe();
          this.#holdInput();
        },
        rest: (milliseconds) => host.rest(milliseconds),
      },
      fed: takesInput && !host.inputIsTerminal && machine.kernel === undefined,
      attended: takesInput && host.inputIsTerminal,
      show: (bytes) => this.#show(bytes),
      progress: ({ seconds }) => this.#showProgress(seconds),
      ...(varsOut && { keepVars: (image) => varsOut.output.replace(varsOut.contents(image)) }),
    });
    this.#session = session;
    this.#modes = serial === 'stdio' && io.outIsTerminal ? new TerminalModes() : undefined;
    this.#file = typeof serial === 'object' ? serial : undefined;
    this.#file?.append(new Uint8Array()); // what an earlier run left goes, even if this guest never says a word
    const { lines } = session;
    if (!takesInput) return;
    if (lines === undefined && !host.inputIsTerminal) {
      // A kernel's console takes a pipe as it is, and its end ends nothing: as QEMU's -serial stdio.
      this.#input = host.openInput(
        (bytes) => {
          for (const byte of bytes) session.send(byte);
          this.#holdInput();
        },
        () => undefined,
      );
    } else if (lines === undefined) {
      const keys = new KeyFilter({
        send: (byte) => session.send(byte),
        leave: () => session.leave(),
        help: () => io.err(`\r\n${KEYS_HELP}`),
        save: () => this.#saveNow(),
        power: () => session.pressPowerButton(),
      });
      this.#input = host.openInput(
        (bytes) => keys.take(bytes),
        () => undefined,
      );
    } else {
      this.#input = host.openInput(
        (bytes) => {
          lines.take(bytes);
          this.#holdInput();
        },
        () => lines.end(),
      );
    }
  }

  /** Pauses the input while enough of it waits, and reads on when it has been sent. */
  #holdInput(): void {
    const { lines, lost, full } = this.#session;
    if (lost > 0) this.#complain('The guest reads no keys: some that were typed are lost.');
    if (this.#input === undefined) return;
    if (lines !== undefined && lines.cut > 0)
      this.#complain(`Lines of the input are cut at ${LONGEST_LINE} characters.`);
    if (full === this.#held || this.#host.inputIsTerminal) return;
    this.#held = full;
    if (this.#held) this.#input.pause();
    else this.#input.resume();
  }

  #complain(what: string): void {
    if (this.#complained.has(what)) return;
    this.#complained.add(what);
    this.#io.err(`\r\n${what}\r\n`);
  }

  async run(): Promise<BootResult> {
    const cpuBefore = this.#host.cpuSeconds();
    const session = this.#session;
    const { report, left, seconds } = await session.run();
    this.#progress.clear();
    return {
      report,
      left,
      serial: {
        bytes: this.#hashed,
        sha256: this.#hash.copy().digest('hex'),
        upToPrompt: this.#prompted,
      },
      nvramSha256: createHash('sha256').update(session.boot.vars()).digest('hex'),
      cpuSeconds: this.#host.cpuSeconds() - cpuBefore,
      seconds,
      varsWritten: session.varsKept ? this.#request.varsOut?.path : undefined,
    };
  }

  /** The user asks for the variables to be written, and is told what became of that. */
  #saveNow(): void {
    this.#session.saveVars();
    const { varsOut } = this.#request;
    const said =
      varsOut === undefined
        ? 'The variables are kept nowhere.'
        : this.#session.varsKept
          ? `Variables written to ${varsOut.path}.`
          : 'The guest has changed no variable.';
    this.#io.err(`\r\n${said}\r\n`);
  }

  /** Puts the terminal back and writes what is unwritten. Harmless the second time. */
  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#input?.close();
    this.#progress.clear();
    const restoring = this.#modes?.restoring ?? '';
    if (restoring !== '') this.#io.out(restoring);
    this.#session.stop();
    for (const { disk } of this.#request.machine.disks ?? []) disk.flush();
  }

  #show(bytes: Uint8Array): void {
    this.#spoke = true;
    this.#hashUpToPrompt(bytes);
    if (this.#request.serial === 'stdio') {
      this.#progress.clear();
      this.#modes?.take(bytes);
      this.#io.out(bytes);
    } else this.#file?.append(bytes);
  }

  #hashUpToPrompt(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (this.#prompted) return;
      this.#hash.update(Uint8Array.of(byte));
      this.#hashed++;
      this.#hashedTail = (this.#hashedTail + String.fromCharCode(byte)).slice(-SHELL_PROMPT.length);
      this.#prompted = this.#hashedTail === SHELL_PROMPT;
    }
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
    const { boot } = this.#session;
    const { phases, machine } = boot;
    this.#sayReset(phases.phase);
    const visible = this.#request.serial === 'stdio' && this.#spoke;
    if (!this.#io.errIsTerminal || visible) return;
    const module = boot.moduleNow()?.name ?? '';
    const millions = machine.retired / 1e6;
    this.#progress.show(
      `${phases.phase.padEnd(5)} ${module.padEnd(24)} ${millions.toFixed(0)} million instructions, ${(millions / seconds).toFixed(0)} MIPS`,
    );
  }
}
