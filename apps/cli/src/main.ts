/** Process entry: connects the program to node. */
import { readFileSync, writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { V8_FLAGS } from '@smm/cpu-core';
import { EXIT, type Io } from './io.ts';
import { smm } from './program.ts';
import { readStandardInput } from './standard-input.ts';

for (const flag of V8_FLAGS) setFlagsFromString(flag);

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
  readFile: (path) => readFileSync(path),
  writeFile: (path, content) => {
    writeFileSync(path, content);
  },
  readInput: readStandardInput,
  breathe: () => new Promise((resolve) => setImmediate(resolve)),
};

for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // The reader has gone (`smm matrix | head`): nobody is left to tell.
    process.exit(error.code === 'EPIPE' ? EXIT.OK : EXIT.GUEST_FAILED);
  });
}
process.once('SIGINT', () => {
  if (io.errIsTerminal) io.err('\r\x1b[K');
  process.exit(EXIT.INTERRUPTED);
});

process.exitCode = await smm(process.argv.slice(2), io);
