/**
 * Ours and v86 in Chromium: the built bench runs a kernel there, and every result is what plain TypeScript computes.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import type { Report } from '../src/report.ts';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const PROGRAM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** The full form skips nothing: it fails without Chromium. */
const skip = !FULL && !existsSync(PROGRAM);
const folder = mkdtempSync(join(tmpdir(), 'smm-bench-chromium-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

describe.skipIf(skip)(`in Chromium${skip ? ` (skipped: there is no ${PROGRAM})` : ''}`, () => {
  it('tier 1, tier 0 and v86 give the reference results', () => {
    const json = join(folder, 'report.json');
    const peers = ['smm-tier1-chromium', 'smm-tier0-chromium', 'v86-jit-chromium'];
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [
        ...[MAIN, '--only', 'hot', '--kernels', 'alu32', 'alu64', '--peers', ...peers],
        ...['--samples', '1', '--seconds', '0.2', '--json', json],
      ],
      { encoding: 'utf8' },
    );
    expect(status, stdout + stderr).toBe(0);
    const { measurements } = JSON.parse(readFileSync(json, 'utf8')) as Report;
    const rows = measurements.filter(({ suite }) => suite === 'hot');
    expect(rows.map(({ name, peer }) => `${name} ${peer}`)).toEqual([
      ...peers.map((peer) => `alu32 ${peer}`),
      ...peers.map((peer) => `alu64 ${peer}`),
    ]);
    // A wrong result, a crash and a missing browser have a status of their own; on a busy machine a short run may be
    // noise.
    for (const { name, peer, status: each, note, version } of rows) {
      if (name === 'alu64' && peer === 'v86-jit-chromium') {
        expect([each, note]).toEqual(['missing', 'runs 32-bit code only']);
        continue;
      }
      expect(['measured', 'noise'], `${name} ${peer}: ${each} ${note}`).toContain(each);
      expect(version).toMatch(/in Chromium \d/);
    }
  });
});
