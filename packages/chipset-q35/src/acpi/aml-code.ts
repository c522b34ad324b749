/**
 * What methods are made of: arguments, expressions, statements, and the objects that they work with.
 * Source: ACPI specification 6.4, "ACPI Machine Language (AML) Specification".
 */
import { type Aml, integer, path, sized } from './aml.ts';

/** An argument of a method, 0 to 6. */
export const arg = (n: number): Aml => [0x68 + n];
/** A local variable of a method, 0 to 7. */
export const local = (n: number): Aml => [0x60 + n];

/** And, into a target. */
export function andInto(a: Aml, b: Aml, target: Aml): Aml {
  return [0x7b, ...a, ...b, ...target];
}

/** LEqual. */
export function equal(a: Aml, b: Aml): Aml {
  return [0x93, ...a, ...b];
}

/** LNotEqual. */
export function unequal(a: Aml, b: Aml): Aml {
  return [0x92, ...equal(a, b)];
}

/** Else, behind an If. */
export function otherwise(...terms: readonly Aml[]): Aml {
  return [0xa1, ...sized(terms.flat())];
}

/** While: terms as long as a condition is not zero. */
export function whilst(condition: Aml, ...terms: readonly Aml[]): Aml {
  return [0xa2, ...sized([...condition, ...terms.flat()])];
}

/** A call of a method. */
export function call(at: string, ...args: readonly Aml[]): Aml {
  return [...path(at), ...args.flat()];
}

/** Notify: tells the OS that something happened to an object. */
export function notify(at: string, value: Aml): Aml {
  return [0x86, ...path(at), ...value];
}

/** Mutex of the lowest level. */
export function mutex(at: string): Aml {
  return [0x5b, 0x01, ...path(at), 0];
}

/** Terms between Acquire and Release of a mutex, however long the wait. */
export function locked(at: string, ...terms: readonly Aml[]): Aml {
  return [0x5b, 0x23, ...path(at), 0xff, 0xff, ...terms.flat(), 0x5b, 0x27, ...path(at)];
}

/** How a field's registers are accessed: their width, and what is written to bits that are not named. */
export interface FieldAccess {
  /** Bytes of an access. */
  readonly bytes: 1 | 2 | 4;
  /** Bits that are not written keep their value, or are written as 0. */
  readonly rest: 'preserved' | 'zeros';
}

/** Field of a region with another access than bytes; each entry a name, or null for bits without, and its bits. */
export function wideField(
  at: string,
  { bytes, rest }: FieldAccess,
  entries: readonly (readonly [string | null, number])[],
): Aml {
  const flags = Math.log2(bytes) + 1 + (rest === 'zeros' ? 0x40 : 0);
  const list = entries.flatMap(([name, bits]) => [
    ...(name === null ? [0] : path(name)),
    ...fieldLength(bits),
  ]);
  return [0x5b, 0x81, ...sized([...path(at), flags, ...list])];
}

/** Bits of a field, at most 4095. */
function fieldLength(bits: number): Aml {
  return bits < 0x40 ? [bits] : [0x40 | (bits & 0xf), bits >>> 4];
}

/** The 16 bytes of a UUID, as ToUUID gives them. */
export function uuid(value: string): Aml {
  const hex = value.replaceAll('-', '');
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  const bytes = order.map((i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  return [0x11, ...sized([...integer(bytes.length), ...bytes])];
}
