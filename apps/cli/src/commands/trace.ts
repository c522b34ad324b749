/** `smm trace convert` and `smm trace diff`. */
import { factInWords } from '@smm/machine';
import { compareTraces, type Divergence, type KindCount, type TraceEvent, type TraceForm } from '@smm/trace';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { EXIT } from '../io.ts';
import { once } from '../options.ts';
import { oneOf } from '../qemu-values.ts';
import { countLines } from '../render/counts.ts';
import { counted } from '../render/text.ts';
import { COMPRESSIONS, traceCodecs } from '../trace-codecs.ts';
import { claimTrace, type DatOptions, formOf, TRACE_ENDINGS } from '../trace-file.ts';
import {
  collect,
  MOST_HELD,
  nameOfTrace,
  openAgainAndAgain,
  openTrace,
  tooMany,
  withBeginning,
  withEvents,
} from '../trace-input.ts';
import { asUsage, UsageError } from '../usage-error.ts';

const CONVERT_HELP = `
The format of OUT is told by its name: ${TRACE_ENDINGS};
'-' is standard output, as text. Traces of any size are converted to .txt and .jsonl as they are read; above 100,000
events the text then has no line cpus=N. A .dat and a Perfetto file are written from at most 4,000,000 events.

Examples:
  smm trace convert hang.dat hang.txt
  smm trace convert hang.dat hang.perfetto-trace      open it in ui.perfetto.dev
  smm trace convert hang.jsonl - --form current       the words of today's kernels
  smm trace convert hang.dat small.dat --compression zstd
`;

const DIFF_HELP = `
Compares what the guest could notice, per VCPU, so that runs under tcg and under kvm compare: APIC accesses,
IPIs, SMM, exceptions, MSRs, control registers, CPUID, MMIO, ports and how it ends, as far as both traces have
them; interrupts and exits to user space where nothing else differs. Says how much of each it compared. Files may have
any size: they are read twice, side by side; what comes through a pipe is held, up to 4,000,000 events.
Exit code 2 if one of the traces holds nothing to compare.

Examples:
  smm relocate -smp 2 --bitness 32 --trace tcg.jsonl
  smm relocate -smp 2 --bitness 32 --host rhel7-3.10.0-323 --trace kvm.jsonl
  smm trace diff tcg.jsonl kvm.jsonl
`;

/** The plugin of today's trace-cmd wants a RIP in every entry, which kernels of 2015 did not record. */
const NO_RIP =
  "Its kvm_entry events have no RIP, as in 2015: print it with 'trace-cmd report -N', or write it with --form current.\n";

function isEntryWithoutRip(event: TraceEvent): boolean {
  return event.name === 'kvm_entry' && event.rip === undefined;
}

/** Events up to which a trace is written from memory in any format. */
const MOST_AT_ONCE = 100_000;

interface ConvertFlags {
  readonly form?: string;
  readonly fileVersion?: string;
  readonly compression?: string;
}

/** How to write a .dat; refused for other files. */
async function datOptions(output: string, { fileVersion, compression }: ConvertFlags): Promise<DatOptions> {
  if (fileVersion === undefined && compression === undefined) return {};
  if (!output.endsWith('.dat')) {
    throw new UsageError('--file-version and --compression are for .dat files', `${output} is none.`);
  }
  const how = compression === undefined ? 'none' : oneOf('--compression', compression, COMPRESSIONS);
  const version = fileVersion === undefined ? '7' : oneOf('--file-version', fileVersion, ['6', '7']);
  if (version === '6') {
    if (how === 'none') return {};
    throw new UsageError('a .dat of version 6 cannot be compressed', 'Leave out --file-version 6.');
  }
  const codec = how === 'none' ? undefined : (await traceCodecs()).find(({ name }) => name === how);
  return { version: 7, ...(codec && { codec }) };
}

/** Adds `trace` with its two subcommands. */
export function traceCommand(program: Command, { io, exitWith }: Context): void {
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
    .option('--file-version <n>', 'version of a .dat: 6 (the default) or 7', once('--file-version'))
    .option(
      '--compression <how>',
      'compress a .dat of version 7: none (the default), zlib or zstd',
      once('--compression'),
    )
    .addHelpText('after', CONVERT_HELP)
    .action(async (input: string, output: string, flags: ConvertFlags) => {
      const wanted = flags.form === undefined ? undefined : oneOf('--form', flags.form, ['2015', 'current']);
      const writeTrace = claimTrace(output, io, await datOptions(output, flags));
      const name = nameOfTrace(input);
      const opened = await openTrace(input, io);
      const pieces = opened.events[Symbol.iterator]();
      const most = writeTrace.pieces === undefined ? MOST_HELD : MOST_AT_ONCE;
      const begin = collect(pieces, most);
      if (!begin.ended && writeTrace.pieces) {
        const all = withBeginning(begin.events, pieces);
        const what = writeTrace.pieces(all, () => wanted ?? opened.about().form ?? '2015');
        const { format, counts } = opened.about();
        io.err(`${countLines(name, format, counts).join('\n')}\n`);
        if (output !== '-') io.err(`Wrote ${counted(counts.events, 'event')} to ${output} (${what}).\n`);
        return;
      }
      if (!begin.ended) throw tooMany(name);
      const loaded = withEvents(name, { ...opened.about(), events: begin.events });
      const { events } = loaded;
      const { format, counts } = loaded;
      const form: TraceForm = wanted ?? formOf(loaded);
      const what = writeTrace(events, form);
      io.err(`${countLines(name, format, counts).join('\n')}\n`);
      if (output !== '-') io.err(`Wrote ${counted(events.length, 'event')} to ${output} (${what}).\n`);
      if (output.endsWith('.dat') && form === '2015' && events.some(isEntryWithoutRip)) io.err(NO_RIP);
    });
  trace
    .command('diff')
    .description('first divergence of two traces of one guest')
    .argument('<a>', 'first trace')
    .argument('<b>', 'second trace')
    .option('--json', 'print JSON')
    .addHelpText('after', DIFF_HELP)
    .action(async (pathA: string, pathB: string, flags: { readonly json?: boolean }) => {
      if (pathA === '-' && pathB === '-')
        throw new UsageError('both traces are standard input', 'Name a file for one of them.');
      const [a, b] = [nameOfTrace(pathA), nameOfTrace(pathB)];
      const first = await openAgainAndAgain(pathA, io);
      const second = await openAgainAndAgain(pathB, io);
      const { form } = first;
      const report = asUsage('cannot compare', () => compareTraces(first.source, second.source, { form }));
      const readA = withEvents(a, first.about());
      const readB = withEvents(b, second.about());
      const { kinds, perVcpu, compared } = report;
      const empty = !compared.some((each) => each.a > 0) || !compared.some((each) => each.b > 0);
      const verdict = empty ? 'nothing to compare' : report.first === undefined ? 'equal' : 'different';
      if (flags.json === true) {
        const counts = { a: readA.counts, b: readB.counts };
        const answer = {
          version: 1,
          verdict,
          kinds,
          compared,
          counts,
          first: empty || report.first === undefined ? null : toJson(report.first),
          perVcpu: empty ? [] : perVcpu.map(toJson),
        };
        io.out(`${JSON.stringify(answer, null, 2)}\n`);
      } else {
        const read = [
          ...countLines(a, readA.format, readA.counts),
          ...countLines(b, readB.format, readB.counts),
        ];
        io.out(`${[...read, ...comparedLines(compared, a, b), ''].join('\n')}\n`);
        if (empty)
          io.out(`Nothing to compare: ${noFacts(compared, a, b)} nothing that a guest could notice.\n`);
        else if (report.first === undefined)
          io.out(`The guest notices no difference between ${a} and ${b}.\n`);
        else io.out(`${render(report.first, a, b).join('\n')}\n`);
      }
      if (empty) exitWith(EXIT.USAGE);
    });
}

/** Which of two traces has no fact. */
function noFacts(compared: readonly KindCount[], a: string, b: string): string {
  const hasA = compared.some((each) => each.a > 0);
  const hasB = compared.some((each) => each.b > 0);
  return hasA || hasB ? `${hasA ? b : a} holds` : 'both traces hold';
}

/** What was compared: each kind with its number of facts in both traces. */
function comparedLines(compared: readonly KindCount[], a: string, b: string): string[] {
  const some = compared.filter((each) => each.a + each.b > 0);
  if (some.length === 0) return [];
  return [
    `Compared (facts in ${a} and in ${b}): ${some.map((each) => `${each.kind} ${each.a} and ${each.b}`).join(', ')}.`,
  ];
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
