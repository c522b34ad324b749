/** All of standard input, also from a pipe that is not ready yet. */
import { readSync } from 'node:fs';

const PIECE = 65_536;

/** Reads standard input to its end. A pipe whose writer is slow, or that is in non-blocking mode, answers EAGAIN: then this waits. */
export function readStandardInput(): Uint8Array {
  const pieces: Buffer[] = [];
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (;;) {
    const piece = Buffer.alloc(PIECE);
    let count: number;
    try {
      count = readSync(0, piece);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EOF') return Buffer.concat(pieces);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(pause, 0, 0, 10);
      continue;
    }
    if (count === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, count));
  }
}
