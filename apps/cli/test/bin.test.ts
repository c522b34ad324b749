import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemble } from '@smm/asm';
import { beforeAll, describe, expect, it } from 'vitest';
import { MAIL, ofPackage, scratch } from './support.ts';

// The committed bin, which imports what the build made: npm run build comes first, as npm test sees to.
const BIN = ofPackage('bin/smm.js');

beforeAll(() => {
  if (!existsSync(ofPackage('dist/main.js')))
    throw new Error('apps/cli is not built: run npm run build first');
});

function smm(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });
}

it('prints help and exits 0', () => {
  const { status, stdout } = smm('--help');
  expect(status).toBe(0);
  expect(stdout).toContain('smm relocate -smp 2');
});

it("exits 1 on the mail's machine, 2 on nonsense, without a stack", () => {
  expect(smm('relocate', ...MAIL.split(' '), '--json').status).toBe(1);
  const { status, stderr } = smm('relocate', '-smp', '300');
  expect(status).toBe(2);
  expect(stderr).toMatch(/^smm: -smp 300: .*\n$/);
});

it('reads standard input, and writes traces to standard output', () => {
  const out = execFileSync('sh', [
    '-c',
    `"${process.execPath}" "${BIN}" relocate ${MAIL} --trace - | "${process.execPath}" "${BIN}" diagnose -`,
  ]).toString();
  expect(out.replace(/\s+/g, ' ')).toContain('left SMM with SMBASE 0x7ffc1000');
});

it('is silent when the reader of its output goes away', () => {
  const { stderr, stdout } = spawnSync(
    'bash',
    [
      '-c',
      `set -o pipefail; "${process.execPath}" "${BIN}" relocate ${MAIL} --trace - | head -n 1; echo "\${PIPESTATUS[0]}"`,
    ],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^cpus=2\n/);
});

it('Ctrl-C exits 130 and leaves nothing behind on the line', async () => {
  const child: ChildProcess = spawn(process.execPath, [BIN, 'explore', '--runs', '1000000']);
  let err = '';
  child.stderr?.on('data', (data: Buffer) => {
    err += data.toString();
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('exit', (code) => {
      resolve(code);
    });
  });
  setTimeout(() => child.kill('SIGINT'), 3000);
  expect(await ended).toBe(130);
  expect(err).toBe('');
});

const hasQemu = spawnSync('qemu-system-i386', ['--version']).error === undefined;

it.skipIf(!hasQemu)(
  `a firmware that it wrote runs on real QEMU, as its help says, with the same log${hasQemu ? '' : ' (skipped: needs qemu-system-i386)'}`,
  async () => {
    const rom = join(scratch(), 'rom.bin');
    smm('firmware', '-o', rom, '--bitness', '32');
    const ours = JSON.parse(smm('relocate', '-smp', '2', '--bitness', '32', '--json').stdout) as {
      log: string[];
    };
    const command = /qemu-system-i386 [^\\]*\\\n[^\n]*/.exec(smm('help', 'firmware').stdout)?.[0] ?? '';
    const words = command.replace('\\\n', ' ').replace('rom.bin', rom).trim().split(/\s+/);
    const qemu = spawn(words[0]!, words.slice(1));
    let log = '';
    await new Promise<void>((resolve) => {
      qemu.stdout.on('data', (data: Buffer) => {
        log += data.toString();
        if (log.includes('Firmware done\n')) resolve();
      });
      qemu.on('exit', () => {
        resolve();
      });
    });
    qemu.kill('SIGKILL');
    expect(log.trimEnd().split('\n')).toEqual(ours.log);
  },
);

it('an old Node is told which one is needed', () => {
  // The check alone, with the version of a Node that is not here.
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `Object.defineProperty(process.versions, 'node', { value: '18.20.8' });
       process.argv[1] = ${JSON.stringify(BIN)}; await import(${JSON.stringify(BIN)});`,
    ],
    { encoding: 'utf8' },
  );
  expect(stderr).toBe('smm: needs Node 20.19 or newer, and this is Node 18.20.8.\n');
  expect(status).toBe(2);
});

// Guests that go on for ever and are not seen to hang: no signal may wait for them.
describe.each([
  ['polls a device', 'mov dx, 0x3f8\nmov al, 65\nout dx, al\nagain: in al, 0x61\njmp again'],
  [
    'repeats a string instruction',
    'mov dx, 0x3f8\nmov al, 65\nout dx, al\nagain: mov cx, 0xffff\nrep stosb\njmp again',
  ],
])('a guest that %s', (_what, source) => {
  const folder = scratch();
  const code = new Uint8Array(0x1_0000);
  code.set(assemble(source, { bits: 16, org: 0 }).bytes);
  code.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  writeFileSync(join(folder, 'code'), code);
  writeFileSync(join(folder, 'vars'), new Uint8Array(4096));
  const boot = ['boot', '--code', join(folder, 'code'), '--vars', join(folder, 'vars'), '--until', 'never'];

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('is left at once on %s', async (signal, code) => {
    const child = spawn(process.execPath, [BIN, ...boot, '--budget', '1000000000000'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
    child.stdout.once('data', () => child.kill(signal)); // what the guest says first
    expect(await ended).toBe(code);
  });

  it('is left after --timeout', () => {
    const { status, stderr } = smm(...boot, '--budget', '1000000000000', '--timeout', '0.5');
    expect(stderr).toMatch(/gave up after the time given/);
    expect(status).toBe(1);
  });
});
