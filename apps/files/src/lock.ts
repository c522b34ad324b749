/// <reference path="./fs-native-extensions.d.ts" />
/** One process at a time: a lock file beside the file, locked by the system, so that the lock ends with the process. */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { tryLock } from 'fs-native-extensions';
import { codeOf } from './file-error.ts';

/** A lock that is held until it is released, or the process ends. */
export interface Lock {
  /** Lets go and removes the lock file. Harmless the second time. */
  readonly release: () => void;
}

/** Who else holds a lock; the process is undefined if that could not be read. */
export interface Holder {
  readonly holder: number | undefined;
}

/**
 * Locks a file for this process, or says who has it. Throws what node:fs throws if its folder cannot be written.
 * @param target - absolute path without links
 */
export function lockFile(target: string): Lock | Holder {
  const path = join(dirname(target), `.${basename(target)}.lock`);
  for (;;) {
    const descriptor = openLockFile(path);
    if (descriptor === undefined) continue;
    if (!tryLock(descriptor)) {
      closeSync(descriptor);
      return { holder: holderOf(path) };
    }
    // Whoever had it may have removed it between our opening and our locking: then this is a lock that nobody else will
    // see.
    if (isStill(path, descriptor)) {
      ftruncateSync(descriptor);
      writeSync(descriptor, `${process.pid}\n`, 0);
      return { release: releaser(path, descriptor) };
    }
    closeSync(descriptor);
  }
}

/** Opens the lock file, which anybody who can write here may lock after us; undefined if it came or went meanwhile. */
function openLockFile(path: string): number | undefined {
  const { O_RDWR, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants; // a link here would be somebody's trap
  try {
    return openSync(path, O_RDWR | O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  try {
    const descriptor = openSync(path, O_RDWR | O_CREAT | O_EXCL, 0o666);
    fchmodSync(descriptor, 0o666);
    return descriptor;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return undefined;
    throw error;
  }
}

function releaser(path: string, descriptor: number): () => void {
  let held = true;
  return () => {
    if (!held) return;
    held = false;
    rmSync(path, { force: true }); // before it is unlocked: afterwards it may be another's
    closeSync(descriptor);
  };
}

function isStill(path: string, descriptor: number): boolean {
  try {
    const there = statSync(path, { bigint: true });
    const ours = fstatSync(descriptor, { bigint: true });
    return there.ino === ours.ino && there.dev === ours.dev;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

function holderOf(path: string): number | undefined {
  try {
    const process = Number.parseInt(readFileSync(path, 'latin1'), 10);
    return Number.isSafeInteger(process) ? process : undefined;
  } catch {
    return undefined; // it has gone, or the system keeps what is locked from being read
  }
}
