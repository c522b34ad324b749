/** The command line: `npm run bench -- --quick --only hot --json bench.json`. */
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import { runBench, SUITES, type SuiteName } from './bench.ts';
import { renderReport } from './report.ts';

const HELP = `
Suites:
  hot         32- and 64-bit loops, guest instructions per CPU second (MIPS); a REP counts as one
  cold        code that runs once: decoding or translating it, and the first execution
  walks       what a TLB miss costs in the machine: tcg, kvm with EPT, kvm with shadow paging
  walkers     the page walkers by themselves
  smi         SMI entry, a handler of two instructions, RSM
  relocation  SMBASE relocations with 1 to 255 VCPUs under tcg and kvm

The same ROM runs on all emulators: ours, and those of Bochs, QEMU (TCG) and v86 that are installed; others are reported
as missing. Every result is checked against a computation in TypeScript. Exit codes: 0, 1 if a result was wrong or one of
our own runs failed, 2 for a bad command line.
`;

interface Options {
  readonly quick: boolean;
  readonly json?: string;
  readonly only?: SuiteName[];
  readonly samples?: number;
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Give a whole number from 1.');
  return value;
}

async function main(argv: readonly string[]): Promise<number> {
  const program = new Command('bench')
    .description('Measures the emulator, and others beside it.')
    .option(
      '--quick',
      'short runs, one round, up to 16 VCPUs: to see that it works, too noisy to quote',
      false,
    )
    .option('--json <file>', 'write the report as JSON too')
    .addOption(new Option('--only <suite...>', 'run these suites only').choices(SUITES))
    .option('--samples <n>', 'interleaved rounds (default 5)', positive)
    .addHelpText('after', HELP)
    .exitOverride((error) => {
      process.exit(error.exitCode === 0 ? 0 : 2);
    });
  const options = program.parse(argv, { from: 'user' }).opts<Options>();
  const { isTTY } = process.stderr;
  const report = await runBench({
    only: options.only ?? SUITES,
    effort: { samples: options.samples ?? (options.quick ? 1 : 5), scale: options.quick ? 0.1 : 1 },
    maximumProcessors: options.quick ? 16 : 255,
    progress: (text) => {
      if (isTTY) process.stderr.write(`\r\x1b[K${text}`);
    },
  });
  if (isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(renderReport(report));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  const bad = report.measurements.some(
    (m) => m.status === 'wrong-result' || (m.status === 'failed' && m.peer.startsWith('smm-')),
  );
  return bad ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
