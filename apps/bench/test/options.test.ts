/**
 * The command line: what it makes of its arguments, what it refuses, and that it ends cleanly. Needs the built bench,
 * as `npm test` makes it.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assemble } from '@smm/asm';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, describe, expect, it } from 'vitest';
import { parseArguments } from '../src/options.ts';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'bench-options-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const schema = JSON.parse(readFileSync(new URL('../schema/bench.schema.json', import.meta.url), 'utf8'));
const fits = new Ajv2020().compile(schema);

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: 'utf8', timeout: 50_000 });
}

/** Adds 7 to ebx as often as the dword at 400000h says. */
const ADDER = assemble(
  `mov ecx, [400000h]
next:   add ebx, 7
        dec ecx
        jnz next
        ret`.replace('mov ecx', 'xor ebx, ebx\nmov ecx'),
  { bits: 32, org: 0x30_0000 },
).bytes;

describe('bad command lines are refused with what is wrong', () => {
  const adder = file('adder.bin', ADDER);
  it.each([
    [['--only', 'nothing'], 'Allowed choices are hot'],
    [['--samples', '0'], 'whole number from 1'],
    [['--seconds', '-1'], 'seconds from 0.01'],
    [['--plot', 'x.png'], '.svg or .html'],
    [['--kernel', file('empty.bin', '')], 'the file is empty'],
    [['--kernel', adder, '--load', '0x1000'], 'code may lie from 0x300000'],
    [['--kernel', adder, '--load', 'here'], 'Give an address'],
    [['--kernel', adder, '--entry', '0x200000'], 'outside of the binary'],
    [['--kernel', adder, '--result', 'r9'], 'one of eax'],
    [['--kernel', adder, '--iterations', '0x10'], '--iterations 0x10'],
    [['--kernel', adder, '--expect', '0x100000000'], '32 bits'],
    [['--kernel', file('large.bin', new Uint8Array(70_000))], 'at most'],
    [['--result', 'eax'], 'which is not there'],
    [['--kernel', adder, '--against', 'HEAD'], 'exclude each other'],
    [['surplus'], 'too many arguments'],
  ])('%j', (args, message) => {
    expect(() => parseArguments(args)).toThrow(message);
  });

  it.each([
    [['--from', file('other.json', '{}')], 'no report of this bench'],
    [
      ['--from', join(folder, 'absent')],
      `there is no such file or folder (${join(folder, 'absent')}). Give what --json wrote`,
    ],
    [
      ['--kernel', join(folder, 'absent')],
      `there is no such file or folder (${join(folder, 'absent')}). Give a flat binary`,
    ],
    [['--kernel', folder], `it is a folder (${folder}). Give a flat binary`],
    [['--against', 'no-such-revision'], 'no such commit'],
    [['--against', 'HEAD', '--only', 'walks'], 'cannot compare walks. It can compare hot, system'],
    [['--samples', '0'], 'whole number from 1'],
  ])('%j ends the program with code 2', (args, message) => {
    const { status, stderr } = bench(...args);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });

  it('a good one is everything but the endurance suite, or a part', () => {
    expect(parseArguments([]).bench.only).not.toContain('endurance');
    const { bench: endurance } = parseArguments(['--only', 'endurance', '--instructions', '5000000']);
    expect([endurance.only, endurance.enduranceInstructions]).toEqual([['endurance'], 5_000_000]);
    expect(parseArguments([]).bench.effort).toEqual({ samples: 5, seconds: 1 });
    const { bench: some } = parseArguments(['--only', 'hot', '--kernels', 'alu64', '--peers', 'bochs']);
    expect(some.only).toEqual(['hot']);
    expect(some.kernels.map(({ name }) => name)).toEqual(['alu64']);
    expect(some.peers.map(({ name }) => name)).toEqual(['bochs']);
  });
});

describe('a foreign binary', () => {
  const common = ['--samples', '1', '--seconds', '0.05', '--peers', 'smm-tier0', 'smm-evaluator'];

  it('runs on every emulator that is asked for, and the report fits the schema', () => {
    const adder = file('adder.bin', ADDER);
    const json = join(folder, 'foreign.json');
    const rest = ['--iterations', '0x400000', '--result', 'ebx', '--json', json];
    const { status, stdout } = bench('--kernel', adder, ...rest, ...common);
    expect(status, stdout).toBe(0);
    const report = JSON.parse(readFileSync(json, 'utf8'));
    expect(fits(report), JSON.stringify(fits.errors)).toBe(true);
    const rows = (report as { measurements: { peer: string; status: string }[] }).measurements;
    expect(new Set(rows.map(({ peer }) => peer))).toEqual(new Set(['smm-tier0', 'smm-evaluator']));
    expect(rows.map(({ status: each }) => each)).not.toContain('wrong-result');
  });

  it('that does not give what is expected is reported, with exit code 1', () => {
    const constant = file('constant.bin', assemble('mov eax, 5\nret', { bits: 32 }).bytes);
    const { status, stdout } = bench('--kernel', constant, '--expect', '6', ...common);
    expect(stdout).toContain("'R=00000005'");
    expect(stdout).toContain('WRONG');
    expect(status).toBe(1);
    expect(bench('--kernel', constant, '--expect', '5', ...common).status).toBe(0);
  });
});

/** Processes whose command line has a text, by /proc. */
function processesWith(text: string): number {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(text);
    } catch {
      return false;
    }
  }).length;
}

it.runIf(existsSync('/proc/self/stat'))('Ctrl-C ends it with code 130 and leaves no process', async () => {
  const marked = join(folder, 'dist');
  // A copy in a folder of its own can be told from other benches on this machine; it resolves packages through a link.
  cpSync(fileURLToPath(new URL('../dist', import.meta.url)), marked, { recursive: true });
  cpSync(fileURLToPath(new URL('../package.json', import.meta.url)), join(folder, 'package.json'));
  symlinkSync(fileURLToPath(new URL('../../../node_modules', import.meta.url)), join(folder, 'node_modules'));
  const args = ['--only', 'hot', '--kernels', 'mixed32', '--peers', 'smm-tier0', '--samples', '100'];
  const child = spawn(process.execPath, [join(marked, 'main.js'), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  await new Promise<void>((resolve) => {
    child.stderr.on('data', (text: Buffer) => {
      if (text.toString().includes('round 1')) resolve();
    });
  });
  expect(processesWith(marked)).toBe(2);
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  await expect.poll(() => processesWith(marked)).toBe(0);
});
