/** `smm trace convert` and `smm trace diff`. */
import { factInWords } from '@smm/machine';
import { type Divergence, firstDivergence, type TraceForm } from '@smm/trace';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { once } from '../options.ts';
import { oneOf } from '../qemu-values.ts';
import { countLines } from '../render/counts.ts';
import { counted } from '../render/text.ts';
import { claimTrace, formOf, loadEvents, TRACE_ENDINGS } from '../trace-file.ts';
import { UsageError } from '../usage-error.ts';

const CONVERT_HELP = `
The format of OUT is told by its name: ${TRACE_ENDINGS};
'-' is standard output, as text.

Examples:
  smm trace convert hang.dat hang.txt
  smm trace convert hang.dat hang.perfetto-trace      open it in ui.perfetto.dev
  smm trace convert hang.jsonl - --form current       the words of today's kernels
`;

const DIFF_HELP = `
Compares what the guest could notice, per VCPU, so that runs under tcg and under kvm compare.

Examples:
  smm relocate -smp 2 --bitness 32 --trace tcg.jsonl
  smm relocate -smp 2 --bitness 32 --host rhel7-3.10.0-323 --trace kvm.jsonl
  smm trace diff tcg.jsonl kvm.jsonl
`;

/** Adds `trace` with its two subcommands. */
export function traceCommand(program: Command, { io }: Context): void {
  const trace = program.command('trace').description('convert traces, and find where two of them part');
  trace
    .command('convert')
    .description('write a trace in another format')
    .argument('<in>', "trace, or '-' for standard input")
    .argument('<out>', "file to write, or '-' for standard output")
    .option(
      '--form <year>',
      'fields and words of 2015 or of current kernels (default: as in the input; 2015 for .jsonl)',
      once('--form'),
    )
    .addHelpText('after', CONVERT_HELP)
    .action((input: string, output: string, flags: { readonly form?: string }) => {
      const wanted = flags.form === undefined ? undefined : oneOf('--form', flags.form, ['2015', 'current']);
      const writeTrace = claimTrace(output, io);
      const loaded = loadEvents(input, io);
      const { events, format, counts } = loaded;
      const form: TraceForm = wanted ?? formOf(loaded);
      const what = writeTrace(events, form);
      io.err(`${countLines(input === '-' ? 'standard input' : input, format, counts).join('\n')}\n`);
      if (output !== '-') io.err(`Wrote ${counted(events.length, 'event')} to ${output} (${what}).\n`);
    });
  trace
    .command('diff')
    .description('first divergence of two traces of one guest')
    .argument('<a>', 'first trace')
    .argument('<b>', 'second trace')
    .option('--json', 'print JSON')
    .addHelpText('after', DIFF_HELP)
    .action((a: string, b: string, flags: { readonly json?: boolean }) => {
      if (a === '-' && b === '-')
        throw new UsageError('both traces are standard input', 'Name a file for one of them.');
      const first = loadEvents(a, io);
      const second = loadEvents(b, io);
      const form = formOf(first);
      const report = firstDivergence(first.events, second.events, { form });
      if (flags.json === true) {
        const { kinds, perVcpu } = report;
        io.out(
          `${JSON.stringify({ version: 1, kinds, first: report.first === undefined ? null : toJson(report.first), perVcpu: perVcpu.map(toJson) }, null, 2)}\n`,
        );
        return;
      }
      if (report.first === undefined) {
        io.out(
          `The guest notices no difference between ${a} and ${b} (compared: ${report.kinds.join(', ')}).\n`,
        );
        return;
      }
      io.out(`${render(report.first, a, b).join('\n')}\n`);
    });
}

function render({ vcpu, agreed, a, b, context }: Divergence, nameA: string, nameB: string): string[] {
  return [
    `First divergence: VCPU ${vcpu}, after ${counted(agreed, 'fact')} on which both agree.`,
    '',
    `${nameA}: ${factInWords(a)}`,
    ...context.a.map((line) => `  ${line}`),
    '',
    `${nameB}: ${factInWords(b)}`,
    ...context.b.map((line) => `  ${line}`),
  ];
}

function toJson({ vcpu, agreed, a, b, sentence, context }: Divergence): Record<string, unknown> {
  return { vcpu, agreed, a: a?.fact ?? null, b: b?.fact ?? null, sentence, context };
}
