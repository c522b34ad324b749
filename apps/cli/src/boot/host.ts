/** What a boot touches of the outside world beyond `Io`: keys, folders, time. Tests stand in for it. */
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { EXIT } from '../io.ts';

/** An open input. */
export interface InputHandle {
  /** Ends it and puts the terminal back as it was. Harmless the second time. */
  readonly close: () => void;
  /** Reads no more for now, so that whoever writes has to wait. */
  readonly pause: () => void;
  /** Reads on after that. */
  readonly resume: () => void;
}

/** The outside world of one boot. */
export interface BootHost {
  /** Standard input is a terminal. */
  readonly inputIsTerminal: boolean;
  /** The user's home folder. */
  readonly home: string;
  /** Wall-clock milliseconds from some moment. */
  readonly now: () => number;
  /** Processor seconds of this process. */
  readonly cpuSeconds: () => number;
  /** Reads standard input as it comes, a terminal in raw mode; `end` when there will be no more. */
  readonly openInput: (bytes: (bytes: Uint8Array) => void, end: () => void) => InputHandle;
  /** Waits, but no longer than until input comes. */
  readonly rest: (milliseconds: number) => Promise<void>;
  /** Names in a folder, sorted; none if it cannot be read. */
  readonly listFolder: (path: string) => string[];
  /** A file that exists. */
  readonly exists: (path: string) => boolean;
  /** The path without links; the path itself if there is no such file. */
  readonly realPath: (path: string) => string;
  /**
   * Does something when the process ends, whether by itself or by SIGTERM, SIGHUP or SIGINT. Returns how to call that
   * off.
   */
  readonly atExit: (action: () => void) => () => void;
}

const SIGNAL_EXITS = { SIGTERM: 143, SIGHUP: 129, SIGINT: EXIT.INTERRUPTED } as const;

/** The real one. */
export function nodeHost(): BootHost {
  let wake: (() => void) | undefined;
  const { stdin } = process;
  return {
    inputIsTerminal: stdin.isTTY === true,
    home: homedir(),
    now: () => performance.now(),
    cpuSeconds: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    },
    openInput: (bytes, end) => {
      const onData = (chunk: Buffer): void => {
        bytes(chunk);
        wake?.();
      };
      const onEnd = (): void => {
        end();
        wake?.();
      };
      if (stdin.isTTY === true) stdin.setRawMode(true);
      stdin.on('data', onData).on('end', onEnd).on('error', onEnd);
      return {
        close: () => {
          stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
          if (stdin.isTTY === true) stdin.setRawMode(false);
          stdin.pause();
        },
        pause: () => void stdin.pause(),
        resume: () => void stdin.resume(),
      };
    },
    rest: (milliseconds) =>
      new Promise((resolve) => {
        const timer = setTimeout(done, milliseconds);
        wake = done;
        function done(): void {
          clearTimeout(timer);
          wake = undefined;
          resolve();
        }
      }),
    listFolder: (path) => attempt(() => readdirSync(path).sort(), []),
    exists: (path) => existsSync(path),
    realPath: (path) => attempt(() => realpathSync(path), path),
    atExit: (action) => {
      const onSignal = (signal: keyof typeof SIGNAL_EXITS): never => process.exit(SIGNAL_EXITS[signal]);
      const signals = Object.keys(SIGNAL_EXITS) as (keyof typeof SIGNAL_EXITS)[];
      process.prependListener('exit', action); // files that it writes are let go by those who came before
      for (const signal of signals) process.on(signal, onSignal);
      return () => {
        process.off('exit', action);
        for (const signal of signals) process.off(signal, onSignal);
      };
    },
  };
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
