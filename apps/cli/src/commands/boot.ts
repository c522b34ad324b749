/** `smm boot`: firmware that nobody here wrote, on the terminal. */
import { explainBootSteps, traceFormOf } from '@smm/machine';
import { TraceBuffer } from '@smm/trace';
import { type Command, Option } from 'commander';
import { type BootHost, nodeHost } from '../boot/host.ts';
import { type BootFlags, type BootRequest, bootRequest } from '../boot/request.ts';
import { runSession } from '../boot/session.ts';
import type { Context } from '../context.ts';
import { drain, sayIfCut } from '../drive.ts';
import { EXIT, type Io } from '../io.ts';
import { kernelOptions, once, scheduleOptions } from '../options.ts';
import { lackingLine, renderCpuModels } from '../qemu/cpu-models.ts';
import { ignoredLine, renderOptions } from '../qemu/listing.ts';
import { bootToJson, isSuccess, renderBoot } from '../render/boot.ts';
import { bootExplanationToJson, renderBootExplanation } from '../render/boot-explanation.ts';
import { progressLine } from '../render/progress.ts';
import { wrap } from '../render/text.ts';
import { claimTrace, TRACE_ENDINGS } from '../trace-file.ts';
import { UsageError } from '../usage-error.ts';

const HELP = `
The serial port is this terminal: keys reach the guest, Ctrl-A X leaves, Ctrl-A H helps, as in QEMU with -nographic.
Where standard input is no terminal, its lines are typed at the shell's prompts, and the run ends when all have run.

QEMU's options act as they do there: -smp, -m, -cpu, -machine, -accel, -drive if=pflash, -blockdev, -bios, -serial,
-debugcon, -fw_cfg, -rtc, -icount, -global, -no-reboot and more; whole command lines can be pasted, beginning with
qemu-system-x86_64 or -i386. --options lists what is done, what is ignored and what is refused.
Defaults: -smp 1, -m 256 (128 behind qemu-system-...), -cpu qemu64, -accel tcg (kvm with --host), -serial stdio.

Variables: --vars FILE and a -drive that is not read-only are written back; --firmware keeps them under
$XDG_STATE_HOME/smm (~/.local/state/smm). --vars-out names another file, --no-save writes none, and a run with
--until or --explain starts from the empty store of --firmware and keeps nothing unless told to.

Exit code 1 when the guest ends in any other way than asked for: stuck, idle, suspended, lost, unbootable,
shutdown, budget.
The JSON is described by schema/boot.schema.json.

Examples:
  smm boot --firmware x64                                      to the UEFI shell of the package ovmf
  smm boot -bios /usr/share/seabios/bios-256k.bin              a BIOS, to 'No bootable device.'
  smm boot --firmware ia32 -smp 4 --until shell --json         measured: hashes, SMBASEs, SMM entries
  smm boot --firmware ia32 -smp 2 -accel kvm --host rhel7-3.10.0-323 --until shell
                                                               the mail's hang on real firmware
  smm boot --firmware ia32 -smp 2 -accel kvm --host rhel7-3.10.0-323 --explain
  smm boot -drive if=pflash,format=raw,unit=0,readonly=on,file=CODE.fd -drive if=pflash,format=raw,unit=1,file=VARS.fd
  printf 'ver\\nreset -s\\n' | smm boot --firmware x64          commands from a pipe
`;

/** Adds `boot`. `host` stands in for the outside world in tests. */
export function bootCommand(program: Command, context: Context, host: BootHost = nodeHost()): void {
  const { io, exitWith } = context;
  const command = program.command('boot').description('boot real UEFI firmware from flash images');
  scheduleOptions(kernelOptions(command))
    .option(
      '--firmware <arch>',
      "x64 or ia32: the distribution's firmware that requires SMM",
      once('--firmware'),
    )
    .option('--code <file>', 'flash image with code', once('--code'))
    .option('--vars <file>', 'flash image with variables', once('--vars'))
    .option('--vars-out <file>', 'write the variables to this file', once('--vars-out'))
    .option('--no-save', 'write the variables nowhere')
    .option('--until <what>', 'shell, prompt, relocated, or a text of the serial port', once('--until'))
    .option('--timeout <seconds>', 'give up after this time', once('--timeout'))
    .option(
      '--budget <n>',
      'give up after this many instructions (default: 10 billion with --until)',
      once('--budget'),
    )
    .option('--trace <file>', `write the trace: ${TRACE_ENDINGS}`, once('--trace'))
    .option('--options', "list QEMU's options and what becomes of each")
    .addOption(new Option('--qemu <option>', 'one of them').argParser(collect).hideHelp())
    .option('--explain', 'run to the relocation, compare with tcg, and say why it hangs')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (flags: BootFlags) => {
      if (flags.options === true) {
        io.out(renderOptions(io));
        return;
      }
      if (flags.qemu?.includes('-cpu=help') === true) {
        io.out(renderCpuModels(io));
        return;
      }
      const request = bootRequest(flags, io, host);
      for (const line of [ignoredLine(request.qemu), lackingLine(request.machine.cpu)])
        if (line !== undefined) io.err(`${wrap(line, io)}\n`);
      if (flags.explain === true) {
        await explain(request, flags, io);
        return;
      }
      if (flags.trace === '-' && (flags.json === true || request.serial === 'stdio')) {
        throw new UsageError(
          `--trace - and ${flags.json === true ? '--json' : 'the serial port'} both write to standard output`,
          'Give the trace a file name.',
        );
      }
      const writeTrace = flags.trace === undefined ? undefined : claimTrace(flags.trace, io);
      const buffer = writeTrace && new TraceBuffer();
      const traced =
        buffer === undefined ? request : { ...request, machine: { ...request.machine, trace: buffer.sink } };
      const result = await runSession(traced, io, host);
      if (writeTrace !== undefined && buffer !== undefined) {
        const what = writeTrace(buffer.events, traceFormOf(request.machine));
        if (flags.trace !== '-')
          io.err(`Wrote ${buffer.events.length} events to ${flags.trace} (${what}).\n`);
        sayIfCut({ events: buffer.events, eventsDropped: buffer.dropped }, io);
      }
      if (flags.json === true) io.out(`${JSON.stringify(bootToJson(request, result), null, 2)}\n`);
      else io.err(`\n${renderBoot(request, result, io)}`);
      if (!isSuccess(request, result)) exitWith(EXIT.GUEST_FAILED);
    });
}

async function explain(request: BootRequest, { json }: BootFlags, io: Io): Promise<void> {
  const progress = progressLine(io);
  const { machine, budget } = request;
  const steps = (interrupt: () => boolean) =>
    explainBootSteps(machine, { budget: budget ?? EXPLAIN_BUDGET, interrupt });
  const explanation = await drain(steps, io, ({ label, boot }) => {
    const millions = (boot.machine.retired / 1e6).toFixed(0);
    progress.show(`${label}: ${boot.phases.phase}, ${millions} million instructions`);
  });
  progress.clear();
  io.out(
    json === true
      ? `${JSON.stringify(bootExplanationToJson(explanation), null, 2)}\n`
      : renderBootExplanation(request, explanation, io),
  );
}

/** Instructions of each run that is explained: the relocation comes after less than a billion. */
const EXPLAIN_BUDGET = 5_000_000_000;

function collect(value: string, previous: readonly string[] | undefined): string[] {
  return [...(previous ?? []), value];
}
