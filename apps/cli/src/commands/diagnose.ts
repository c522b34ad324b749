/** `smm diagnose`: what a trace shows, ours or a real one. */
import { couldHideFailure, diagnose, type PossibleCause, type ReadCounts } from '@smm/trace';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { countLines } from '../render/counts.ts';
import { evidenceExcerpt } from '../render/excerpt.ts';
import { diagnosisToJson } from '../render/explanation.ts';
import { colours, counted, wrap } from '../render/text.ts';
import { formOf, loadTrace } from '../trace-file.ts';

const HELP = `
Reads the text of trace-cmd report, ftrace, perf script or perf trace, whole or in pieces as pasted into mails; a
trace.dat; a .jsonl; and, alone or beside a trace, QEMU's register dump and the firmware's debug log.
'-' is standard input. Exit code 0 if the trace could be read, whatever it shows. The JSON is described by
schema/diagnose.schema.json.

Each diagnosis says how sure it is: proved (nothing else makes this trace), likely, or possible. The first lines
count what was read, what was not understood and what was passed over.

Examples:
  trace-cmd report | smm diagnose -
  smm diagnose trace.dat
  smm relocate -smp 2 --bitness 32 --host rhel7-3.10.0-323 --trace - | smm diagnose -
`;

/** Adds `diagnose`. */
export function diagnoseCommand(program: Command, { io }: Context): void {
  program
    .command('diagnose')
    .description('say what went wrong in a trace, ours or a real one from trace-cmd')
    .argument('<file>', "trace, or '-' for standard input")
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: { readonly json?: boolean }) => {
      const trace = await loadTrace(file, io);
      const { events, format, planned, counts, notes = [], cut = false } = trace;
      const form = formOf(trace);
      const found = diagnose(events, {
        form,
        notes,
        cut,
        complete: !couldHideFailure(counts),
        ...(planned.length > 0 && { planned }),
      });
      if (flags.json === true) {
        const diagnoses = found.map((diagnosis) => diagnosisToJson(diagnosis));
        io.out(
          `${JSON.stringify({ version: 1, format, events: events.length, counts, diagnoses }, null, 2)}\n`,
        );
        return;
      }
      const colour = colours(io);
      const parts = countLines(file === '-' ? 'standard input' : file, format, counts);
      if (found.length === 0) parts.push('', wrap(verdict(counts), io));
      for (const diagnosis of found) {
        const { title, quirk, confidence, sentence, causes = [], collect } = diagnosis;
        parts.push(
          '',
          colour.bold(`${title} (${quirk === undefined ? '' : `${quirk}, `}${confidence})`),
          wrap(sentence, io),
          ...evidenceExcerpt(diagnosis, events, form).map((line) => `    ${line}`),
          ...causes.map((cause) => wrap(causeInWords(cause), io, '  ')),
          wrap(`To know more: ${collect}.`, io, '  '),
        );
      }
      io.out(`${parts.join('\n')}\n`);
    });
}

/** `possible: Q4, ...` */
function causeInWords({ quirk, text, confidence }: PossibleCause): string {
  return `${confidence}: ${quirk === undefined ? '' : `${quirk}, `}${text}.`;
}

/** What to say where no rule found anything: nothing, if what was not read could hold it. */
function verdict(counts: ReadCounts): string {
  const { events, unit, notUnderstood, lost } = counts;
  if (!couldHideFailure(counts))
    return `No known failure shows; events read: ${events.toLocaleString('en')}.`;
  const missing = [
    ...(notUnderstood > 0 ? [`${counted(notUnderstood, unit)} could not be understood`] : []),
    ...(lost > 0 ? [`the recorder lost events in ${counted(lost, 'place')}`] : []),
  ];
  return `No verdict: ${missing.join(', and ')}, which could hide a failure. None shows in what was read (${counted(events, 'event')}).`;
}
