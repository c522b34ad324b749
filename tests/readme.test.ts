/**
 * What the root README tells people to type does what it says. What its first command prints is compared by
 * scripts/readme-output.mjs.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Io } from '../apps/cli/src/io.ts';
import { smm } from '../apps/cli/src/program.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** Runs `smm` in this process, without files and without a terminal. */
async function run(line: string): Promise<{ code: number; out: string }> {
  let out = '';
  const refuse = (): never => {
    throw new Error('no files here');
  };
  const io: Io = {
    out: (text) => {
      out += typeof text === 'string' ? text : new TextDecoder().decode(text);
    },
    err: (text) => {
      out += text;
    },
    outIsTerminal: false,
    errIsTerminal: false,
    columns: undefined,
    env: {},
    readFile: refuse,
    readPieces: refuse,
    openRandom: refuse,
    claim: refuse,
    openStore: refuse,
    breathe: async () => undefined,
  };
  const code = await smm(line.split(' '), io);
  return { code, out };
}

/** The line of the README that starts so, without its comment; `npx smm` is left out. */
function shown(start: string): string {
  const line = readme.split('\n').find((text) => text.startsWith(`npx smm ${start}`));
  expect(line, `the README has no line 'npx smm ${start}'`).toBeDefined();
  return line!
    .replace('npx smm ', '')
    .replace(/\s+#.*$/, '')
    .replaceAll(/ +/g, ' ');
}

it('every subcommand that the README names exists', async () => {
  // A pasted command line of QEMU stands where a subcommand would.
  const named = new Set([...readme.matchAll(/\bsmm (?!qemu-system-)([a-z]+)/g)].map(([, name]) => name!));
  const { out } = await run('--help');
  const known = new Set([...out.matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name!));
  expect(named.size).toBeGreaterThan(6);
  expect([...named].filter((name) => !known.has(name))).toEqual([]);
});

it('the hang, and the proof that it never ends', async () => {
  const { code, out } = await run(shown('relocate -smp 2 --bitness 32 -accel kvm'));
  expect(code).toBe(1);
  expect(out).toMatch(/CPU 0 spins on mRebased\[1\]/);
  expect(out).toMatch(/never ends/);
});

it('where it leaves the good path, and why', async () => {
  const { out } = await run(shown('explain'));
  expect(out).toMatch(/First divergence from tcg/);
  expect(out).toMatch(/Q1/);
});

it('the fix', async () => {
  const line = shown('relocate -smp 2 --bitness 32 --host');
  expect(line).toMatch(/--quirk -Q1$/);
  expect(await run(line)).toMatchObject({ code: 0 });
});

it('not a race', async () => {
  const line = shown('explore').replace('--runs 1000', '--runs 12');
  expect((await run(line)).out).toMatch(/all 12 schedules.*not a race/s);
});
