/** `smm explain`: why a configuration fails, or why it does not. */
import { explainSteps } from '@smm/machine';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { drain, sayIfCut } from '../drive.ts';
import {
  type ConfigurationFlags,
  configurationOf,
  guestOptions,
  hostOptions,
  scheduleOptions,
  smpOption,
} from '../options.ts';
import { explanationToJson, renderExplanation } from '../render/explanation.ts';
import { progressLine } from '../render/progress.ts';

const HELP = `
With --firmware (or --code) it explains a boot of real firmware: the same as smm boot --explain, see smm help boot.

Runs the configuration and a reference that relocates: tcg with the same guest, or the same machine without its
quirks. Says where the two first part in what the guest notices, what the trace shows, and, by removing one
quirk at a time, which of them is the cause. For a configuration that passes it says why a known fault in force
does not bite.

Examples:
  smm explain --bitness 32 --host rhel7-3.10.0-323               the mail's hang
  smm explain --bitness 32 --host rhel7-3.10.0-323 --edk2 2024   the same host, firmware of 2024: why it passes
  smm explain -accel tcg --quirk +Q3                             QEMU before 'any alignment for SMBASE'
`;

/** Adds `explain`. */
export function explainCommand(program: Command, { io }: Context): void {
  const command = program.command('explain').description('say why a configuration fails, or why it does not');
  scheduleOptions(hostOptions(guestOptions(smpOption(command, 2))))
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (flags: ConfigurationFlags & { readonly json?: boolean }) => {
      const progress = progressLine(io);
      const options = configurationOf(flags, io, 2);
      const steps = (interrupt: () => boolean) => explainSteps({ ...options, interrupt });
      const explanation = await drain(steps, io, (step) => {
        progress.show(`running ${step}...`);
      });
      progress.clear();
      sayIfCut(explanation.run, io);
      io.out(
        flags.json === true
          ? `${JSON.stringify(explanationToJson(explanation), null, 2)}\n`
          : renderExplanation(explanation, io),
      );
    });
}
