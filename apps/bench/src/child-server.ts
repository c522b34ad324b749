/**
 * A child that stays: it runs ROMs one after the other, so that what the host has compiled stays warm, apart from
 * everybody else's.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { atEnd, killGroup } from './cleanup.ts';
import type { OurOptions } from './peers/our-machine.ts';
import type { PeerRun } from './peers/peer.ts';
import { withFiles } from './peers/scratch.ts';

/** One line that a serving child reads. */
export interface ServedRun {
  /** Path of the ROM. */
  readonly rom: string;
  /** Our machine or v86. */
  readonly engine: OurOptions | { readonly v86: { readonly disableJit: boolean; readonly wasmPath: string } };
  /** Processors. */
  readonly processors: number;
}

/** One line that it answers: a run, or why there is none. */
export type ServedAnswer = PeerRun | { readonly error: string };

/** Runs ROMs in a child. */
export class ChildServer {
  readonly #script: string;
  #child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #forget: () => void = () => undefined;
  #answer: { resolve: (line: string) => void; reject: (error: Error) => void } | undefined;

  /** @param script - the built `child.js`, this tree's or a copy in another */
  constructor(script: string) {
    this.#script = script;
  }

  /** Runs one ROM. */
  run(rom: Uint8Array, what: Omit<ServedRun, 'rom'>): Promise<PeerRun> {
    return withFiles([{ name: 'rom.bin', content: rom }], async ([path]) => {
      const child = this.#started();
      const line = await new Promise<string>((resolve, reject) => {
        this.#answer = { resolve, reject };
        child.stdin.write(`${JSON.stringify({ ...what, rom: path! } satisfies ServedRun)}\n`);
      });
      const answer = JSON.parse(line) as ServedAnswer;
      if ('error' in answer) throw new Error(answer.error);
      return answer;
    });
  }

  /** Ends the child. */
  close(): Promise<void> {
    killGroup(this.#child?.pid);
    this.#forget();
    this.#child = undefined;
    return Promise.resolve();
  }

  #started(): ChildProcessByStdio<Writable, Readable, null> {
    if (this.#child !== undefined) return this.#child;
    const child = spawn(process.execPath, [this.#script, JSON.stringify({ do: 'serve' })], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    this.#forget = atEnd(() => killGroup(child.pid));
    createInterface({ input: child.stdout }).on('line', (line) => this.#answer?.resolve(line));
    child.on('error', (error) => this.#answer?.reject(error));
    child.on('exit', (code) => {
      this.#child = undefined;
      this.#answer?.reject(new Error(`the process ended with code ${code}`));
    });
    this.#child = child;
    return child;
  }
}
