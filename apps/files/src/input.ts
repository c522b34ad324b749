/** Files that the programs read: whole, and no larger than makes sense. */
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

/** A pipe whose writer is slow, or that is in non-blocking mode, answers EAGAIN: then this waits. */
function readToEnd(what: string, descriptor: number, limit: number): Uint8Array {
  const pieces: Buffer[] = [];
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let total = 0; ; ) {
    const piece = Buffer.allocUnsafe(PIECE);
    let count: number;
    try {
      count = readSync(descriptor, piece);
    } catch (error) {
      if (codeOf(error) === 'EOF') return Buffer.concat(pieces); // Windows
      if (codeOf(error) !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, RETRY_MS);
      continue;
    }
    if (count === 0) return Buffer.concat(pieces);
    total += count;
    if (total > limit) throw tooLarge(what, undefined, limit);
    pieces.push(piece.subarray(0, count));
  }
}
