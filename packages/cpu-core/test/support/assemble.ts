/** Assembles test programs with @smm/asm. In the full form nasm must give the same bytes. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble as assembleHere } from '@smm/asm';
import { FULL } from '../../../../tests/support/form.ts';

/** True if nasm can be started. */
export const HAS_NASM = spawnSync('nasm', ['-v']).status === 0;

const COMPARE = HAS_NASM && FULL;

/** Machine code of NASM source text, as nasm makes it. */
export function assembleWithNasm(source: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'smm-asm-'));
  try {
    const file = join(folder, 'a.asm');
    writeFileSync(file, source);
    execFileSync('nasm', ['-f', 'bin', '-o', `${file}.bin`, file], { stdio: ['ignore', 'ignore', 'pipe'] });
    return new Uint8Array(readFileSync(`${file}.bin`));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Machine code of source text in the NASM subset of @smm/asm. */
export function assemble(source: string, options: { bits: 16 | 32 | 64; org: number }): Uint8Array {
  const { bytes } = assembleHere(source, options);
  if (COMPARE) {
    const theirs = assembleWithNasm(`bits ${options.bits}\norg ${options.org}\n${source}\n`);
    if (Buffer.compare(bytes, theirs) !== 0) throw new Error(`@smm/asm and nasm disagree about\n${source}`);
  }
  return bytes;
}
