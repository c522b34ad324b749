/**
 * ACPI machine language, as much of it as describing a board takes. Each function gives the bytes of one term.
 * Source: ACPI specification 6.4, "ACPI Machine Language (AML) Specification".
 */
import { SmmError } from '@smm/x86-defs';

/** Bytes of AML. */
export type Aml = readonly number[];

/** The first argument of a method. */
export const ARG0: Aml = [0x68];

/** A path such as `\_SB.PCI0` or `^LNKA`; segments are filled up with underscores. Throws `SmmError` `AML_NAME`. */
export function path(text: string): Aml {
  const [, prefix, rest] = /^(\\|\^*)(.*)$/.exec(text)!;
  const segments = rest === '' ? [] : rest!.split('.');
  if (segments.some((s) => !/^[A-Z_][A-Z0-9_]{0,3}$/.test(s))) {
    throw new SmmError(
      'AML_NAME',
      `${text} is no ACPI name`,
      'Use segments of one to four of A-Z, 0-9 and _.',
      {
        text,
      },
    );
  }
  const bytes = segments.flatMap((s) => ascii(s.padEnd(4, '_')));
  const count = segments.length;
  const head = count === 0 ? [0] : count === 1 ? [] : count === 2 ? [0x2e] : [0x2f, count];
  return [...ascii(prefix!), ...head, ...bytes];
}

/** An integer in the shortest form; at most 32 bits, or a bigint of 64. */
export function integer(value: number | bigint): Aml {
  if (typeof value === 'bigint') return [0x0e, ...little(value, 8)];
  if (value === 0 || value === 1) return [value];
  if (value <= 0xff) return [0x0a, value];
  return value <= 0xffff ? [0x0b, ...little(value, 2)] : [0x0c, ...little(value, 4)];
}

/** A string. */
export function text(value: string): Aml {
  return [0x0d, ...ascii(value), 0];
}

/** A buffer with these bytes. */
export function buffer(bytes: Aml): Aml {
  return [0x11, ...sized([...integer(bytes.length), ...bytes])];
}

/** A package of at most 255 elements. */
export function packageOf(...elements: readonly Aml[]): Aml {
  return [0x12, ...sized([elements.length, ...elements.flat()])];
}

/** The integer that stands for a plug-and-play id such as `PNP0A08`. */
export function eisaId(id: string): Aml {
  const letters = [0, 1, 2].reduce((bits, i) => (bits << 5) | (id.charCodeAt(i) - 0x40), 0);
  const digits = Number.parseInt(id.slice(3), 16);
  return [0x0c, letters >>> 8, letters & 0xff, digits >>> 8, digits & 0xff];
}

/** Name: a named object. */
export function name(at: string, value: Aml): Aml {
  return [0x08, ...path(at), ...value];
}

/** Scope: terms within an existing object. */
export function scope(at: string, ...terms: readonly Aml[]): Aml {
  return [0x10, ...sized([...path(at), ...terms.flat()])];
}

/** Device: a new one, with what describes it. */
export function device(at: string, ...terms: readonly Aml[]): Aml {
  return [0x5b, 0x82, ...sized([...path(at), ...terms.flat()])];
}

/** Method with so many arguments; serialized, as methods that make names must be. */
export function method(at: string, args: number, ...terms: readonly Aml[]): Aml {
  return [0x14, ...sized([...path(at), args | 8, ...terms.flat()])];
}

/** Return: ends a method with a value. */
export function returns(value: Aml): Aml {
  return [0xa4, ...value];
}

/** If: terms for a condition that is not zero. */
export function when(condition: Aml, ...terms: readonly Aml[]): Aml {
  return [0xa0, ...sized([...condition, ...terms.flat()])];
}

/** Store: a value into a target. */
export function store(value: Aml, target: Aml): Aml {
  return [0x70, ...value, ...target];
}

/** And, without a target of its own. */
export function and(a: Aml, b: Aml): Aml {
  return [0x7b, ...a, ...b, 0];
}

/** Or into a target. */
export function or(a: Aml, b: Aml, target: Aml): Aml {
  return [0x7d, ...a, ...b, ...target];
}

/** LNot. */
export function not(a: Aml): Aml {
  return [0x92, ...a];
}

/** CreateDWordField: a name for four bytes of a buffer. */
export function dwordField(source: Aml, offset: number, at: string): Aml {
  return [0x8a, ...source, ...integer(offset), ...path(at)];
}

/** OperationRegion in PCI configuration space (2), ports (1) or memory (0). */
export function region(at: string, space: 0 | 1 | 2, offset: number, bytes: number): Aml {
  return [0x5b, 0x80, ...path(at), space, ...integer(offset), ...integer(bytes)];
}

/**
 * Field of a region: byte accesses, other bits preserved; each entry a name, or null for bits without, and its bits.
 */
export function field(at: string, entries: readonly (readonly [string | null, number])[]): Aml {
  const list = entries.flatMap(([entry, bits]) => [...(entry === null ? [0] : path(entry)), ...length(bits)]);
  return [0x5b, 0x81, ...sized([...path(at), 0x01, ...list])];
}

/** Bytes of text. */
export function ascii(value: string): number[] {
  return [...value].map((c) => c.charCodeAt(0));
}

/** Little-endian bytes. */
export function little(value: number | bigint, bytes: number): number[] {
  let rest = BigInt(value);
  return Array.from({ length: bytes }, () => {
    const byte = Number(rest & 0xffn);
    rest >>= 8n;
    return byte;
  });
}

/** A body behind its PkgLength, which counts itself. */
export function sized(body: Aml): Aml {
  const own = [1, 2, 3, 4].find((n) => body.length + n < (n === 1 ? 0x40 : 2 ** (8 * n - 4)))!;
  return [...length(body.length + own, own), ...body];
}

/** A PkgLength of `own` bytes, by default the fewest. */
function length(value: number, own = value < 0x40 ? 1 : value < 0x1000 ? 2 : value < 0x10_0000 ? 3 : 4): Aml {
  if (own === 1) return [value];
  return [((own - 1) << 6) | (value & 0xf), ...little(value >>> 4, own - 1)];
}
