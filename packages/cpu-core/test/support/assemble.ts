/** Assembles test programs with nasm. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Machine code of NASM source text. */
export function assemble(source: string, options: { bits: 16 | 32 | 64; org: number }): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'smm-asm-'));
  try {
    const file = join(folder, 'a.asm');
    writeFileSync(file, `bits ${options.bits}\norg ${options.org}\n${source}\n`);
    execFileSync('nasm', ['-f', 'bin', '-o', `${file}.bin`, file], { stdio: ['ignore', 'ignore', 'pipe'] });
    return new Uint8Array(readFileSync(`${file}.bin`));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
