/**
 * Every option that names a file to write, and standard output: what cannot be written is said before the run, or at
 * once.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { assemble } from '@smm/asm';
import { claimOutput } from '@smm/files';
import { describe, expect, it } from 'vitest';
import { cli, ofPackage, scratch } from './support.ts';

const BIN = ofPackage('bin/smm.js');
const folder = scratch();
const path = (name: string): string => join(folder, name);

/** A flash image that says A on the serial port and spins for ever. */
const CODE = new Uint8Array(0x1_0000);
CODE.set(assemble('mov dx, 0x3f8\nmov al, 65\nout dx, al\nagain: jmp again', { bits: 16, org: 0 }).bytes);
CODE.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
writeFileSync(path('code'), CODE);
writeFileSync(path('vars'), new Uint8Array(4096));
writeFileSync(path('trace.jsonl'), '');
const BOOT = `boot --code ${path('code')} --budget 1000000`;

/** Each with FILE for the output. */
const OUTPUTS = [
  'firmware -o FILE',
  'relocate --trace FILE',
  `trace convert ${path('trace.jsonl')} FILE`,
  `${BOOT} --vars ${path('vars')} --vars-out FILE`,
  `${BOOT} --vars FILE`,
  `${BOOT} --vars ${path('vars')} --no-save --serial file:FILE`,
];

describe.each(OUTPUTS)('smm %s', (command) => {
  const run = (file: string) => cli(command.replace('FILE', file));

  it('refuses what is no regular file, and leaves it alone', async () => {
    spawnSync('mkfifo', [path('pipe.txt')]);
    mkdirSync(path('folder.txt'), { recursive: true });
    for (const [name, kind] of [
      ['pipe.txt', 'a pipe'],
      ['folder.txt', 'a folder'],
    ] as const) {
      const { code, err } = await run(path(name));
      expect(err).toMatch(new RegExp(`^smm: cannot write [a-z ]+ to .*${name}: it is ${kind}\\.`));
      expect(code).toBe(2);
    }
    expect(statSync(path('pipe.txt')).isFIFO()).toBe(true);
  });

  it('refuses what another process is writing', async () => {
    const target = path('taken.txt');
    copyFileSync(path('vars'), target);
    const child = await holding(target);
    const { code, err } = await run(target);
    child.kill('SIGKILL');
    expect(err).toMatch(new RegExp(`taken.txt: process ${child.pid} is using it\\. .*`));
    expect(code).toBe(2);
  });

  it('lets go at its end, whatever the end is', async () => {
    const target = path('free.txt');
    copyFileSync(path('vars'), target);
    await run(target);
    claimOutput('it', target).release();
    expect(readdirSync(folder).filter((name) => name.startsWith('.free'))).toEqual([]);
  });
});

/** A process that has claimed a file. */
function holding(target: string): Promise<ChildProcess> {
  const code = `import { claimOutput } from '@smm/files'; claimOutput('it', process.argv[1]);
    console.log('ready'); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, target], { cwd: ofPackage('') });
  return new Promise((resolve, reject) => {
    child.stdout.on('data', () => resolve(child));
    child.on('exit', () => reject(new Error('ended too early')));
  });
}

it('no boot replaces /dev/null, and its refusal says how to write nothing', async () => {
  const { code, err } = await cli(`${BOOT} --vars ${path('vars')} --vars-out /dev/null`);
  expect(err).toMatch(/\/dev\/null: it is a device/);
  expect(err).toContain('--no-save');
  expect(code).toBe(2);
  expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
});

it.each([
  'relocate --rom /dev/zero',
  'diagnose /dev/zero',
  'trace diff /dev/zero /dev/zero',
  `boot --code /dev/zero --vars ${path('vars')} --no-save`,
  `boot --code ${path('code')} --vars /dev/zero --no-save`,
])('smm %s is refused, for it has no size', async (command) => {
  const { code, err } = await cli(command);
  expect(err).toMatch(/^smm: cannot read [a-zA-Z ]+ \/dev\/zero: it is a device and has no size\./);
  expect(code).toBe(2);
});

const hasFull = existsSync('/dev/full');
describe.skipIf(!hasFull)(
  `standard output on a full disk${hasFull ? '' : ' (skipped: no /dev/full)'}`,
  () => {
    it.each(['quirks', 'help', 'relocate --trace -', 'quirks --json'])('smm %s says so', (command) => {
      const { status, stderr } = spawnSync(
        'sh',
        ['-c', `exec "$0" "$@" > /dev/full`, process.execPath, BIN, ...command.split(' ')],
        { encoding: 'utf8' },
      );
      expect(stderr).toBe('smm: cannot write to standard output: the disk is full.\n');
      expect(status).toBe(2);
    });
  },
);

describe('a file that a command reads is not written over by it', () => {
  const rom = readFileSync(path('code'));
  const trace = '{"format":"smm-trace"}\n';
  it.each([
    ['relocate --rom FILE --trace NAME', rom],
    ['boot --code FILE --vars VARS --no-save --serial file:NAME', rom],
    ['boot --code FILE --vars VARS --vars-out NAME', rom],
    ['boot --code CODE --vars FILE --no-save --serial file:NAME', rom],
    ['boot --code FILE --vars NAME', rom],
    ['trace convert FILE NAME', trace],
    ['trace convert FILE NAME', 'kvm_entry: vcpu 0\n'],
  ] as const)('smm %s', async (command, content) => {
    const file = path('input.jsonl');
    for (const [name, link] of [
      ['input.jsonl', () => undefined],
      ['link.jsonl', symlinkSync],
      ['hard.jsonl', linkSync],
    ] as const) {
      writeFileSync(file, content);
      if (!existsSync(path(name))) link(file, path(name));
      const words = { FILE: file, NAME: path(name), CODE: path('code'), VARS: path('vars') };
      const line = command.replace(/FILE|NAME|CODE|VARS/g, (word) => words[word as keyof typeof words]);
      const { code, err } = await cli(`${line}${command.startsWith('boot') ? ' --budget 1000' : ''}`);
      expect(err.replaceAll(/\s+/g, ' ')).toMatch(
        /would be written over .*Name another file for one of them/,
      );
      expect(code).toBe(2);
      expect(readFileSync(file)).toEqual(Buffer.from(content));
    }
  });
});
