/** Checks of what a caller gives: an error that says which option, what it is, what it may be. */
import { SmmError } from './errors.ts';

/**
 * The value, if it is a whole number from `least` to `most`. Throws `SmmError` `OPTION_VALUE` otherwise; `option`
 * names it as the caller does, such as `Machine.nsPerInstruction`.
 */
export function wholeNumber(
  option: string,
  value: number,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  const upTo = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
  return refuse(option, value, `a whole number ${upTo}`);
}

/** As {@link wholeNumber}, or Infinity for no limit. */
export function countOrInfinity(option: string, value: number, least = 0): number {
  if (value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && value >= least)) return value;
  return refuse(option, value, `a whole number of at least ${least}, or Infinity for no limit`);
}

/** The value, if it is a finite number above 0. Throws `SmmError` `OPTION_VALUE` otherwise. */
export function positiveNumber(option: string, value: number): number {
  if (Number.isFinite(value) && value > 0) return value;
  return refuse(option, value, 'a finite number above 0');
}

/** The value, if it is one of a list. Throws `SmmError` `OPTION_VALUE` otherwise. */
export function oneOf<T>(option: string, value: T, choices: readonly T[]): T {
  if (choices.includes(value)) return value;
  return refuse(option, value, choices.map((choice) => JSON.stringify(choice)).join(' or '));
}

/** Throws `SmmError` `OPTION_VALUE`: the option, what it is, and what it may be. */
export function refuse(option: string, value: unknown, wanted: string): never {
  const shown = shownValue(value);
  throw new SmmError(
    'OPTION_VALUE',
    `${option} is ${shown}, which is not ${wanted}`,
    `Give ${option} ${wanted}.`,
    {
      option,
      value,
    },
  );
}

/** A value of any kind in a few words; objects may lack even `toString`. */
function shownValue(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}...` : value);
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return '[object Object]';
  return typeof value === 'function' ? 'a function' : String(value);
}
