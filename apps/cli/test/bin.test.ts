import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it, vi } from 'vitest';
import { MAIL, ofPackage, scratch } from './support.ts';

vi.setConfig({ testTimeout: 60_000 });

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
