/**
 * QEMU's `key=value,...` syntax, and JSON in its place. Source: QEMU, util/keyval.c (its grammar) and docs/system,
 * "QEMU option syntax".
 */
import { UsageError } from '../usage-error.ts';

/**
 * Keys in the order given; members of members have dotted keys (`file.filename`). Of a key that comes twice, the last
 * counts.
 */
export type KeyValues = ReadonlyMap<string, string>;

/**
 * Reads one option's value. A comma in a value is written twice; a first member without `=` is the value of `implied`;
 * any other member without `=` is a switch that is on. JSON booleans become `on` and `off`. Throws `UsageError`.
 * @param option - as the user names it, for messages
 */
export function keyValues(option: string, text: string, implied?: string): KeyValues {
  if (/^\s*\{/.test(text)) return fromJson(option, text);
  const values = new Map<string, string>();
  for (const [index, member] of members(text).entries()) {
    const at = member.indexOf('=');
    const isImplied = at < 0 && index === 0 && implied !== undefined;
    const key = isImplied ? implied : at < 0 ? member : member.slice(0, at);
    if (key === '') {
      throw new UsageError(
        `${option} ${text}: '${member}' has no name before the '='`,
        'Write name=value, separated by commas; a comma in a value is written twice.',
      );
    }
    values.delete(key);
    values.set(key, isImplied ? member : at < 0 ? 'on' : member.slice(at + 1));
  }
  return values;
}

/** Splits at commas; two are one that is meant. An empty member at the end is none. */
function members(text: string): string[] {
  const parts = text.match(/(?:[^,]|,,)+/g) ?? [];
  return parts.map((part) => part.replaceAll(',,', ','));
}

/** Puts members together again, as {@link keyValues} reads them. */
export function joined(values: Iterable<readonly [string, string]>): string {
  return [...values].map(([key, value]) => `${key}=${value.replaceAll(',', ',,')}`).join(',');
}

function fromJson(option: string, text: string): KeyValues {
  const values = new Map<string, string>();
  const put = (key: string, value: unknown): void => {
    if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) put(key === '' ? name : `${key}.${name}`, member);
    } else if (typeof value === 'boolean') values.set(key, value ? 'on' : 'off');
    else if (value !== null) values.set(key, String(value));
  };
  try {
    put('', JSON.parse(text));
  } catch (error) {
    throw new UsageError(
      `${option} ${text}: ${error instanceof Error ? error.message : String(error)}`,
      'Write JSON between braces, in single quotes for the shell: \'{"driver":"file"}\'.',
    );
  }
  return values;
}

/** QEMU's words for a switch. Throws `UsageError`. */
export function isOn(where: string, key: string, value: string): boolean {
  if (/^(1|on|y|yes|true)$/i.test(value)) return true;
  if (/^(0|off|n|no|false)$/i.test(value)) return false;
  throw new UsageError(`${where}: ${key}=${value} is neither on nor off`, `Write ${key}=on or ${key}=off.`);
}
