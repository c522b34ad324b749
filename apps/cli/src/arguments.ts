/** QEMU writes long options with one dash: brings an argument list into the form that the parser knows. */

const ALIASES: ReadonlyMap<string, string> = new Map([['--bios', '--rom']]);

/**
 * Long options with one dash get two. Values are left alone, also those that begin with a dash (`--quirk -Q1`), which
 * is why the options that take a value must be known.
 * @param args - arguments without the program's name
 * @param takesValue - options that take a value, as `--name` or `-x`
 */
export function normaliseArguments(args: readonly string[], takesValue: ReadonlySet<string>): string[] {
  const out: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--') return [...out, ...args.slice(i)];
    const long = /^-[A-Za-z][\w-]+(?:=|$)/.test(arg) ? `-${arg}` : arg;
    const [name = '', ...value] = long.split('=');
    const known = ALIASES.get(name) ?? name;
    out.push(value.length > 0 ? `${known}=${value.join('=')}` : known);
    const next = args[i + 1];
    if (value.length === 0 && takesValue.has(known) && next !== undefined) {
      out.push(next);
      i++;
    }
  }
  return out;
}

/** Options that name distribution firmware: with them, `explain` means the boot of it. */
const FIRMWARE_OPTIONS = /^--?(firmware|code|drive|pflash|blockdev)(=|$)/;

/** `explain` of real firmware is `boot --explain`. */
export function explainOfFirmware(args: readonly string[]): readonly string[] {
  const [command, ...rest] = args;
  const named = rest.some((arg) => FIRMWARE_OPTIONS.test(arg));
  return command === 'explain' && named ? ['boot', ...rest, '--explain'] : args;
}
