/** Files that are disks: read and written in place, each write in the file when the call returns. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  realpathSync,
  writeSync,
} from 'node:fs';
import type { ByteStore } from '@smm/block';
import { codeOf, FileError, fileError } from './file-error.ts';
import { unusualKind } from './file-kind.ts';
import { lockFile } from './lock.ts';

/** A file that is open. */
export interface StoreFile extends ByteStore {
  /** Lets others write it, and closes it. Harmless the second time. */
  readonly close: () => void;
}

/** Folders in which no lock can be made: nobody else can write the file by name there either. */
const CANNOT_LOCK = ['EACCES', 'EROFS', 'EPERM'];

/**
 * Opens a file to be read and written in place. One that is written is this process's alone until it is closed; one
 * that is only read is refused while another process writes it. Throws {@link FileError}, and later from the calls.
 * @param what - what it is, for messages: `the disk image`
 * @param path - as the user gave it
 */
export function openStore(
  what: string,
  path: string,
  { readonly }: { readonly readonly: boolean },
): StoreFile {
  const doing = `cannot ${readonly ? 'read' : 'write'} ${what}`;
  try {
    const target = realpathSync(path);
    const release = lock(`${doing} ${path}`, target, readonly);
    try {
      const descriptor = openSync(target, readonly ? constants.O_RDONLY : constants.O_RDWR);
      const kind = unusualKind(fstatSync(descriptor));
      if (kind === undefined) return new NodeStore(path, what, descriptor, readonly, release);
      closeSync(descriptor);
      throw new FileError(`${doing} ${path}`, `it is ${kind}`, 'Name a regular file that holds the image.');
    } catch (error) {
      release();
      throw error;
    }
  } catch (error) {
    const fix = readonly
      ? undefined
      : 'Open it with readonly=on or snapshot=on, or name an image that you may write.';
    throw fileError(doing, path, error, fix);
  }
}

function lock(what: string, target: string, readonly: boolean): () => void {
  try {
    const found = lockFile(target);
    if ('holder' in found) {
      const holder = found.holder === undefined ? 'another process' : `process ${found.holder}`;
      throw new FileError(
        what,
        `${holder} is writing it`,
        'Wait until it has ended, or name another image.',
        {
          holder: found.holder,
        },
      );
    }
    if (!readonly) return found.release;
    found.release();
    return () => undefined;
  } catch (error) {
    if (!readonly || !CANNOT_LOCK.includes(codeOf(error) ?? '')) throw error;
    return () => undefined;
  }
}

class NodeStore implements StoreFile {
  readonly readonly: boolean;
  readonly #path: string;
  readonly #what: string;
  readonly #descriptor: number;
  readonly #release: () => void;
  #sizeBytes: number;
  #open = true;

  constructor(path: string, what: string, descriptor: number, readonly: boolean, release: () => void) {
    this.#path = path;
    this.#what = what;
    this.#descriptor = descriptor;
    this.readonly = readonly;
    this.#release = release;
    this.#sizeBytes = fstatSync(descriptor).size;
    if (!readonly) process.on('exit', this.close);
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  read(at: number, into: Uint8Array): void {
    this.#attempt('read', () => {
      let done = 0;
      while (done < into.length) {
        const count = readSync(this.#descriptor, into, done, into.length - done, at + done);
        if (count === 0) break;
        done += count;
      }
      into.fill(0, done);
    });
  }

  write(at: number, bytes: Uint8Array): void {
    this.#attempt('write', () => {
      for (let done = 0; done < bytes.length; )
        done += writeSync(this.#descriptor, bytes, done, bytes.length - done, at + done);
    });
    this.#sizeBytes = Math.max(this.#sizeBytes, at + bytes.length);
  }

  flush(): void {
    this.#attempt('write', () => fsyncSync(this.#descriptor));
  }

  readonly close = (): void => {
    if (!this.#open) return;
    this.#open = false;
    process.off('exit', this.close);
    closeSync(this.#descriptor);
    this.#release();
  };

  #attempt(word: 'read' | 'write', act: () => void): void {
    try {
      act();
    } catch (error) {
      throw fileError(`cannot ${word} ${this.#what}`, this.#path, error);
    }
  }
}
