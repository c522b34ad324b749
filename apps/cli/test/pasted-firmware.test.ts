/** The pasted command lines with the distribution's firmware: to the shell, all of them in the full form. */
import { copyFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { PASTED } from './pasted.ts';
import { cli, scratch } from './support.ts';

/** Files of Debian 12's packages `ovmf` and `ovmf-ia32` by the names in the lines. */
const FIRMWARE: Readonly<Record<string, string>> = {
  'CODE32.fd': '/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd',
  'VARS32.fd': '/usr/share/OVMF/OVMF32_VARS_4M.fd',
  'CODE.fd': '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd',
  'VARS.fd': '/usr/share/OVMF/OVMF_VARS_4M.fd',
  'OVMF.fd': '/usr/share/ovmf/OVMF.fd',
};

/** The line with its files in a folder of the test. */
function prepared(line: string, folder: string): string[] {
  return (line.match(/(?:'[^']*'|[^\s'])+/g) ?? []).map((word) =>
    word.replaceAll("'", '').replaceAll(/\b(?:(?:CODE|VARS)(?:32)?|OVMF)\.fd|debug\.log/g, (name) => {
      const path = join(folder, name);
      if (FIRMWARE[name] !== undefined && !existsSync(path)) copyFileSync(FIRMWARE[name]!, path);
      return path;
    }),
  );
}

const there = Object.values(FIRMWARE).every((path) => existsSync(path));

/** The short form boots one: the 32-bit one, which has the least to do. */
const SHORT = 4;

it
  .skipIf(!there)
  .each(PASTED.map((line, index) => [index + 1, line] as const).filter(([n]) => FULL || n === SHORT + 1))(
  '%i: %s',
  async (_number, line) => {
    const folder = scratch();
    const serial = join(folder, 'serial.txt');
    const words = prepared(line, folder);
    const args = words[0] === 'smm' ? words.slice(1) : words;
    const firmware = args.filter((word) => word !== 'mon:stdio' && word !== '-serial');
    const { code, err } = await cli([...firmware, '-serial', `file:${serial}`, '--until', 'shell']);
    expect(err).toMatch(/shell: the UEFI shell prompts/);
    expect(code).toBe(0);
    expect(readFileSync(serial, 'latin1')).toContain('UEFI Interactive Shell');
  },
);
