/** Standard output and error of a program: what is lost is said, if anybody is left to hear it. */
import { writeSync } from 'node:fs';
import { codeOf, reasonOf } from './file-error.ts';

/** Exit codes for standard output that cannot be written. */
export interface StreamExits {
  /** The reader has gone (`smm matrix | head`), which is no error. */
  readonly readerGone: number;
  /** The disk is full, or the like. */
  readonly failed: number;
}

/** Ends the process when standard output or error cannot be written. Call once. */
export function watchStandardStreams(program: string, exits: StreamExits): void {
  const streams = [
    { stream: process.stdout, name: 'standard output' },
    { stream: process.stderr, name: 'standard error' },
  ];
  for (const { stream, name } of streams) {
    stream.on('error', (error) => {
      if (codeOf(error) === 'EPIPE') process.exit(exits.readerGone);
      try {
        writeSync(2, `${program}: cannot write to ${name}: ${reasonOf(error)}.\n`);
      } catch {
        // standard error is on the same disk
      }
      process.exit(exits.failed);
    });
  }
}
