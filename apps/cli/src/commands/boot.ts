/** `smm boot`: firmware that nobody here wrote, on the terminal. */
import { explainBootSteps } from '@smm/machine';
import type { Command } from 'commander';
import { type BootHost, nodeHost } from '../boot/host.ts';
import { type BootFlags, type BootRequest, bootRequest } from '../boot/request.ts';
import { runSession } from '../boot/session.ts';
import type { Context } from '../context.ts';
import { drain } from '../drive.ts';
import { EXIT, type Io } from '../io.ts';
import { hostOptions, once, scheduleOptions, smpOption } from '../options.ts';
import { bootToJson, isSuccess, renderBoot } from '../render/boot.ts';
import { bootExplanationToJson, renderBootExplanation } from '../render/boot-explanation.ts';
import { progressLine } from '../render/progress.ts';

const HELP = `
The serial port is this terminal: keys reach the guest, Ctrl-A X leaves, Ctrl-A H helps, as in QEMU with -nographic.
Where standard input is no terminal, its lines are typed at the shell's prompts, and the run ends when all have run.

Variables: --vars FILE and a -drive that is not read-only are written back; --firmware keeps them under
$XDG_STATE_HOME/smm (~/.local/state/smm). --vars-out names another file, --no-save writes none, and a run with
--until or --explain starts from the empty store of --firmware and keeps nothing unless told to.

Exit code 1 when the guest ends in any other way than asked for: stuck, idle, lost, shutdown, budget.
The JSON is described by schema/boot.schema.json.

Examples:
  smm boot --firmware x64                                      to the UEFI shell of the package ovmf
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
  scheduleOptions(hostOptions(smpOption(command, 1)))
    .option(
      '--firmware <arch>',
      "x64 or ia32: the distribution's firmware that requires SMM",
      once('--firmware'),
    )
    .option('--code <file>', 'flash image with code', once('--code'))
    .option('--vars <file>', 'flash image with variables', once('--vars'))
    .option('--drive <options>', 'if=pflash,format=raw,unit=0|1[,readonly=on],file=FILE', collect)
    .option('--vars-out <file>', 'write the variables to this file', once('--vars-out'))
    .option('--no-save', 'write the variables nowhere')
    .option('-m, --memory <size>', 'guest memory: MiB, or with M or G (default: 256)', once('-m'))
    .option('--cpu <model>', 'CPU model with features (default: qemu64)', once('-cpu'))
    .option(
      '--serial <where>',
      'stdio, none or file:PATH (default: stdio; none with --json)',
      once('-serial'),
    )
    .option('--until <what>', 'shell, relocated, or a text of the serial port', once('--until'))
    .option('--timeout <seconds>', 'give up after this time', once('--timeout'))
    .option(
      '--budget <n>',
      'give up after this many instructions (default: 10 billion with --until)',
      once('--budget'),
    )
    .option('--no-reboot', 'a reset by the guest ends the run')
    .option('--explain', 'run to the relocation, compare with tcg, and say why it hangs')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (flags: BootFlags) => {
      const request = bootRequest(flags, io, host);
      if (flags.explain === true) {
        await explain(request, flags, io);
        return;
      }
      const result = await runSession(request, io, host);
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
