/** The subcommands, put together. */
import type { Output, StoreFile } from '@smm/files';
import { Command, CommanderError } from 'commander';
import { explainOfFirmware, normaliseArguments } from './arguments.ts';
import { bootCommand } from './commands/boot.ts';
import { diagnoseCommand } from './commands/diagnose.ts';
import { explainCommand } from './commands/explain.ts';
import { exploreCommand } from './commands/explore.ts';
import { firmwareCommand } from './commands/firmware.ts';
import { matrixCommand } from './commands/matrix.ts';
import { quirksCommand } from './commands/quirks.ts';
import { relocateCommand } from './commands/relocate.ts';
import { traceCommand } from './commands/trace.ts';
import type { Context } from './context.ts';
import { helpAsked } from './help.ts';
import { inputsApart } from './inputs-apart.ts';
import { EXIT, type Io } from './io.ts';
import { bootIfQemu, QEMU_OPTION, sortArguments } from './qemu/command-line.ts';
import { colours } from './render/text.ts';
import { paragraphOf } from './usage-error.ts';
import { VERSION } from './version.ts';

const HELP = `
Long options may be written with one dash, as QEMU does: -smp 2 is --smp 2.
--wide, anywhere: tables as wide as they need be, not as the terminal is.
Exit codes: 0 as asked, 1 the guest failed, 2 the command line or a file makes no sense.

Examples:
  smm matrix                                     the table of the mail of October 2015, and the cause of its hang
  smm relocate -smp 2 --bitness 32 -accel kvm --host rhel7-3.10.0-323
  smm explain -smp 2 --bitness 32 --host rhel7-3.10.0-323
  smm explore -smp 2 --host rhel7-3.10.0-323 --runs 1000
  smm boot --firmware x64 -smp 2                 real UEFI firmware, to its shell
  trace-cmd report | smm diagnose -

Each subcommand's help has more: smm help explain. The known faults: smm help quirks, smm quirks.
`;

/** Taken by every subcommand. */
const WIDE = '--wide';

/** Runs the program; returns the exit code. Files that it wrote are others' again at the end. */
export async function smm(args: readonly string[], outside: Io): Promise<number> {
  const claimed: Output[] = [];
  const stores: StoreFile[] = [];
  const apart = inputsApart();
  const wide = args.includes(WIDE);
  const io: Io = {
    ...outside,
    ...(wide && { tableColumns: Number.POSITIVE_INFINITY }),
    readFile: (what, path, limit) => {
      if (path !== 0) apart.reads(what, path);
      return outside.readFile(what, path, limit);
    },
    readPieces: (what, path) => {
      if (path !== 0) apart.reads(what, path);
      return outside.readPieces(what, path);
    },
    openRandom: (what, path) => {
      apart.reads(what, path);
      return outside.openRandom(what, path);
    },
    claim: (what, path, options) => {
      apart.writes(what, path);
      const output = outside.claim(what, path, options);
      claimed.push(output);
      return output;
    },
    openStore: (what, path, options) => {
      if (options.readonly) apart.reads(what, path);
      else apart.writes(what, path);
      const store = outside.openStore(what, path, options);
      stores.push(store);
      return store;
    },
  };
  let code: number = EXIT.OK;
  const program = buildProgram({
    io,
    exitWith: (wanted) => {
      code = wanted;
    },
  });
  try {
    const normal = normalised(bootIfQemu(explainOfFirmware(args.filter((arg) => arg !== WIDE))), program);
    const page = helpAsked(normal, program);
    if (page === undefined) await program.parseAsync(normal, { from: 'user' });
    else io.out(page);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
    const { text, exitCode } = paragraphOf(error);
    io.err(`${io.errIsTerminal && io.env['TERM'] !== 'dumb' ? '\r\x1b[K' : ''}smm: ${text}\n`);
    const { SMM_DEBUG: debug } = io.env;
    if (debug && error instanceof Error) io.err(`${error.stack}\n`);
    return exitCode;
  } finally {
    for (const output of claimed) output.release();
    for (const store of stores) store.close();
  }
}

function buildProgram(context: Context): Command {
  const { io } = context;
  const program = new Command('smm')
    .description(
      'An x86 SMP machine down to System Management Mode, and the SMBASE relocation that runs on it.',
    )
    .version(VERSION, '--version', 'print the version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      getOutHelpWidth: () => Math.min(io.columns ?? 100, 120),
      getErrHelpWidth: () => Math.min(io.columns ?? 100, 120),
      getOutHasColors: () => colours(io).isColorSupported,
      getErrHasColors: () => false,
      outputError: (text, write) => write(`smm: ${parserMessage(text)} See smm --help.\n`),
    })
    .addHelpText('after', HELP)
    .helpCommand('help [command...]', "a command's page; also: help glossary")
    .showSuggestionAfterError();
  matrixCommand(program, context);
  relocateCommand(program, context);
  explainCommand(program, context);
  exploreCommand(program, context);
  diagnoseCommand(program, context);
  traceCommand(program, context);
  quirksCommand(program, context);
  firmwareCommand(program, context);
  bootCommand(program, context);
  return program;
}

/** Arguments in the form of the parser; those of `boot` without QEMU's options, which it gets together. */
function normalised(args: readonly string[], program: Command): readonly string[] {
  const [name, ...rest] = args;
  const boot = program.commands.find((command) => command.name() === 'boot')!;
  if (name !== boot.name()) return normaliseArguments(args, optionsWithValue(program));
  const known = new Map([['--help', false]]);
  for (const { long, short, required } of boot.options) {
    for (const flag of [long, short]) if (flag !== undefined) known.set(flag, required);
  }
  const { own, qemu } = sortArguments(rest, known.set('-h', false));
  return [name, ...own, ...qemu.map((option) => `${QEMU_OPTION}=${option}`)];
}

/** Every option of every subcommand that takes a value, in both its forms. */
function optionsWithValue(command: Command): Set<string> {
  const own = command.options.filter((option) => option.required || option.optional);
  return new Set([
    ...own.flatMap(({ long, short }) => [long, short].filter((flag) => flag !== undefined)),
    ...command.commands.flatMap((child) => [...optionsWithValue(child)]),
  ]);
}

/** The parser's message as one sentence. */
function parserMessage(text: string): string {
  const line = text
    .replace(/^error: /, '')
    .trim()
    .replace(/\s*\n\s*/g, ' ');
  return /[.?)]$/.test(line) ? line : `${line}.`;
}
