/** Files that the programs read: whole and no larger than makes sense, or piece by piece. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { codeOf, FileError, fileError } from './file-error.ts';
import { unusualKind } from './file-kind.ts';

const PIECE = 0x1_0000;
const RETRY_MS = 10;

/**
 * Reads a whole file or pipe. Throws {@link FileError}, also for a device, which has no size, and for more than `limit`
 * bytes.
 * @param what - what it should be, for messages: `the ROM`
 * @param path - where; 0 is standard input
 * @param limit - most bytes that make sense
 */
export function readBounded(what: string, path: string | 0, limit: number): Uint8Array {
  const doing = `cannot read ${what}`;
  const name = path === 0 ? 'standard input' : path;
  try {
    const descriptor = path === 0 ? 0 : openSync(path, 'r');
    try {
      const stats = fstatSync(descriptor);
      const kind = unusualKind(stats);
      if (path !== 0 && kind === 'a device')
        throw new FileError(`${doing} ${name}`, 'it is a device and has no size', 'Name a file or a pipe.');
      if (kind === undefined && stats.size > limit) throw tooLarge(`${doing} ${name}`, stats.size, limit);
      return readToEnd(`${doing} ${name}`, descriptor, limit);
    } finally {
      if (path !== 0) closeSync(descriptor);
    }
  } catch (error) {
    throw fileError(doing, name, error);
  }
}

function tooLarge(what: string, size: number | undefined, limit: number): FileError {
  const has = size === undefined ? `it has more than ${limit} bytes` : `it has ${size} bytes`;
  return new FileError(what, has, `There can be ${limit} bytes at most.`, { size, limit });
}

function readToEnd(what: string, descriptor: number, limit: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  let total = 0;
  for (const piece of piecesOf(descriptor)) {
    total += piece.length;
    if (total > limit) throw tooLarge(what, undefined, limit);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/**
 * A file or pipe of any size, piece by piece. Throws {@link FileError} at the first piece that cannot be read.
 * @param what - what it should be, for messages: `the trace`
 * @param path - where; 0 is standard input
 */
export function* readPieces(what: string, path: string | 0): Generator<Uint8Array, void, undefined> {
  const doing = `cannot read ${what}`;
  const name = path === 0 ? 'standard input' : path;
  try {
    const descriptor = path === 0 ? 0 : openSync(path, 'r');
    try {
      if (path !== 0 && unusualKind(fstatSync(descriptor)) === 'a device')
        throw new FileError(`${doing} ${name}`, 'it is a device and has no size', 'Name a file or a pipe.');
      yield* piecesOf(descriptor);
    } finally {
      if (path !== 0) closeSync(descriptor);
    }
  } catch (error) {
    throw fileError(doing, name, error);
  }
}

/** A regular file that is read at any place. */
export interface RandomFile {
  /** Length in bytes when it was opened. */
  readonly size: number;
  /** The `length` bytes from `offset`; fewer at the file's end. Throws {@link FileError}. */
  readonly read: (offset: number, length: number) => Uint8Array;
  /** Gives it back. */
  readonly close: () => void;
}

/**
 * Opens a file to read it at any place; undefined for a pipe, which has only one. Throws {@link FileError}.
 * @param what - what it should be, for messages: `the trace`
 * @param path - where
 */
export function openRandom(what: string, path: string): RandomFile | undefined {
  const doing = `cannot read ${what}`;
  try {
    const descriptor = openSync(path, 'r');
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) {
      closeSync(descriptor);
      return undefined;
    }
    return {
      size: stats.size,
      read: (offset, length) => {
        try {
          return readFully(descriptor, offset, length);
        } catch (error) {
          throw fileError(doing, path, error);
        }
      },
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    throw fileError(doing, path, error);
  }
}

function readFully(descriptor: number, offset: number, length: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(length);
  let have = 0;
  while (have < length) {
    const count = readSync(descriptor, bytes, have, length - have, offset + have);
    if (count === 0) break;
    have += count;
  }
  return bytes.subarray(0, have);
}

/** A pipe whose writer is slow, or that is in non-blocking mode, answers EAGAIN: then this waits. */
function* piecesOf(descriptor: number): Generator<Uint8Array, void, undefined> {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const piece = Buffer.allocUnsafe(PIECE);
    let count: number;
    try {
      count = readSync(descriptor, piece);
    } catch (error) {
      if (codeOf(error) === 'EOF') return; // Windows
      if (codeOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, RETRY_MS);
      continue;
    }
    if (count === 0) return;
    yield piece.subarray(0, count);
  }
}
