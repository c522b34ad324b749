/** `smm diagnose`: what a trace shows, ours or a real one. */
import { couldHideFailure, type PossibleCause, type ReadCounts, TraceWindow } from '@smm/trace';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { once } from '../options.ts';
import { wholeNumber } from '../qemu-values.ts';
import { countLines } from '../render/counts.ts';
import { evidenceExcerpt } from '../render/excerpt.ts';
import { diagnosisToJson } from '../render/explanation.ts';
import { colours, counted, wrap } from '../render/text.ts';
import { formOf } from '../trace-file.ts';
import { nameOfTrace, openTrace } from '../trace-input.ts';
import { UsageError } from '../usage-error.ts';

const HELP = `
Reads the text of trace-cmd report, ftrace, perf script or perf trace, whole or in pieces as pasted into mails; a
trace.dat; a .jsonl; and, alone or beside a trace, QEMU's register dump and the firmware's debug log.
'-' is standard input. Exit code 0 if the trace could be read, whatever it shows. The JSON is described by
schema/diagnose.schema.json.

The file may have any size (a trace.dat through a pipe: 512 MiB); a trace of more than --events events is looked at in
its first and its last half of them.

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
    .option(
      '--events <n>',
      'events to look at, the first and the last half each (default: 2000000)',
      once('--events'),
    )
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (file: string, flags: { readonly json?: boolean; readonly events?: string }) => {
      const window = new TraceWindow(eventsWanted(flags.events));
      const input = await openTrace(file, io);
      for (const piece of input.events) for (const event of piece) window.sink(event);
      const { format, planned, counts, notes = [], cut = false, form: own } = input.about();
      const form = own ?? formOf({ ...input.about(), events: [...window.firstEvents] });
      const parts = window.diagnose({
        form,
        notes,
        cut,
        complete: !couldHideFailure(counts),
        ...(planned.length > 0 && { planned }),
      });
      const { skipped } = window;
      const found = parts.flatMap(({ diagnoses }) => diagnoses);
      if (flags.json === true) {
        const diagnoses = parts.flatMap(({ diagnoses: own, offset }) =>
          own.map((diagnosis) => diagnosisToJson(diagnosis, offset)),
        );
        io.out(
          `${JSON.stringify({ version: 1, format, events: counts.events, skipped, counts, diagnoses }, null, 2)}\n`,
        );
        return;
      }
      const colour = colours(io);
      const lines = countLines(nameOfTrace(file), format, counts);
      if (skipped > 0) lines.push(wrap(skippedInWords(skipped, counts.events), io, '  '));
      if (found.length === 0) lines.push('', wrap(verdict(counts, skipped), io));
      for (const { diagnosis, events } of parts.flatMap(({ diagnoses, events }) =>
        diagnoses.map((diagnosis) => ({ diagnosis, events })),
      )) {
        const { title, quirk, confidence, sentence, causes = [], collect } = diagnosis;
        lines.push(
          '',
          colour.bold(`${title} (${quirk === undefined ? '' : `${quirk}, `}${confidence})`),
          wrap(sentence, io),
          ...evidenceExcerpt(diagnosis, events, form).map((line) => `    ${line}`),
          ...causes.map((cause) => wrap(causeInWords(cause), io, '  ')),
          wrap(`To know more: ${collect}.`, io, '  '),
        );
      }
      io.out(`${lines.join('\n')}\n`);
    });
}

/** Events that are held if nothing else is asked for: one to two gigabytes of memory. */
const MOST_EVENTS = 2_000_000;

function eventsWanted(text: string | undefined): number {
  const events = text === undefined ? MOST_EVENTS : wholeNumber('--events', text);
  if (events >= 2) return events;
  throw new UsageError('--events is less than 2', 'Half of them are the first events, half the last.');
}

/** What was not looked at. */
function skippedInWords(skipped: number, events: number): string {
  const half = ((events - skipped) / 2).toLocaleString('en');
  return `Looked at the first ${half} and the last ${half} events; ${skipped.toLocaleString('en')} between them were read and counted only ('--events N' looks at more).`;
}

/** `possible: Q4, ...` */
function causeInWords({ quirk, text, confidence }: PossibleCause): string {
  return `${confidence}: ${quirk === undefined ? '' : `${quirk}, `}${text}.`;
}

/** What to say where no rule found anything: nothing, if what was not read could hold it. */
function verdict(counts: ReadCounts, skipped: number): string {
  const { events, unit, notUnderstood, lost } = counts;
  if (!couldHideFailure(counts) && skipped > 0)
    return `No known failure shows in the events that were looked at: ${(events - skipped).toLocaleString('en')} of ${events.toLocaleString('en')}.`;
  if (!couldHideFailure(counts))
    return `No known failure shows; events read: ${events.toLocaleString('en')}.`;
  const missing = [
    ...(notUnderstood > 0 ? [`${counted(notUnderstood, unit)} could not be understood`] : []),
    ...(lost > 0 ? [`the recorder lost events in ${counted(lost, 'place')}`] : []),
  ];
  return `No verdict: ${missing.join(', and ')}, which could hide a failure. None shows in what was read (${counted(events, 'event')}).`;
}
