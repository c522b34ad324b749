/** What a boot touches of the outside world beyond `Io`: keys, files that must not tear, time. Tests stand in for it. */
import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { EXIT } from '../io.ts';

/** An open input. */
interface InputHandle {
  /** Ends it and puts the terminal back as it was. Harmless the second time. */
  readonly close: () => void;
}

/** A file that is written from front to back. */
export interface OutputFile {
  /** Appends bytes. */
  readonly write: (bytes: Uint8Array) => void;
  /** Ends it. */
  readonly close: () => void;
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
  /** Replaces a file so that everybody sees the old content or the new, whatever happens; throws what node:fs throws. */
  readonly replaceFile: (path: string, content: Uint8Array) => void;
  /** Creates a file; throws what node:fs throws. */
  readonly createFile: (path: string) => OutputFile;
  /** Names in a folder, sorted; none if it cannot be read. */
  readonly listFolder: (path: string) => string[];
  /** A file that exists. */
  readonly exists: (path: string) => boolean;
  /** The file may be replaced. */
  readonly isWritable: (path: string) => boolean;
  /** The path without links; the path itself if there is no such file. */
  readonly realPath: (path: string) => string;
  /** Does something when the process ends, whether by itself or by SIGTERM, SIGHUP or SIGINT. Returns how to call that off. */
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
    replaceFile,
    createFile: (path) => {
      const file = openSync(path, 'w');
      return { write: (content) => writeAll(file, content), close: () => closeSync(file) };
    },
    listFolder: (path) => attempt(() => readdirSync(path).sort(), []),
    exists: (path) => may(path, constants.F_OK),
    isWritable: (path) => may(path, constants.W_OK) && may(dirname(path), constants.W_OK),
    realPath: (path) => attempt(() => realpathSync(path), path),
    atExit: (action) => {
      const onSignal = (signal: keyof typeof SIGNAL_EXITS): never => process.exit(SIGNAL_EXITS[signal]);
      const signals = Object.keys(SIGNAL_EXITS) as (keyof typeof SIGNAL_EXITS)[];
      process.on('exit', action);
      for (const signal of signals) process.on(signal, onSignal);
      return () => {
        process.off('exit', action);
        for (const signal of signals) process.off(signal, onSignal);
      };
    },
  };
}

/** Writes beside the file and renames over it, with the bytes on the disk before the name. */
function replaceFile(path: string, content: Uint8Array): void {
  mkdirSync(dirname(path), { recursive: true });
  const target = attempt(() => realpathSync(path), path); // a link stays a link
  const beside = join(dirname(target), `.${process.pid}.${target.slice(dirname(target).length + 1)}.new`);
  try {
    const file = openSync(beside, 'w');
    try {
      writeAll(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(beside, target);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
}

function writeAll(file: number, content: Uint8Array): void {
  for (let at = 0; at < content.length; ) at += writeSync(file, content, at);
}

function may(path: string, mode: number): boolean {
  return attempt(() => {
    accessSync(path, mode);
    return true;
  }, false);
}

function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
