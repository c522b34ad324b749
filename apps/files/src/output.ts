/** Files that the programs write: claimed before the run, replaced as a whole. */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { codeOf, FileError, fileError, reasonOf } from './file-error.ts';
import { unusualKind } from './file-kind.ts';
import { type Lock, lockFile } from './lock.ts';

/** Content of a file: bytes, text, or pieces of either that are made as they are written. */
export type Content = Uint8Array | string | Iterable<Uint8Array | string>;

/** A file that this process alone writes. */
export interface Output {
  /** Replaces the file: everybody sees the old content or the new, whatever happens. Throws {@link FileError}. */
  readonly replace: (content: Content) => void;
  /** Appends to the file, which the first call empties. Throws {@link FileError}. */
  readonly append: (bytes: Uint8Array) => void;
  /** Lets others write it. Harmless the second time; the end of the process does it too. */
  readonly release: () => void;
}

/** Particulars of {@link claimOutput}. */
export interface ClaimOptions {
  /** Makes the folders on the way, for a place that the user did not name. */
  readonly makeFolders?: boolean;
  /** What to do if the file cannot be written or another process has it, a sentence. */
  readonly advice?: string;
}

/** Links that are followed one after another before they are taken for a circle; Linux's number. */
const MOST_LINKS = 40;

/**
 * Takes a file for this process alone, with everything that speaks against writing it said now, not after the run.
 * Nothing is written yet.
 * @param what - what will be written, for messages: `the trace`
 * @param path - as the user gave it
 */
export function claimOutput(what: string, path: string, options: ClaimOptions = {}): Output {
  const doing = `cannot write ${what} to`;
  try {
    if (options.makeFolders === true) mkdirSync(dirname(path), { recursive: true });
    const target = targetOf(path);
    checkReplaceable(`${doing} ${path}`, target, options.advice);
    const lock = lockFile(target);
    if ('holder' in lock) throw taken(`${doing} ${path}`, lock.holder, options.advice);
    rmSync(temporaryOf(target), { force: true }); // ours alone: whoever wrote it was killed
    return new ClaimedFile(doing, path, target, lock);
  } catch (error) {
    throw fileError(doing, path, error, options.advice);
  }
}

const WAIT = 'Wait until it has ended, or name another file.';

function taken(what: string, holder: number | undefined, fix = WAIT): FileError {
  return holder === process.pid
    ? new FileError(what, 'this command already writes something else to it', 'Name another file.')
    : new FileError(
        what,
        `${holder === undefined ? 'another process' : `process ${holder}`} is using it`,
        fix,
        {
          holder,
        },
      );
}

class ClaimedFile implements Output {
  readonly #doing: string;
  readonly #path: string;
  readonly #target: string;
  readonly #lock: Lock;
  #appending: number | undefined;

  constructor(doing: string, path: string, target: string, lock: Lock) {
    this.#doing = doing;
    this.#path = path;
    this.#target = target;
    this.#lock = lock;
    process.on('exit', this.release);
  }

  readonly replace = (content: Content): void => {
    try {
      replaceFile(`${this.#doing} ${this.#path}`, this.#target, content);
    } catch (error) {
      throw fileError(this.#doing, this.#path, error);
    }
  };

  readonly append = (bytes: Uint8Array): void => {
    try {
      this.#appending ??= openSync(this.#target, 'w');
      writeAll(this.#appending, bytes);
    } catch (error) {
      throw fileError(this.#doing, this.#path, error);
    }
  };

  readonly release = (): void => {
    process.off('exit', this.release);
    if (this.#appending !== undefined) closeSync(this.#appending);
    this.#appending = undefined;
    this.#lock.release();
  };
}

function temporaryOf(target: string): string {
  return join(dirname(target), `.${basename(target)}.new`);
}

/** The absolute path without links, also where a link's target does not exist yet. */
function targetOf(path: string): string {
  let at = resolve(path);
  for (let links = 0; links < MOST_LINKS; links++) {
    const found = statIfThere(() => statSync(at));
    if (found !== undefined) return realpathSync(at);
    const folder = realpathSync(dirname(at));
    at = join(folder, basename(at));
    if (statIfThere(() => lstatSync(at)) === undefined) return at;
    at = resolve(folder, readlinkSync(at));
  }
  throw Object.assign(new Error(path), { code: 'ELOOP' });
}

/** Throws if the file cannot be replaced by one of the same owner and mode. */
function checkReplaceable(what: string, target: string, advice?: string): void {
  const stats = statIfThere(() => statSync(target));
  if (stats !== undefined) {
    checkRegular(what, stats, advice);
    accessSync(target, constants.W_OK);
    if (!ownerCanStay(stats))
      throw new FileError(what, 'it belongs to another user, who would lose it', advice ?? MAY);
  }
  try {
    accessSync(dirname(target), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new FileError(
      what,
      `it is replaced as a whole, and in its folder nothing can be created (${reasonOf(error)})`,
      advice ?? MAY,
      { code: codeOf(error) },
    );
  }
}

const MAY = 'Name a file that you may replace.';
const REGULAR = 'Name a regular file, or one that does not exist yet.';

function checkRegular(what: string, stats: Stats, fix = REGULAR): void {
  const kind = unusualKind(stats);
  if (kind !== undefined) throw new FileError(what, `it is ${kind}`, fix);
}

function ownerCanStay({ uid, gid }: Stats): boolean {
  const { geteuid, getegid, getgroups } = process;
  if (geteuid === undefined || getegid === undefined || getgroups === undefined) return true; // Windows
  return geteuid() === 0 || (uid === geteuid() && [getegid(), ...getgroups()].includes(gid));
}

/** Writes beside the file and renames over it, with the bytes on the disk before the name, and the name too. */
function replaceFile(what: string, target: string, content: Content): void {
  const before = statIfThere(() => statSync(target));
  if (before !== undefined) checkRegular(what, before);
  const temporary = temporaryOf(target);
  rmSync(temporary, { force: true });
  const descriptor = openSync(temporary, 'wx', before === undefined ? 0o666 : 0o600);
  try {
    try {
      for (const piece of piecesOf(content)) writeAll(descriptor, piece);
      if (before !== undefined) {
        keepOwner(descriptor, before);
        fchmodSync(descriptor, before.mode & 0o7777);
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, target);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncFolder(dirname(target));
}

function keepOwner(descriptor: number, { uid, gid }: Stats): void {
  if (process.platform !== 'win32') fchownSync(descriptor, uid, gid);
}

/** A rename is on the disk when its folder is. Windows has no such call, and some file systems refuse it. */
function syncFolder(path: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'r');
  } catch {
    return; // a folder in which one may create, but not look
  }
  try {
    fsyncSync(descriptor);
  } catch (error) {
    if (!['EINVAL', 'EPERM', 'ENOTSUP', 'EISDIR'].includes(codeOf(error) ?? '')) throw error;
  } finally {
    closeSync(descriptor);
  }
}

function piecesOf(content: Content): Iterable<Uint8Array | string> {
  return typeof content === 'string' || content instanceof Uint8Array ? [content] : content;
}

function writeAll(descriptor: number, content: Uint8Array | string): void {
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content;
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}

function statIfThere(read: () => Stats): Stats | undefined {
  try {
    return read();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
