/** `smm matrix`: the table of the mail of October 2015, and the cause of its hang. */
import { explainSteps, type RelocationOptions, type RelocationReport } from '@smm/machine';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import { drain, run } from '../drive.ts';
import { GUESTS } from '../guests/files.ts';
import { GUEST_NAMES, runGuests } from '../guests/matrix.ts';
import { GUEST_ROWS } from '../guests/rows.ts';
import { EXIT, type Io } from '../io.ts';
import { once } from '../options.ts';
import { checkCpus, oneOf, parseMemory, wholeNumber } from '../qemu-values.ts';
import { renderCause } from '../render/explanation.ts';
import { progressLine } from '../render/progress.ts';
import { mailResult } from '../render/report.ts';
import { runToJson } from '../render/run-json.ts';
import { colours, table, wrap } from '../render/text.ts';
import { UsageError } from '../usage-error.ts';

interface Flags {
  readonly guest?: string;
  readonly arch?: string;
  readonly disk?: boolean;
  readonly memory?: string;
  readonly edk2?: string;
  readonly smp?: string;
  readonly json?: boolean;
}

interface Row {
  readonly options: RelocationOptions;
  readonly report: RelocationReport;
}

const MAILS_HOST = 'rhel7-3.10.0-323';
const FIXED_HOST = 'linux-current';
const HOSTS = [
  { accelerator: 'tcg', host: undefined },
  { accelerator: 'kvm', host: MAILS_HOST },
  { accelerator: 'kvm', host: FIXED_HOST },
] as const;
const COLUMNS = ['bitness', 'accel', 'VCPUs', 'host', 'result'];

const HELP = `
Each row is a run of the same firmware. Host ${MAILS_HOST} is the mail's, ${FIXED_HOST} has the faults fixed.
Under the table: why the mail's row (32, kvm, 2) fails, and the trace lines that prove it.

With --guest linux each row boots Debian's Linux behind Debian's OVMF, which tries EFI variables and suspends once;
several rows run at a time. The guests are made once by scripts/guests/build.mjs.

Examples:
  smm matrix
  smm matrix --guest linux --arch i386 -smp 1,2
  smm matrix -smp 1,2,8 -m 512
  smm matrix --edk2 2024              no APIC ID is read in SMM: nothing hangs
`;

/** Adds `matrix`. */
export function matrixCommand(program: Command, context: Context): void {
  const { io } = context;
  program
    .command('matrix')
    .description('the table of the mail of October 2015, with the cause of its hang')
    .option('--smp <list>', 'numbers of CPUs (default: 1,2,4)', once('-smp'))
    .option('-m, --memory <size>', 'guest memory: MiB, or with M or G (default: 2048)', once('-m'))
    .option('--edk2 <shape>', 'firmware: 2015 or 2024 (default: 2015)', once('--edk2'))
    .option('--guest <what>', 'relocation or linux (default: relocation)', once('--guest'))
    .option('--arch <list>', 'of --guest linux: amd64, i386 (default: both)', once('--arch'))
    .option('--disk', 'with --guest linux: the firmware boots from a disk, not a kernel that it is given')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action(async (flags: Flags) => {
      if (oneOf('--guest', flags.guest ?? 'relocation', ['relocation', 'linux']) === 'linux') {
        await linux(flags, context);
        return;
      }
      for (const name of ['arch', 'disk'] as const) {
        if (flags[name] !== undefined)
          throw new UsageError(`--${name} is for --guest linux`, 'Add --guest linux, or leave it out.');
      }
      const rows = await runRows(configurations(flags), io);
      if (flags.json === true) {
        io.out(
          `${JSON.stringify({ version: 1, rows: rows.map((row) => ({ ...runToJson({ ...row, events: [], eventsDropped: 0 }), result: mailResult(row.report) })) }, null, 2)}\n`,
        );
        return;
      }
      io.out(
        `${table(
          COLUMNS,
          rows.map((row) => cells(row, io)),
          io,
        )}\n\n`,
      );
      io.out(await cause(rows, io));
    });
}

function configurations({ memory, edk2, smp }: Flags): RelocationOptions[] {
  const guest = {
    memoryMiB: memory === undefined ? 2048 : parseMemory(memory),
    edk2: edk2 === undefined ? ('2015' as const) : oneOf('--edk2', edk2, ['2015', '2024']),
  };
  const counts = countsOf(smp);
  return ([32, 64] as const).flatMap((bitness) =>
    HOSTS.flatMap((host) => counts.map((cpus) => ({ ...guest, ...withHost(host), bitness, cpus }))),
  );
}

/** A host that is named, or none. */
function withHost({ accelerator, host }: (typeof HOSTS)[number]): Partial<RelocationOptions> {
  return { accelerator, ...(host !== undefined && { host }) };
}

function countsOf(smp = '1,2,4'): number[] {
  return smp.split(',').map((text) => checkCpus(wholeNumber('-smp', text)));
}

/** `--guest linux`. Exit code 1 if a guest on a machine without faults does not pass. */
async function linux(
  { arch, disk = false, smp, json, memory, edk2 }: Flags,
  { io, exitWith }: Context,
): Promise<void> {
  if (memory !== undefined || edk2 !== undefined)
    throw new UsageError('-m and --edk2 are for the relocation', 'Leave them out with --guest linux.');
  const names = (arch ?? GUEST_NAMES.join(',')).split(',').map((name) => oneOf('--arch', name, GUEST_NAMES));
  const list = names.flatMap((guest) =>
    HOSTS.flatMap(({ accelerator, host }) =>
      countsOf(smp).map((cpus) => ({ guest, accelerator, host, cpus, disk })),
    ),
  );
  const results = await runGuests(list, io);
  const fixed = results.filter(({ host }) => host !== MAILS_HOST);
  if (fixed.some(({ passed }) => !passed)) exitWith(EXIT.GUEST_FAILED);
  if (json === true) {
    const rows = results.map(({ guest, ...row }) => ({ bitness: GUESTS[guest].bitness, guest, ...row }));
    io.out(`${JSON.stringify({ version: 1, rows }, null, 2)}\n`);
    return;
  }
  const colour = colours(io);
  const lines = results.map(({ guest, accelerator, cpus, host, result, passed, rows }) => {
    const good = rows.filter((row) => row.passed).length;
    const paint = passed ? colour.green : colour.red;
    const where = [String(GUESTS[guest].bitness), accelerator, String(cpus), host ?? '-'];
    return [...where, `${good}/${GUEST_ROWS.length}`, paint(result)];
  });
  io.out(`${table([...COLUMNS.slice(0, -1), 'rows', 'result'], lines, io)}\n`);
}

async function runRows(list: readonly RelocationOptions[], io: Io): Promise<Row[]> {
  const progress = progressLine(io);
  const rows: Row[] = [];
  for (const options of list) {
    const label = `${rows.length + 1} of ${list.length}`;
    const { report } = await run(options, io, progress, { label });
    rows.push({ options, report });
  }
  return rows;
}

function cells({ options, report }: Row, io: Io): string[] {
  const colour = colours(io);
  const paint = report.outcome === 'relocated' ? colour.green : colour.red;
  const { bitness, accelerator = 'tcg', cpus, host } = options;
  return [String(bitness), accelerator, String(cpus), host ?? '-', paint(mailResult(report))];
}

/** Explains the mail's own row, or else the first that fails. */
async function cause(rows: readonly Row[], io: Io): Promise<string> {
  const failing = rows.filter(({ report }) => report.outcome !== 'relocated');
  const row =
    failing.find(
      ({ options }) => options.bitness === 32 && options.cpus === 2 && options.host === MAILS_HOST,
    ) ?? failing[0];
  if (row === undefined)
    return `${wrap(`Every configuration relocates. 'smm explain --host ${MAILS_HOST}' with the same options says why.`, io)}\n`;
  const progress = progressLine(io);
  const steps = (interrupt: () => boolean) =>
    explainSteps({ ...row.options, interrupt }, { remedies: false });
  const explanation = await drain(steps, io, (step) => {
    progress.show(`why: running ${step}...`);
  });
  progress.clear();
  const { bitness, accelerator, cpus, host } = row.options;
  return `Why ${bitness} ${accelerator} ${cpus} on ${host ?? 'this machine'} fails:\n\n${renderCause(explanation, io)}`;
}
