/** `smm explore`: is it a race? */
import { DEFAULT_SLICES, type ExploreReport, exploreRuns } from '@smm/machine';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { drain } from '../drive.ts';
import type { Io } from '../io.ts';
import {
  type ConfigurationFlags,
  configurationOf,
  guestOptions,
  hostOptions,
  once,
  smpOption,
} from '../options.ts';
import { wholeNumber } from '../qemu-values.ts';
import { describeConfiguration } from '../render/configuration.ts';
import { progressLine } from '../render/progress.ts';
import { configurationToJson } from '../render/run-json.ts';
import { bare, colours, hex, table, wrap } from '../render/text.ts';

interface Flags extends Omit<ConfigurationFlags, 'seed' | 'slice'> {
  readonly runs?: string;
  readonly slice?: string;
  readonly seed?: string;
  readonly json?: boolean;
}

const HELP = `
Runs the configuration under N schedules: seeds from 1 on, each with every slice length. A fault that shows
under all of them, with the same SMBASEs, is no race. --no-wait is the positive control: a firmware whose BSP
does not wait for mRebased is one.

Examples:
  smm explore --bitness 32 --host rhel7-3.10.0-323          the mail's host: fails under every schedule
  smm explore --runs 200 --slice 50,5000 -smp 4             the fixed machine: relocates under every schedule
  smm explore --no-wait                                     a race, with its smallest failing seed and slice
  smm relocate -smp 2 --no-wait --seed 1 --slice 2000       one schedule of them again
`;

/** Adds `explore`. */
export function exploreCommand(program: Command, { io }: Context): void {
  const command = program
    .command('explore')
    .description('run many schedules of one configuration: is it a race?');
  hostOptions(guestOptions(smpOption(command, 2)))
    .option('--runs <n>', 'number of schedules (default: 1000)', once('--runs'))
    .option(
      '--slice <list>',
      `slice lengths in instructions (default: ${DEFAULT_SLICES.join(',')})`,
      once('--slice'),
    )
    .option('--seed <n>', 'first seed (default: 1)', once('--seed'))
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => {
      const { runs, slice, seed, ...configuration } = flags;
      const relocation = configurationOf(configuration, io, 2);
      const wanted = runs === undefined ? 1000 : wholeNumber('--runs', runs);
      const progress = progressLine(io);
      let failed = 0;
      const limits = {
        runs: wanted,
        ...(slice !== undefined && { slices: slice.split(',').map((text) => wholeNumber('--slice', text)) }),
        ...(seed !== undefined && { firstSeed: wholeNumber('--seed', seed) }),
      };
      const steps = (interrupt: () => boolean) =>
        exploreRuns({ ...limits, relocation: { ...relocation, interrupt } });
      const report = await drain(steps, io, (run) => {
        if (run === undefined) return;
        if (run.outcome !== 'relocated') failed++;
        progress.show(`${run.index + 1} of ${wanted} schedules, ${failed} failed`);
      });
      progress.clear();
      io.out(
        flags.json === true
          ? `${JSON.stringify({ version: 1, configuration: configurationToJson(relocation), ...toJson(report) }, null, 2)}\n`
          : `${wrap(describeConfiguration(relocation), io)}\n\n${render(report, io)}`,
      );
    });
}

function render(report: ExploreReport, io: Io): string {
  const colour = colours(io);
  const rows = report.groups.map(({ count, outcome, smbases, example }) => [
    String(count),
    outcome,
    smbases.length > 8 ? `${smbases.slice(0, 8).map(bare).join(' ')} ...` : smbases.map(bare).join(' '),
    `${example.schedule.seed}, ${example.schedule.slice}`,
  ]);
  const { smallestFailing } = report;
  const sentence = report.verdict === 'never' ? colour.green(report.sentence) : colour.red(report.sentence);
  return [
    table(['runs', 'outcome', 'final SMBASEs', 'first seed, slice'], rows, io),
    '',
    wrap(sentence, io),
    ...(smallestFailing === undefined
      ? []
      : [
          wrap(
            `Smallest that fails: --seed ${smallestFailing.schedule.seed} --slice ${smallestFailing.schedule.slice}: ${smallestFailing.summary}.`,
            io,
          ),
        ]),
    '',
  ].join('\n');
}

function toJson(report: ExploreReport): Record<string, unknown> {
  const { runs, failed, verdict, sentence, sameSmbases, smallestFailing, groups } = report;
  return {
    runs,
    failed,
    verdict,
    sentence,
    sameSmbases,
    smallestFailing:
      smallestFailing === undefined
        ? null
        : {
            ...smallestFailing.schedule,
            outcome: smallestFailing.outcome,
            summary: smallestFailing.summary,
            smbases: smallestFailing.smbases.map(hex),
          },
    groups: groups.map(({ count, outcome, smbases, example }) => ({
      count,
      outcome,
      smbases: smbases.map(hex),
      example: example.schedule,
    })),
  };
}
