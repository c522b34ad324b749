import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cli, ofPackage, scratch } from './support.ts';

const COMMANDS = ['matrix', 'relocate', 'explain', 'explore', 'diagnose', 'quirks', 'firmware'];

describe('help', () => {
  it('lists the subcommands, the exit codes and examples', async () => {
    const { out, code } = await cli('--help');
    expect(code).toBe(0);
    for (const name of [...COMMANDS, 'trace']) expect(out).toMatch(new RegExp(`^ {2}${name} `, 'm'));
    expect(out).toMatch(/Exit codes: 0 .*1 .*2 /);
  });

  it.each([...COMMANDS.map((name) => `help ${name}`), 'trace convert --help', 'trace diff -help'])(
    'smm %s has examples',
    async (command) => {
      const { out, code } = await cli(command);
      expect(code).toBe(0);
      expect(out).toMatch(/\nExamples:\n {2}\S/);
    },
  );

  it('every example that needs no file parses', async () => {
    for (const name of COMMANDS) {
      const { out } = await cli(`help ${name}`);
      const examples = out.split('Examples:\n')[1]!.split('\n');
      for (const line of examples.filter((each) => each.startsWith('  smm '))) {
        const command = line
          .trim()
          .slice(4)
          .split(/ {2,}| \|/)[0]!;
        // Help at the end makes the parser look at everything and run nothing.
        const { err, code } = await cli(`${command} --help`);
        expect(`${err}${code}`, command).toBe('0');
      }
    }
  });

  it.each(['help trace convert', 'trace help convert', 'trace convert --help', 'help trace convert --help'])(
    'smm %s is the page of convert',
    async (command) => {
      const { out, code } = await cli(command);
      expect(out).toMatch(/^Usage: smm trace convert /);
      expect(out).toContain('Examples:');
      expect(code).toBe(0);
    },
  );

  it.each(['help nonsense', 'help trace nonsense', 'trace help nonsense', 'help boot extra'])(
    'smm %s says that there is no such page',
    async (command) => {
      const { out, err, code } = await cli(command);
      expect(out).toBe('');
      expect(err).toMatch(/^smm: there is no help page '.*'\. Write smm help and one of matrix, .*\n$/);
      expect(code).toBe(2);
    },
  );

  it('help glossary explains the words', async () => {
    const { out, code } = await cli('help glossary');
    expect(out).toMatch(/^ {2}SMBASE +where /m);
    expect(code).toBe(0);
  });

  it('without a command is usage, not success', async () => {
    const { code, err } = await cli([]);
    expect(code).toBe(2);
    expect(err).toContain('Usage: smm');
  });

  it('prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(ofPackage('package.json'), 'utf8')) as { version: string };
    expect((await cli('-version')).out).toBe(`${version}\n`);
  });
});

describe('quirks', () => {
  it('lists every quirk and every host', async () => {
    const { out } = await cli('quirks');
    expect(out).toMatch(/^ {2}Q1 +KVM +.*f0d648bdf0a5 +shown$/m);
    expect(out).toMatch(/^ {2}Q4 .*not shown yet$/m);
    expect(out).toMatch(/^ {2}rhel7-3\.10\.0-323-stock +Q1, Q2 /m);
    expect(out).toMatch(/^ {2}linux-current \(default\) +none /m);
  });

  it('tells one in full', async () => {
    const { out } = await cli('quirks q1');
    expect(out).toMatch(/^Q1 {2}/);
    expect(out).toContain('Hosts that have it: rhel7-3.10.0-323, rhel7-3.10.0-323-stock.');
  });

  it('prints JSON', async () => {
    const { out } = await cli('quirks --json');
    const { quirks, hosts } = JSON.parse(out) as { quirks: { id: string }[]; hosts: { name: string }[] };
    expect(quirks.map(({ id }) => id)).toContain('Q33');
    expect(hosts.map(({ name }) => name)).toContain('linux-4.4');
  });
});

describe('firmware', () => {
  it.each(['--bitness 32', '--bitness 64 --edk2 2024 --tseg 1', '--quirk Q7'])(
    'writes an image: %s',
    async (options) => {
      const file = join(scratch(), 'rom.bin');
      const { code, err } = await cli(`firmware -o ${file} ${options}`);
      expect(code).toBe(0);
      expect(err).toMatch(/^Wrote \d+ KiB to .*rom\.bin: (32|64)-bit, edk2 (2015|2024), TSEG [128] MiB\.\n$/);
      expect(Math.log2(statSync(file).size) % 1).toBe(0);
    },
  );

  it('says where it cannot write', async () => {
    const { code, err } = await cli('firmware -o /nowhere/rom.bin');
    expect(code).toBe(2);
    expect(err).toContain('cannot write the firmware to /nowhere/rom.bin: there is no such file or folder');
    expect(existsSync('/nowhere/rom.bin')).toBe(false);
  });
});

describe('on a terminal', () => {
  const ESCAPE = '\u001b';

  it('tables have boxes and colour, and the progress line is gone at the end', async () => {
    const { out, err } = await cli('relocate -smp 2', { terminal: true });
    expect(out).toContain('┌');
    expect(out).toContain(`${ESCAPE}[32mrelocated`);
    expect(err).toContain('relocating...');
    expect(err.endsWith(`\r${ESCAPE}[K`)).toBe(true);
  });

  it.each([60, 80, 200])(
    'no line of a table is wider than %i columns, and no word is lost',
    async (columns) => {
      const { out } = await cli('quirks', { terminal: true, columns, env: { NO_COLOR: '1' } });
      for (const line of out.split('\n')) expect(line.length, line).toBeLessThanOrEqual(columns);
      expect(out.replace(/[^A-Za-z]+/g, '')).toContain('SMRAM');
      expect(out).toContain('linux-current');
    },
  );

  it.each([{ TERM: 'dumb' }, { LANG: 'C' }, { LC_ALL: 'POSIX', LANG: 'de_DE.UTF-8' }])(
    '%j gets ASCII',
    async (env) => {
      const { out } = await cli('quirks', { terminal: true, env });
      expect(out).toMatch(/^\+-+\+/m);
      expect([...out].filter((char) => char > '~')).toEqual([]);
    },
  );

  it('--wide makes tables as wide as they need be', async () => {
    const narrow = await cli('quirks', { terminal: true, columns: 60, env: { NO_COLOR: '1' } });
    const wide = await cli('quirks --wide', { terminal: true, columns: 60, env: { NO_COLOR: '1' } });
    const rows = (text: string): number => text.split('\n').filter((line) => /^│ Q\d/.test(line)).length;
    expect(rows(wide.out)).toBe(rows(narrow.out));
    expect(wide.out.split('\n').length).toBeLessThan(narrow.out.split('\n').length);
    expect(Math.max(...wide.out.split('\n').map(({ length }) => length))).toBeGreaterThan(100);
  });

  it('progress on a dumb terminal is erased without escape sequences', async () => {
    const { err } = await cli('relocate -smp 2', { terminal: true, env: { TERM: 'dumb' } });
    expect(err).toContain('relocating...');
    expect(err).not.toContain(ESCAPE);
    expect(err).toMatch(/\r +\r$/);
  });

  it('NO_COLOR is honoured', async () => {
    const { out } = await cli('relocate -smp 2', { terminal: true, env: { NO_COLOR: '1' } });
    expect(out).toContain('┌');
    expect(out).not.toContain(ESCAPE);
  });

  it('elsewhere there is neither box, colour nor progress', async () => {
    const { out, err } = await cli('relocate -smp 2');
    expect(out + err).not.toContain(ESCAPE);
    expect(out).not.toContain('┌');
    expect(err).toBe('');
  });
});
