/** Process entry: connects the program to node. */
import { setFlagsFromString } from 'node:v8';
import { v8Flags } from '@smm/cpu-core';
import {
  claimOutput,
  openRandom,
  openStore,
  readBounded,
  readPieces,
  watchStandardStreams,
} from '@smm/files';
import { EXIT, type Io } from './io.ts';
import { smm } from './program.ts';

for (const flag of v8Flags(process.versions.v8)) setFlagsFromString(flag);

const io: Io = {
  out: (text) => {
    process.stdout.write(text);
  },
  err: (text) => {
    process.stderr.write(text);
  },
  outIsTerminal: process.stdout.isTTY === true,
  errIsTerminal: process.stderr.isTTY === true,
  columns: process.stdout.columns || process.stderr.columns || undefined,
  env: process.env,
  readFile: readBounded,
  readPieces,
  openRandom,
  claim: claimOutput,
  openStore,
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
};

watchStandardStreams('smm', { readerGone: EXIT.OK, failed: EXIT.USAGE });
process.once('SIGINT', () => {
  if (io.errIsTerminal) io.err('\r\x1b[K');
  process.exit(EXIT.INTERRUPTED);
});

process.exitCode = await smm(process.argv.slice(2), io);
