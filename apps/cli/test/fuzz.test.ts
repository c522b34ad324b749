/** Any arguments give a result or one paragraph that says what is wrong: never an internal error. */
import { FileError, type Output, readBounded } from '@smm/files';
import fc from 'fast-check';
import { expect, it, vi } from 'vitest';
import type { Io } from '../src/io.ts';
import { smm } from '../src/program.ts';

const FULL = process.env['SMM_FULL'] === '1';
const RUNS = FULL ? 100_000 : 2000;

// What the arguments ask for is not done: only what is made of them is tried. Whole runs have tests of their own.
vi.mock('../src/drive.ts', async () => {
  const { UsageError } = await import('../src/usage-error.ts');
  const refuse = async (): Promise<never> => {
    throw new UsageError('would run', 'This is a test.');
  };
  return { run: refuse, drain: refuse };
});
vi.mock('../src/boot/session.ts', async () => {
  const { UsageError } = await import('../src/usage-error.ts');
  return {
    runSession: async (): Promise<never> => {
      throw new UsageError('would boot', 'This is a test.');
    },
  };
});

/** Files by name; nothing else is there, and nothing is written. */
const FILES: Readonly<Record<string, Uint8Array>> = {
  'code.fd': new Uint8Array(0x1_0000),
  'vars.fd': new Uint8Array(0x1000),
  'hang.txt': new TextEncoder().encode('qemu-1 [000] 1.000000: kvm_entry: vcpu 0\n'),
  'empty.dat': new Uint8Array(),
};
const NOWHERE: Output = { replace: () => undefined, append: () => undefined, release: () => undefined };

async function answer(args: readonly string[]): Promise<{ code: number; err: string }> {
  let err = '';
  const io: Io = {
    out: () => undefined,
    err: (text) => {
      err += text;
    },
    outIsTerminal: false,
    errIsTerminal: false,
    columns: undefined,
    env: {},
    readPieces: (what, path) => [
      (typeof path === 'string' && Object.hasOwn(FILES, path) ? FILES[path] : undefined) ??
        readBounded(what, '/nowhere/at/all', 1),
    ],
    readFile: (what, path, limit) =>
      (typeof path === 'string' && Object.hasOwn(FILES, path) ? FILES[path] : undefined) ??
      readBounded(what, '/nowhere/at/all', limit),
    openRandom: () => undefined,
    claim: () => NOWHERE,
    openStore: () => {
      throw new FileError('cannot read the disk image', 'there are none here', 'Give none.');
    },
    breathe: async () => undefined,
  };
  const code = await smm(args, io);
  return { code, err };
}

const COMMANDS =
  'matrix relocate explain explore diagnose trace convert diff quirks firmware boot help'.split(' ');
const OPTIONS = (
  '--smp -smp -m --memory --cpu -cpu --bitness --edk2 --tseg --no-wait --rom -bios --accel -accel --machine --host ' +
  '--quirk --seed --slice --runs --trace --json --firmware --code --vars --drive -drive --vars-out --no-save --serial ' +
  '--until --timeout --budget --no-reboot --explain -o --output --form -h --help --version --'
).split(' ');
const VALUES = [
  ...'0 1 2 255 256 -1 1e9 1e999 0x 0x10 NaN Infinity 9007199254740993 4294967296 2,2 1,,2 , = == . - + *'.split(
    ' ',
  ),
  ...'toString __proto__ constructor hasOwnProperty valueOf +toString -__proto__ toString=1 __proto__=on'.split(
    ' ',
  ),
  ...'tcg kvm kvm,ept=0 kvm,toString=1 q35 q35,__proto__=1 +Q1 -Q1 Q1 +Q4 linux-current x64 ia32 32 64 2015 2024'.split(
    ' ',
  ),
  ...'qemu64 qemu64,+x2apic coreduo,-nx qemu64,level=1e99 cpus=2 cpus=,maxcpus=2 size=2G 0G 99999999G shell'.split(
    ' ',
  ),
  ...'if=pflash,file=code.fd if=pflash,unit=1,file=vars.fd if=,=, code.fd vars.fd hang.txt empty.dat out.txt'.split(
    ' ',
  ),
  ...['', ' ', '\n', '\0', '\u202e', 'ü'.repeat(50), 'a'.repeat(5000), '--', '-', 'file:x', 'stdio', 'none'],
];
const word = fc.oneof(
  fc.constantFrom(...COMMANDS),
  fc.constantFrom(...OPTIONS),
  fc.constantFrom(...VALUES),
  fc
    .tuple(fc.constantFrom(...OPTIONS), fc.constantFrom(...VALUES))
    .map(([name, value]) => `${name}=${value}`),
  fc.string(),
);
const line = fc
  .tuple(fc.constantFrom(...COMMANDS, ...VALUES), fc.array(word, { maxLength: 8 }))
  .map(([first, rest]) => [first, ...rest]);

async function check(args: readonly string[]): Promise<void> {
  const { code, err } = await answer(args);
  expect([0, 1, 2]).toContain(code);
  expect(err).not.toContain('internal error');
  if (code !== 0) expect(err).toMatch(/^(smm: |Usage: )/);
}

it(
  `${RUNS} command lines`,
  async () => {
    await fc.assert(fc.asyncProperty(line, check), { numRuns: RUNS });
  },
  FULL ? 3_600_000 : 120_000,
);

// Found before: names that every object has.
it.each(['toString', '__proto__', 'constructor', 'help __proto__', 'help toString', 'trace __proto__'])(
  'smm %s is unknown',
  async (command) => {
    const { code, err } = await answer(command.split(' '));
    expect(err).toMatch(/^smm: .*(unknown command|no help page)/);
    expect(code).toBe(2);
  },
);

it('-cpu with a name that every object has is an unknown feature', async () => {
  const { cpuModel } = await import('@smm/cpu-core');
  for (const option of ['toString=1', '__proto__=1', '+constructor', 'valueOf=on'])
    expect(() => cpuModel(`qemu64,${option}`)).toThrow(/no CPU feature named/);
});
