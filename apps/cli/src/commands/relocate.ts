/** `smm relocate`: one run. */
import { traceFormOf } from '@smm/machine';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { run, sayIfCut } from '../drive.ts';
import { EXIT } from '../io.ts';
import {
  type ConfigurationFlags,
  configurationOf,
  guestOptions,
  hostOptions,
  once,
  scheduleOptions,
  smpOption,
} from '../options.ts';
import { progressLine } from '../render/progress.ts';
import { renderRun } from '../render/report.ts';
import { runToJson } from '../render/run-json.ts';
import { colours } from '../render/text.ts';
import { claimTrace, TRACE_ENDINGS } from '../trace-file.ts';
import { UsageError } from '../usage-error.ts';

interface Flags extends ConfigurationFlags {
  readonly trace?: string;
  readonly json?: boolean;
}

const HELP = `
Exit code 1 when the guest does not relocate. The JSON is described by schema/relocate.schema.json.

Examples:
  smm relocate -smp 4                                      four CPUs under tcg: relocated
  smm relocate -smp 2 --bitness 32 -accel kvm --host rhel7-3.10.0-323
                                                           the mail's hang: VCPU 1 with VCPU 0's SMBASE
  smm relocate -smp 2 --host rhel7-3.10.0-323 --quirk -Q1  the same host without the fault
  smm relocate -smp 2 -accel kvm,ept=0 --quirk +Q1 --trace hang.txt
  smm relocate -smp 2 -accel kvm --json | jq .cpus
`;

/** Adds `relocate`. */
export function relocateCommand(program: Command, { io, exitWith }: Context): void {
  const command = program
    .command('relocate')
    .description('run one SMBASE relocation and say what became of it');
  scheduleOptions(hostOptions(guestOptions(smpOption(command, 1))))
    .option('--trace <file>', `write the trace: ${TRACE_ENDINGS}`, once('--trace'))
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => {
      const options = configurationOf(flags, io);
      if (flags.trace === '-' && flags.json === true) {
        throw new UsageError(
          '--trace - and --json both write to standard output',
          'Give the trace a file name.',
        );
      }
      const writeTrace = flags.trace === undefined ? undefined : claimTrace(flags.trace, io);
      const done = await run(options, io, progressLine(io), {
        label: 'relocating',
        trace: flags.trace !== undefined,
      });
      if (flags.json === true) io.out(`${JSON.stringify(runToJson(done), null, 2)}\n`);
      else if (flags.trace !== '-') io.out(renderRun(done, io));
      if (writeTrace !== undefined) {
        const what = writeTrace(done.events, traceFormOf(options));
        if (flags.trace !== '-') io.err(`Wrote ${done.events.length} events to ${flags.trace} (${what}).\n`);
        sayIfCut(done, io);
      }
      if (done.report.outcome === 'relocated') return;
      if (flags.json !== true && flags.trace !== '-') {
        io.out(colours(io).dim("'smm explain' with the same options says why.\n"));
      }
      exitWith(EXIT.GUEST_FAILED);
    });
}
