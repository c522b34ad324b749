/**
 * What the options of a constructor or function may be, as a table: callers without types get an error that names the
 * option instead of a failure inside.
 */
import { countOrInfinity, oneOf, positiveNumber, refuse, wholeNumber } from './checks.ts';

/** Throws `SmmError` `OPTION_VALUE` when the value cannot be what `option` names. */
export type OptionCheck = (option: string, value: unknown) => void;

/** A check for every option: one that is added without is a type error. */
export type OptionShape<T> = { readonly [K in keyof T]-?: OptionCheck };

/** Checks every option of an object that is itself named `subject`. Throws `SmmError` `OPTION_VALUE`. */
export function checkOptions<T extends object>(subject: string, options: T, shape: OptionShape<T>): void {
  isObject(subject, options);
  for (const [name, check] of Object.entries<OptionCheck>(shape)) {
    check(name, (options as Readonly<Record<string, unknown>>)[name]);
  }
}

/** Left out, or what the check takes. */
export function maybe(check: OptionCheck): OptionCheck {
  return (option, value) => {
    if (value !== undefined) check(option, value);
  };
}

/** A whole number in bounds. */
export function isWhole(least: number, most?: number): OptionCheck {
  return (option, value) => void wholeNumber(option, value as number, least, most);
}

/** A whole number of at least `least`, or Infinity. */
export function isCount(least = 0): OptionCheck {
  return (option, value) => void countOrInfinity(option, value as number, least);
}

/** A number, for options whose bounds are checked where they are known. */
export const isNumber: OptionCheck = (option, value) => {
  if (typeof value !== 'number') refuse(option, value, 'a number');
};

/** A finite number above 0. */
export const isPositive: OptionCheck = (option, value) => void positiveNumber(option, value as number);

/** One of a list. */
export function isOneOf(choices: readonly unknown[]): OptionCheck {
  return (option, value) => void oneOf(option, value, choices);
}

/** True or false. */
export const isFlag: OptionCheck = (option, value) => void oneOf(option, value, [true, false]);

/** A string. */
export const isText: OptionCheck = (option, value) => {
  if (typeof value !== 'string') refuse(option, value, 'a string');
};

/** A function. */
export const isFunction: OptionCheck = (option, value) => {
  if (typeof value !== 'function') refuse(option, value, 'a function');
};

/** A `Uint8Array`. */
export const isBytes: OptionCheck = (option, value) => {
  if (!(value instanceof Uint8Array)) refuse(option, value, 'a Uint8Array');
};

/** An object that is no array. */
export const isObject: OptionCheck = (option, value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(option, value, 'an object');
};

/** An array whose every element the check takes. */
export function isListOf(check: OptionCheck): OptionCheck {
  return (option, value) => {
    if (!Array.isArray(value)) refuse(option, value, 'an array');
    (value as readonly unknown[]).forEach((element, i) => {
      check(`${option}[${i}]`, element);
    });
  };
}

/** An object with these options, named `option.name`. */
export function isShape<T extends object>(shape: OptionShape<T>): OptionCheck {
  return (option, value) => {
    isObject(option, value);
    for (const [name, check] of Object.entries<OptionCheck>(shape)) {
      check(`${option}.${name}`, (value as Readonly<Record<string, unknown>>)[name]);
    }
  };
}

/** Checked where it is used. */
export const isAny: OptionCheck = () => {};
