/** A commit beside this tree, for real: a work tree, `npm ci`, a build, both machines. Needs the built bench. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { AGAINST_SUITES } from '../src/against.ts';
import { parseArguments } from '../src/options.ts';
import type { Report } from '../src/report.ts';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bench-against-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The first commit whose bench has a child of its own: its packages export other names than today's. */
const OLD = '6bd24a5';

describe('another commit', () => {
  it('is compared in all suites that can, unless kernels are named', () => {
    expect(parseArguments(['--against', OLD]).bench.only).toEqual(AGAINST_SUITES);
    expect(parseArguments(['--against', OLD, '--kernels', 'mixed32']).bench.only).not.toContain('boot');
    const { bench } = parseArguments(['--against', OLD, '--only', 'boot', '--peers', 'smm-tier1']);
    expect([bench.only, bench.boots.peers]).toEqual([['boot'], ['smm-tier1']]);
  });

  if (FULL)
    it('with an older API runs the same ROMs, and its work tree goes away', () => {
      const json = join(folder, 'report.json');
      const args = ['--against', OLD, '--kernels', 'mixed32', '--peers', 'smm-tier1', '--samples', '1'];
      const { status, stderr } = spawnSync(process.execPath, [MAIN, ...args, '--json', json], {
        encoding: 'utf8',
        env: { ...process.env, TMPDIR: folder },
      });
      expect(status, stderr).toBe(0);
      const { ratios } = JSON.parse(readFileSync(json, 'utf8')) as Report;
      expect(ratios.map(({ name, against }) => `${name} ${against}`)).toContain('mixed32 smm-tier1@against');
      expect(readdirSync(folder)).toEqual(['report.json']);
    });
});
