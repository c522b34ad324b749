/** The command line's options. */

import { basename, resolve } from 'node:path';
import { FileError, readBounded } from '@smm/files';
import { Command, InvalidArgumentError, Option } from 'commander';
import { AGAINST_SUITES } from './against.ts';
import { type BenchOptions, DEFAULT_SUITES, SUITES, type SuiteName } from './bench.ts';
import { checkForeign, defaultResult, FOREIGN_RANGE, type ForeignOptions } from './foreign.ts';
import { ALL_KERNELS } from './kernels/all.ts';
import { ALL_PEERS, DEFAULT_PEERS } from './peers/all.ts';
import { ALL_BOOTS, type BootPlan } from './suites/boot.ts';

const hex = (value: number): string => `0x${value.toString(16)}`;

const HELP = `
Suites:
  hot         loops of user code in 32 and 64 bit, guest instructions per CPU second (MIPS)
  system      self-modifying code, page tables that change, interrupts to itself, MIPS
  cold        code that runs once: fetching, decoding or translating it, and one execution
  events      an SMI and its RSM; an interrupt to a second processor and back; a device access
  slices      what a turn of the scheduler costs our machine
  walks       what a TLB miss costs in the machine
  walkers     the page walkers by themselves
  relocation  SMBASE relocations with 1 to 255 VCPUs under tcg and kvm
  boot        OVMF (Debian: ovmf, ovmf-ia32) to the shell with 1 to 8 processors: CPU time, wall time, memory
  warm-up     speed of tier 1 and tier 0 from the first instruction on
  endurance   memory over 1e11 instructions of ever new code; minutes, and only if named with --only

The same ROM runs on all emulators: ours, and those of QEMU (TCG), Bochs, v86 and Chromium that are installed; others are
reported as missing. Every result is checked against a computation in TypeScript.

A binary of your own (--kernel FILE): flat code is copied to --load and its --entry is called, in 32-bit protected or 64-bit mode,
ring 0, interrupts off, paging on, the first 64 MiB mapped to themselves; from ${hex(FOREIGN_RANGE[0])} to ${hex(FOREIGN_RANGE[1])} all is yours. It returns with RET,
SP as it was, the result in --result; other registers may change. Without --iterations it is called again and again and must give
the same each time. With it, it is called once, after the number of rounds was stored in the dword at that address.

Examples:
  npm run bench -- --quick
  npm run bench -- --only hot cold --peers smm-tier1 qemu-tcg --json bench.json
  npm run bench -- --from bench.json --markdown docs/performance.md --plot bench.html
  npm run bench -- --kernel loop.bin --bits 64 --iterations 0x400000 --result rbx
  npm run bench -- --against HEAD~3 --kernels mixed32 call64

Exit codes: 0, 1 if a result was wrong or one of our own runs failed, 2 for a bad command line, 130 after Ctrl-C.
`;

/** A parsed command line. */
export interface Parsed {
  /** What to run. */
  readonly bench: Omit<BenchOptions, 'progress'>;
  /** A foreign binary instead of the suites. */
  readonly foreign: ForeignOptions | undefined;
  /** Another commit to compare with instead of the suites. */
  readonly against: string | undefined;
  /** A report to read instead of measuring. */
  readonly from: string | undefined;
  /** Where the report goes as JSON. */
  readonly json: string | undefined;
  /** Where it goes as Markdown, by the template. */
  readonly markdown: string | undefined;
  /** Where the picture goes: `.svg` or `.html`. */
  readonly plot: string | undefined;
}

/** A command line that makes no sense; the message is for people. */
export class OptionError extends Error {}

/** Bytes; more than any report or binary has. */
const LARGEST_INPUT = 0x1000_0000;

/** Reads the file that `option` names. Throws an {@link OptionError} with `remedy`, a sentence: what to give. */
export function readGiven(option: string, path: string, remedy: string): Uint8Array {
  try {
    return readBounded(option, path, LARGEST_INPUT);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new OptionError(`${option} ${path}: ${error.why} (${resolve(path)}). ${remedy}`);
  }
}

interface Options {
  readonly quick: boolean;
  readonly json?: string;
  readonly markdown?: string;
  readonly plot?: string;
  readonly from?: string;
  readonly against?: string;
  readonly only?: SuiteName[];
  readonly peers?: string[];
  readonly kernels?: string[];
  readonly samples?: number;
  readonly seconds?: number;
  readonly instructions?: number;
  readonly kernel?: string;
  readonly bits?: '32' | '64';
  readonly load?: number;
  readonly entry?: number;
  readonly result?: string;
  readonly iterations?: number;
  readonly expect?: bigint;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Give a whole number from 1.');
  return value;
}

function duration(text: string): number {
  const value = Number(text);
  if (!(value >= 0.01 && value <= 60)) throw new InvalidArgumentError('Give seconds from 0.01 to 60.');
  return value;
}

function address(text: string): number {
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text) || Number(text) > 0xffff_ffff)
    throw new InvalidArgumentError('Give an address such as 0x400000.');
  return Number(text);
}

function integer(text: string): bigint {
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) throw new InvalidArgumentError('Give a number such as 0x1234.');
  return BigInt(text);
}

function picture(text: string): string {
  if (!/\.(svg|html)$/.test(text)) throw new InvalidArgumentError('The name ends with .svg or .html.');
  return text;
}

/** One kernel of each kind, and who is in the headlines: what `--quick` runs. */
const QUICK_KERNELS = ['mixed32', 'mixed64', 'call32', 'string64', 'smc32', 'invlpg32', 'cold32', 'smi32'];
const QUICK_PEERS = [
  ...['smm-tier1', 'smm-tier0', 'smm-tier1-kvm', 'qemu-tcg', 'bochs', 'v86-jit'],
  ...['smm-tier1-chromium', 'v86-jit-chromium'],
];
const QUICK_SUITES: readonly SuiteName[] = [
  'hot',
  'system',
  'cold',
  'events',
  'relocation',
  'boot',
  'warm-up',
];
const QUICK_BOOTS: BootPlan = { architectures: ['x64'], cpus: [2], peers: ['smm-tier1', 'qemu-tcg'] };

function command(): Command {
  return new Command('bench')
    .description('Measures the emulator, and others beside it.')
    .option('--quick', 'a part of it, one short round: to see that it works, too noisy to quote', false)
    .option('--json <file>', 'write the report as JSON too')
    .option('--markdown <file>', 'write the tables of ratios into the template of docs/performance.md too')
    .option('--plot <file>', 'draw it too: .svg, or .html with the table of means', picture)
    .option('--from <file>', 'read a JSON report instead of measuring')
    .addOption(new Option('--only <suite...>', 'run these suites only').choices(SUITES))
    .addOption(
      new Option('--peers <name...>', 'these emulators only').choices(ALL_PEERS.map(({ name }) => name)),
    )
    .addOption(
      new Option('--kernels <name...>', 'these kernels only').choices(ALL_KERNELS.map(({ name }) => name)),
    )
    .option('--samples <n>', 'interleaved rounds (default 5)', positive)
    .option('--seconds <s>', 'CPU seconds of a long run, about (default 1)', duration)
    .option('--instructions <n>', 'of the suite endurance (default 1e11)', positive)
    .option(
      '--against <rev>',
      'measure another commit beside this tree: a temporary work tree, npm ci, build',
    )
    .option('--kernel <file>', 'run a flat binary of your own on every emulator')
    .addOption(new Option('--bits <n>', 'its mode (default 32)').choices(['32', '64']))
    .option('--load <address>', `where its first byte goes (default ${hex(FOREIGN_RANGE[0])})`, address)
    .option('--entry <address>', 'what is called (default: the first byte)', address)
    .option('--result <register>', 'holds the result at RET (default eax or rax)')
    .option(
      '--iterations <address>',
      'dword that receives the number of rounds (default: call it often)',
      address,
    )
    .option('--expect <value>', 'what every run must give (default: what our tier 0 gives)', integer)
    .addHelpText('after', HELP)
    .configureOutput({ writeErr: () => undefined }) // the message is thrown
    .exitOverride((error) => {
      if (error.exitCode === 0) process.exit(0); // help
      throw new OptionError(error.message.replace(/^error: /, ''));
    });
}

function foreignOf(options: Options): ForeignOptions | undefined {
  const { kernel, load = FOREIGN_RANGE[0], result, iterations, expect } = options;
  if (kernel === undefined) {
    const stray = (['bits', 'load', 'entry', 'result', 'iterations', 'expect'] as const).find(
      (name) => options[name] !== undefined,
    );
    if (stray !== undefined)
      throw new OptionError(`--${stray} says something of --kernel, which is not there`);
    return undefined;
  }
  const bytes = readGiven(
    '--kernel',
    kernel,
    'Give a flat binary, as `nasm -f bin -o loop.bin loop.asm` makes it.',
  );
  const bits = options.bits === '64' ? 64 : 32;
  const foreign: ForeignOptions = {
    name: basename(kernel),
    bytes,
    bits,
    load,
    entry: options.entry ?? load,
    result: result?.toLowerCase() ?? defaultResult(bits),
    iterations,
    expected: expect,
  };
  checkForeign(foreign);
  return foreign;
}

/** Boots on the emulators that are named; all of the plan's if none are. */
function bootsFor(quick: boolean, peers: readonly string[] | undefined): BootPlan {
  const plan = quick ? QUICK_BOOTS : ALL_BOOTS;
  return peers === undefined
    ? plan
    : { ...plan, peers: ALL_BOOTS.peers.filter((name) => peers.includes(name)) };
}

/** Parses; throws {@link OptionError} or `ForeignError`. Help is printed, and ends the process. */
export function parseArguments(argv: readonly string[]): Parsed {
  const program = command();
  const options = program.parse(argv, { from: 'user' }).opts<Options>();
  const { quick, json, markdown, plot, from, against, only, samples, seconds } = options;
  if (program.args.length > 0) throw new OptionError(`nothing is known of '${program.args.join(' ')}'`);
  const modes = (['from', 'against', 'kernel'] as const).filter((name) => options[name] !== undefined);
  if (modes.length > 1) throw new OptionError(`--${modes.join(' and --')} exclude each other`);
  const stray = only?.find((name) => against !== undefined && !AGAINST_SUITES.includes(name));
  if (stray !== undefined)
    throw new OptionError(`--against cannot compare ${stray}. It can compare ${AGAINST_SUITES.join(', ')}`);
  const suites =
    options.kernels === undefined ? AGAINST_SUITES : AGAINST_SUITES.filter((name) => name !== 'boot');
  const kernels = options.kernels ?? (quick ? QUICK_KERNELS : undefined);
  const peers = options.peers ?? (quick ? QUICK_PEERS : undefined);
  return {
    bench: {
      only: only ?? (against !== undefined ? suites : quick ? QUICK_SUITES : DEFAULT_SUITES),
      kernels: kernels === undefined ? ALL_KERNELS : ALL_KERNELS.filter(({ name }) => kernels.includes(name)),
      peers: peers === undefined ? DEFAULT_PEERS : ALL_PEERS.filter(({ name }) => peers.includes(name)),
      boots: bootsFor(quick, options.peers),
      effort: { samples: samples ?? (quick ? 1 : 5), seconds: seconds ?? (quick ? 0.2 : 1) },
      maximumProcessors: quick ? 16 : 255,
      enduranceInstructions: options.instructions ?? 1e11,
    },
    foreign: foreignOf(options),
    against,
    from,
    json,
    markdown,
    plot,
  };
}
