/** Whole programs of gcc and the C library, full of floating point: they print here what the CPU of the tests does. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { cpuModel } from '../src/system/models.ts';
import { nativeSkip } from './native/x87-harness.ts';
import type { FlatMachineOptions } from './support/flat-machine.ts';
import { LinuxProcess } from './support/linux-process.ts';

const SOURCE = fileURLToPath(new URL('native/doubles.c', import.meta.url));
/** The C library's functions as a processor without AVX and FMA has them. */
const TUNABLES = { GLIBC_TUNABLES: 'glibc.cpu.hwcaps=-AVX2,-AVX,-FMA,-FMA4,-AVX512F,-AVX512VL,-SSE4_1' };

const folder = mkdtempSync(join(tmpdir(), 'smm-programs-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Builds the program; undefined if there is no static C library. */
function build(flags: readonly string[]): string | undefined {
  const file = join(folder, flags.join('').replaceAll(/\W/g, ''));
  if (!existsSync(file)) {
    const built = spawnSync('gcc', [...flags, '-static', '-no-pie', '-o', file, SOURCE, '-lm']);
    if (built.status !== 0) return undefined;
  }
  return file;
}

const skip = nativeSkip() ?? (build(['-O2']) ? undefined : 'needs a static C library');
const interpreter = new Interpreter();
const TIERS: readonly FlatMachineOptions[] = [{ tier: 'interpreter' }, { tier: 'translator' }];

describe('programs', () => {
  const builds = [['-O2'], ['-O0'], ['-O3', '-ffast-math'], ['-O2', '-mfpmath=387'], ['-O1']];
  test.skipIf(skip !== undefined).each((FULL ? builds : builds.slice(0, 3)).map((flags) => flags.join(' ')))(
    `gcc %s prints here what it prints there${skip ? `: skipped, ${skip}` : ''}`,
    { timeout: 600_000 },
    (flags) => {
      const file = build(flags.split(' '))!;
      const there = execFileSync(file, { env: TUNABLES }).toString();
      expect(there).toContain('denormals');
      const image = readFileSync(file);
      for (const options of TIERS) {
        const here = new LinuxProcess(image, { ...options, interpreter, model: cpuModel('qemu64') }).run();
        expect(Buffer.concat(here.output).toString(), options.tier).toBe(there);
        expect(here.status).toBe(0);
      }
    },
  );
});
