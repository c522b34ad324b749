/** How guests' own words become the table, with guests that only say what a test wants. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { guestFiles, guestsFolder } from '../src/guests/files.ts';
import { runGuests } from '../src/guests/matrix.ts';
import { GUEST_ROWS, guestResult, guestRows } from '../src/guests/rows.ts';
import { guestArguments } from '../src/guests/run.ts';
import type { Io } from '../src/io.ts';
import { cli, scratch } from './support.ts';

const verdict = (name: string): string =>
  name === 'stress-set' ? '20/20 in 0s' : name === 'stress-del' ? '20/20 left=0' : 'PASS cpus=2';
const serial = (names: readonly string[], change: Readonly<Record<string, string>> = {}): string =>
  `[    0.0] Linux version 6.1.0-9-amd64 (x)\r\n${names
    .map((name) => `ROW ${name}: ${change[name] ?? verdict(name)} (uptime 1.23)\r\n`)
    .join('noise ROW x\r\n')}`;

describe('the rows of a guest', () => {
  it.each([
    ['all', serial(GUEST_ROWS), 'Linux 6.1 boots, S3 works, variables work'],
    ['no suspend', serial(GUEST_ROWS.filter((name) => !/s3/.test(name))), 'Linux 6.1 boots, variables work'],
    [
      'a variable lost in S3',
      serial(GUEST_ROWS, { 'var-after-s3-1': 'FAIL' }),
      'Linux 6.1 boots, S3 fails, variables work',
    ],
    [
      'a variable too few',
      serial(GUEST_ROWS, { 'stress-set': '19/20 in 0s' }),
      'Linux 6.1 boots, S3 works, variables fail',
    ],
    [
      'one left',
      serial(GUEST_ROWS, { 'stress-del': '20/20 left=1' }),
      'Linux 6.1 boots, S3 works, variables fail',
    ],
    ['an end in S3', serial(GUEST_ROWS.slice(0, 9)), 'Linux 6.1 boots, stuck: there'],
    ['an end in the kernel', serial([]), 'Linux 6.1 begins, stuck: there'],
    ['an end in the firmware', 'BdsDxe: loading', 'stuck: there'],
  ])('%s', (_what, text, result) => {
    expect(guestResult(text, 'stuck: there')).toBe(result);
  });

  it('are told apart from what else is printed', () => {
    expect(guestRows(serial(['boot', 'done'])).map(({ name }) => name)).toEqual(['boot', 'done']);
  });
});

/** A folder with the files of both guests. */
function guests(): string {
  const folder = scratch();
  for (const name of ['amd64', 'i386']) {
    mkdirSync(join(folder, name));
    for (const file of ['vmlinuz', 'initrd.gz', 'cmdline', 'disk.img'])
      writeFileSync(join(folder, name, file), file);
  }
  return folder;
}

const STUCK = {
  outcome: 'stuck',
  summary: 'CPU 0 spins',
  stuck: { at: 'PiSmmCpuDxeSmm+0x1' },
  cpus: [{ smbase: '0x30000' }, { smbase: '0x7ffc1000' }],
};

describe('smm matrix --guest linux', () => {
  it('runs every configuration, some at a time, and keeps their order', async () => {
    const asked: string[] = [];
    let [now, most] = [0, 0];
    const list = [1, 2, 4].flatMap((cpus) => [
      { guest: 'amd64' as const, accelerator: 'tcg' as const, host: undefined, cpus, disk: true },
      { guest: 'i386' as const, accelerator: 'kvm' as const, host: 'rhel7-3.10.0-323', cpus, disk: false },
    ]);
    const io = { env: { SMM_GUESTS: guests() }, err: () => undefined, errIsTerminal: false } as unknown as Io;
    const results = await runGuests(list, io, async (configuration, files) => {
      most = Math.max(most, ++now);
      asked.push(guestArguments(configuration, files, 'S').join(' '));
      await new Promise((resolve) => setTimeout(resolve, 8 - configuration.cpus));
      now--;
      const bad = configuration.host !== undefined && configuration.cpus > 1;
      return bad
        ? { report: STUCK, serial: '', errors: '' }
        : {
            report: { ...STUCK, outcome: 'powered-off', stuck: null },
            serial: serial(GUEST_ROWS),
            errors: '',
          };
    });
    expect(results.map(({ cpus, passed, result }) => [cpus, passed, result])).toEqual([
      [1, true, 'Linux 6.1 boots, S3 works, variables work'],
      [1, true, 'Linux 6.1 boots, S3 works, variables work'],
      [2, true, 'Linux 6.1 boots, S3 works, variables work'],
      [2, false, 'stuck in SMBASE relocation'],
      [4, true, 'Linux 6.1 boots, S3 works, variables work'],
      [4, false, 'stuck in SMBASE relocation'],
    ]);
    expect(most).toBeGreaterThanOrEqual(1);
    expect(asked[1]).toContain('boot --firmware ia32 --no-save --json');
    expect(asked[1]).toContain('-smp 1 -m 512 -serial file:S -accel kvm --host rhel7-3.10.0-323');
    expect(asked[1]).toContain('-append cmdline s3cycles=1');
    expect(asked[0]).toMatch(
      /-drive if=none,id=d,format=raw,snapshot=on,file=.*amd64.disk.img -device ide-hd,drive=d/,
    );
  });

  it('says how to make a guest that is not there, and what does not go together', async () => {
    const env = { SMM_GUESTS: '/nonexistent' };
    const answer = await cli('matrix --guest linux', { env });
    expect([answer.code, answer.err]).toEqual([
      2,
      expect.stringContaining('node scripts/guests/build.mjs amd64'),
    ]);
    expect((await cli('matrix --arch i386', { env })).err).toContain('--arch is for --guest linux');
    expect((await cli('matrix --guest linux --arch arm', { env })).err).toContain('arm');
    expect((await cli('matrix --guest linux -m 64', { env })).err).toContain('are for the relocation');
  });

  it('looks for guests where the caches of programs are', () => {
    expect(guestsFolder({}, '/h')).toBe('/h/.cache/smm/guests');
    expect(guestsFolder({ XDG_CACHE_HOME: '/c' }, '/h')).toBe('/c/smm/guests');
    expect(guestsFolder({ XDG_CACHE_HOME: '/c', SMM_GUESTS: '/g' }, '/h')).toBe('/g');
    expect(guestFiles(guests(), 'i386').kernel).toMatch(/i386.vmlinuz$/);
  });
});
