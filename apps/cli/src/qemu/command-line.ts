/** Takes QEMU's options out of a command line, in any order with ours and as pasted with the name of the program. */
import { namesTrace } from '../trace-file.ts';
import { UsageError } from '../usage-error.ts';
import { unmodelledInWords } from './listing.ts';
import { qemuSettings } from './settings.ts';
import { OPTION_ALIASES, optionNames, PROGRAM, takesValue } from './table.ts';

/** A command line of `smm boot`, sorted. */
export interface SortedArguments {
  /** What is left for our own parser. */
  readonly own: readonly string[];
  /** QEMU's options, each as `-option` or `-option=value`. */
  readonly qemu: readonly string[];
}

/** Option of our parser that carries {@link SortedArguments.qemu}. */
export const QEMU_OPTION = '--qemu';
/** QEMU's program: of a distribution, of Windows, and as RHEL and Proxmox call it. */
const PROGRAM_NAME = /^(?:.*[\\/])?(?:qemu-system-(x86_64|i386)(?:\.exe)?|(?:qemu-)?(kvm))$/;
/** What stands before a program in logs of libvirt and in shells: variables, and `sudo`. */
const BEFORE_PROGRAM = /^(?:[A-Za-z_]\w*=.*|sudo)$/s;

/** A command line that begins with QEMU's program is one of `boot`. */
export function bootIfQemu(args: readonly string[]): readonly string[] {
  const first = args.findIndex((arg) => !BEFORE_PROGRAM.test(arg));
  return PROGRAM_NAME.test(args[first] ?? '') ? ['boot', ...args.slice(first)] : args;
}

/**
 * Sorts the arguments of `smm boot`. Throws `UsageError` for what neither knows, naming what is like it, and for a
 * missing value.
 * @param args - without `boot`
 * @param own - our options with their dashes, and whether each takes a value
 */
export function sortArguments(args: readonly string[], own: ReadonlyMap<string, boolean>): SortedArguments {
  const sorted: { own: string[]; qemu: string[] } = { own: [], qemu: [] };
  const unknown: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    const [, system, kvm] = PROGRAM_NAME.exec(arg) ?? [];
    const program = system ?? kvm;
    if (program !== undefined && sorted.own.length === 0 && sorted.qemu.length === 0) {
      sorted.qemu.push(`${PROGRAM}=${program}`);
      continue;
    }
    const [, dashes = '', written = '', , attached] = /^(--?)([A-Za-z][\w-]*)(=(.*))?$/s.exec(arg) ?? [];
    if (dashes === '') {
      sorted.own.push(arg);
      continue;
    }
    const name = OPTION_ALIASES.get(`-${written}`) ?? `-${written}`;
    const mine = own.get(`-${name}`) ?? (name.length === 2 ? own.get(name) : undefined);
    const value = attached ?? args[i + 1];
    const theirs = takesValue(name);
    // QEMU's -trace names tracepoints of its own; ours names a file.
    if (mine !== undefined && (theirs === undefined || namesTrace(value ?? ''))) {
      sorted.own.push(name.length === 2 ? arg : `-${name}${attached === undefined ? '' : `=${attached}`}`);
      if (mine && attached === undefined && value !== undefined) sorted.own.push(args[++i]!);
    } else if (theirs === undefined) {
      unknown.push(arg);
      if (attached === undefined && value !== undefined && !value.startsWith('-')) i++;
    } else if (!theirs) sorted.qemu.push(name);
    else if (value === undefined) {
      throw new UsageError(`${arg} wants a value, and the command line ends`, 'See smm boot --options.');
    } else {
      sorted.qemu.push(`${name}=${value}`);
      if (attached === undefined) i++;
    }
  }
  if (unknown.length > 0) throw unknownOptions(unknown, own, sorted.qemu);
  return sorted;
}

/** All that is wrong with a line at once: what nobody knows, and what is known and not modelled. */
function unknownOptions(
  args: readonly string[],
  own: ReadonlyMap<string, boolean>,
  qemu: readonly string[],
): UsageError {
  const names = args.map((arg) => `'${arg}'`).join(', ');
  const hints = args.flatMap((arg) => meant(arg, own) ?? []);
  const hint = args.length === 1 ? hints.map((name) => `Did you mean ${name}? `) : [];
  const like = args.length > 1 && hints.length > 0 ? [`Alike are ${hints.join(', ')}. `] : [];
  const refused = unmodelledWords(qemu);
  return new UsageError(
    `unknown option${args.length === 1 ? '' : 's'} ${names}${refused === undefined ? '' : `; ${refused}`}`,
    `${[...hint, ...like].join('')}smm boot --options lists QEMU's, smm boot --help ours.`,
  );
}

function unmodelledWords(qemu: readonly string[]): string | undefined {
  try {
    return unmodelledInWords(qemuSettings(qemu));
  } catch (error) {
    if (error instanceof UsageError) return undefined; // it is said once the options are known
    throw error;
  }
}

/** The option that a misspelt one is like. */
function meant(arg: string, own: ReadonlyMap<string, boolean>): string | undefined {
  const name = arg.replace(/^--?/, '').replace(/=.*/s, '');
  const known = [...own.keys(), ...optionNames()].map((each) => each.replace(/^--?/, ''));
  const distance = (each: string): number => editDistance(name.toLowerCase(), each.toLowerCase());
  const near = [...new Set(known)].sort((a, b) => distance(a) - distance(b))[0]!;
  return distance(near) <= Math.max(1, Math.floor(name.length / 3)) ? `-${near}` : undefined;
}

/** Insertions, deletions, replacements and swaps of neighbours from one word to another. */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, i) => i)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const above = rows[i - 1]!;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(
        above[j]! + 1,
        row[j - 1]! + 1,
        above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1),
        swapped ? rows[i - 2]![j - 2]! + 1 : Number.POSITIVE_INFINITY,
      );
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
