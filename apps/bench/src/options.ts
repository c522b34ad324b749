/** The command line's options. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { type BenchOptions, SUITES, type SuiteName } from './bench.ts';
import { ALL_KERNELS } from './kernels/all.ts';
import { ALL_PEERS, DEFAULT_PEERS } from './peers/all.ts';
import { ALL_BOOTS, type BootPlan } from './suites/boot.ts';

const HELP = `
Suites:
  hot         loops of user code in 32 and 64 bit, guest instructions per CPU second (MIPS)
  system      self-modifying code, page tables that change, interrupts to itself, MIPS
  cold        code that runs once: fetching, decoding or translating it, and one execution
  events      an SMI and its RSM; an interrupt to a second processor and back
  walks       what a TLB miss costs in the machine
  walkers     the page walkers by themselves
  relocation  SMBASE relocations with 1 to 255 VCPUs under tcg and kvm
  boot        OVMF (Debian: ovmf, ovmf-ia32) to the shell with 1 to 8 processors: CPU time, wall time, memory
  warm-up     speed of tier 1 and tier 0 from the first instruction on

The same ROM runs on all emulators: ours, and those of QEMU (TCG), Bochs, v86 and Chromium that are installed; others are
reported as missing. Every result is checked against a computation in TypeScript. Exit codes: 0, 1 if a result was wrong or
one of our own runs failed, 2 for a bad command line.
`;

/** A parsed command line. */
export interface Parsed {
  /** What to run. */
  readonly bench: Omit<BenchOptions, 'progress'>;
  /** Where the report goes as JSON. */
  readonly json: string | undefined;
}

interface Options {
  readonly quick: boolean;
  readonly json?: string;
  readonly only?: SuiteName[];
  readonly peers?: string[];
  readonly kernels?: string[];
  readonly samples?: number;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Give a whole number from 1.');
  return value;
}

/** One kernel of each kind: what `--quick` runs. */
const QUICK_KERNELS = [
  ...['mixed32', 'mixed64', 'alu64', 'stream32', 'call32', 'string64'],
  ...['smc32', 'invlpg32', 'ipi-self64', 'cold32', 'smi32', 'ipi-pair32'],
];
const QUICK_BOOTS: BootPlan = { architectures: ['x64'], cpus: [2], peers: ['smm-tier1', 'qemu-tcg'] };

/** Parses; ends the process with code 2 and a sentence if that fails. */
export function parseArguments(argv: readonly string[]): Parsed {
  const program = new Command('bench')
    .description('Measures the emulator, and others beside it.')
    .option('--quick', 'a part of it, one short round: to see that it works, too noisy to quote', false)
    .option('--json <file>', 'write the report as JSON too')
    .addOption(new Option('--only <suite...>', 'run these suites only').choices(SUITES))
    .addOption(
      new Option('--peers <name...>', 'these emulators only').choices(ALL_PEERS.map(({ name }) => name)),
    )
    .addOption(
      new Option('--kernels <name...>', 'these kernels only').choices(ALL_KERNELS.map(({ name }) => name)),
    )
    .option('--samples <n>', 'interleaved rounds (default 5)', positive)
    .addHelpText('after', HELP)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    });
  const { quick, json, only, peers, kernels, samples } = program
    .parse(argv, { from: 'user' })
    .opts<Options>();
  const names = kernels ?? (quick ? QUICK_KERNELS : undefined);
  return {
    bench: {
      only: only ?? SUITES,
      kernels: names === undefined ? ALL_KERNELS : ALL_KERNELS.filter(({ name }) => names.includes(name)),
      peers: peers === undefined ? DEFAULT_PEERS : ALL_PEERS.filter(({ name }) => peers.includes(name)),
      boots: quick ? QUICK_BOOTS : ALL_BOOTS,
      effort: { samples: samples ?? (quick ? 1 : 5), seconds: quick ? 0.2 : 1 },
      maximumProcessors: quick ? 16 : 255,
    },
    json,
  };
}
