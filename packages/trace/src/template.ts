/**
 * Print formats as data: one template prints an event, reads it back, and yields the kernel's `print fmt`.
 *
 * A template is a list of literal text and conversions. A conversion knows its printf directive and C
 * expression (what a trace.dat file carries), and how to show and read the value itself.
 */
import type { RawRecord } from './c-layout.ts';
import { escapeText, unescapeText } from './escape.ts';

/** One directive of a print format with its argument. */
export interface Conversion {
  /** The printf directives, such as `%llx`. */
  readonly spec: string;
  /** The C expressions that they print, comma-separated. */
  readonly arg: string;
  /** Regular expression source that matches what `show` prints; no capturing groups. */
  readonly pattern: string;
  /** The printed text. */
  readonly show: (raw: Readonly<RawRecord>) => string;
  /** Puts what `text` says into `raw`; false if it says nothing that fits. */
  readonly read: (text: string, raw: RawRecord) => boolean;
  /** Fields besides those of `arg` that reading looks at. */
  readonly asks?: readonly string[];
  /** Present if the text is a whole field's number and nothing else. */
  readonly number?: {
    /** C name of the field. */
    readonly field: string;
    /** Base of its digits, which `0x` may precede. */
    readonly base: 10 | 16;
  };
}

/** Literal text and conversions in order. */
export type Template = readonly (string | Conversion)[];

/** Pieces that a text may lack together. */
export interface Optional {
  /** The pieces. */
  readonly optional: ReadTemplate;
}

/** A template that is only read: parts of it may be absent. */
export type ReadTemplate = readonly (string | Conversion | Optional)[];

/** Pieces that a text may lack together. */
export function opt(...pieces: ReadTemplate): Optional {
  return { optional: pieces };
}

/** Names of numbers. */
export type Symbols = readonly (readonly [value: number, name: string])[];

/** The part of a field that a conversion prints: `(field >> shift) & mask`. */
export interface Part {
  /** Bits to shift right. */
  readonly shift?: number;
  /** Mask after the shift; all bits if absent. */
  readonly mask?: number;
}

/** Value of an integer field, 0 where the record lacks it. */
export function integer(raw: Readonly<RawRecord>, field: string): bigint {
  const value = raw[field];
  return typeof value === 'bigint' ? value : 0n;
}

function take(raw: Readonly<RawRecord>, field: string, { shift = 0, mask }: Part): bigint {
  const value = integer(raw, field) >> BigInt(shift);
  return mask === undefined ? value : value & BigInt(mask);
}

function put(raw: RawRecord, field: string, { shift = 0 }: Part, value: bigint): boolean {
  raw[field] = integer(raw, field) | (value << BigInt(shift));
  return true;
}

function isWhole({ shift = 0, mask }: Part): boolean {
  return shift === 0 && mask === undefined;
}

function expression(field: string, { shift = 0, mask }: Part): string {
  const shifted = shift === 0 ? `REC->${field}` : `(REC->${field} >> ${shift})`;
  return mask === undefined ? shifted : `(${shifted} & ${mask})`;
}

/** What a directive makes of the bits that it is given. */
const AS_PRINTED = {
  '%u': (value: bigint) => BigInt.asUintN(32, value),
  '%d': (value: bigint) => BigInt.asIntN(32, value),
  '%lld': (value: bigint) => BigInt.asIntN(64, value),
} as const;

/** A decimal number. */
export function dec(field: string, spec: keyof typeof AS_PRINTED = '%u', part: Part = {}): Conversion {
  return {
    spec,
    arg: expression(field, part),
    pattern: '-?\\d{1,20}',
    show: (raw) => AS_PRINTED[spec](take(raw, field, part)).toString(),
    read: (text, raw) => put(raw, field, part, BigInt(text)),
    ...(isWhole(part) && { number: { field, base: 10 } }),
  };
}

/** A hexadecimal number; `%016llx` and the like pad with zeros, `%#lx` writes the `0x` of all but zero. */
export function hex(field: string, spec: string, part: Part = {}): Conversion {
  const width = Number(/^%0(\d+)/.exec(spec)?.[1] ?? 0);
  const prefixed = spec.startsWith('%#');
  return {
    spec,
    arg: expression(field, part),
    pattern: prefixed ? '(?:0x)?[0-9a-f]{1,16}' : '[0-9a-f]{1,16}',
    show: (raw) => {
      const value = take(raw, field, part);
      const digits = value.toString(16).padStart(width, '0');
      return prefixed && value !== 0n ? `0x${digits}` : digits;
    },
    read: (text, raw) => put(raw, field, part, BigInt(`0x${text.replace(/^0x/, '')}`)),
    ...(isWhole(part) && { number: { field, base: 16 } }),
  };
}

function escapePattern(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** Alternation of names, longest first, so that no name hides a longer one. */
export function anyOf(names: readonly string[]): string {
  return [...new Set(names)]
    .sort((a, b) => b.length - a.length)
    .map(escapePattern)
    .join('|');
}

/** The kernel's `__print_symbolic` call. */
export function printSymbolic(value: string, symbols: Symbols): string {
  return `__print_symbolic(${value}, ${symbols.map(([n, name]) => `{ ${n}, "${name}" }`).join(', ')})`;
}

/** A name from `symbols`; other values print as `0x` and hexadecimal digits. Reading also takes `aliases`. */
export function sym(field: string, symbols: Symbols, part: Part = {}, aliases: Symbols = []): Conversion {
  const byName = new Map([...symbols, ...aliases].reverse().map(([n, name]) => [name, BigInt(n)] as const));
  return {
    spec: '%s',
    arg: printSymbolic(expression(field, part), symbols),
    pattern: `${anyOf([...symbols, ...aliases].map(([, name]) => name))}|0x[0-9a-f]{1,16}`,
    show: (raw) => {
      const value = take(raw, field, part);
      return symbols.find(([n]) => BigInt(n) === value)?.[1] ?? `0x${value.toString(16)}`;
    },
    read: (text, raw) => put(raw, field, part, byName.get(text) ?? BigInt(text)),
  };
}

/** One of two words, by whether the part is zero; reading `yes` sets the part to `set`. */
export function pick(field: string, yes: string, no: string, mask?: number): Conversion {
  const part = mask === undefined ? {} : { mask };
  return {
    spec: '%s',
    arg: `${expression(field, part)} ? "${yes}" : "${no}"`,
    pattern: anyOf([yes, no]),
    show: (raw) => (take(raw, field, part) !== 0n ? yes : no),
    read: (text, raw) => put(raw, field, {}, text === yes ? BigInt(mask ?? 1) : 0n),
  };
}

/** A string between double quotes, with backslash escapes. The quotes belong to the conversion. */
export function quoted(field: string): Conversion {
  return {
    spec: '\\"%s\\"',
    arg: `__get_str(${field})`,
    pattern: '".*"',
    show: (raw) => `"${raw[field] ?? ''}"`,
    read: (text, raw) => {
      const inner = text.slice(1, -1);
      raw[field] = escapeText(unescapeText(inner));
      return true;
    },
  };
}

/** Text that is passed over in reading; nothing prints it. */
export function ignored(pattern: string): Conversion {
  return { spec: '', arg: '', pattern, show: () => '', read: () => true };
}

/** Text of a record. */
export function showTemplate(template: Template, raw: Readonly<RawRecord>): string {
  return template.map((piece) => (typeof piece === 'string' ? piece : piece.show(raw))).join('');
}

/** The `print fmt` line of a format file. */
export function printFormat(template: Template): string {
  const format = template.map((piece) =>
    typeof piece === 'string' ? piece.replace(/%/g, '%%') : piece.spec,
  );
  const args = template.filter((piece) => typeof piece !== 'string').map((piece) => `, ${piece.arg}`);
  return `"${format.join('')}"${args.join('')}`;
}

/** Regular expression source of a template, its conversions as groups, which are added to `conversions` in order. */
function sourceOf(template: ReadTemplate, conversions: Conversion[]): string {
  return template
    .map((piece) => {
      if (typeof piece === 'string') return escapePattern(piece).replace(/ +/g, '\\s+');
      if ('optional' in piece) return `(?:${sourceOf(piece.optional, conversions)})?`;
      conversions.push(piece);
      return `(${piece.pattern})`;
    })
    .join('');
}

/** True if words of this form can end in a blank, which mail programs strip. */
function canEndInBlank(template: ReadTemplate): boolean {
  for (const piece of [...template].reverse()) {
    if (typeof piece === 'string') return piece.endsWith(' ');
    if ('optional' in piece) {
      if (canEndInBlank(piece.optional)) return true;
    } else if (!new RegExp(`^(?:${piece.pattern})$`).test('')) return false;
  }
  return false;
}

/** A template to read by. */
export interface CompiledTemplate {
  /** The words, each conversion as a group; undefined if the text is not of this form. */
  readonly match: (text: string) => RegExpExecArray | null;
  /** The conversions in order of their groups. */
  readonly conversions: readonly Conversion[];
}

/** Compiles a template for reading. A message is read without the blanks around it. */
export function compileTemplate(template: ReadTemplate): CompiledTemplate {
  const conversions: Conversion[] = [];
  const pattern = new RegExp(`^${sourceOf(template, conversions).replace(/^\\s\+/, '')}$`);
  const match = canEndInBlank(template)
    ? (text: string) => pattern.exec(text) ?? pattern.exec(`${text} `)
    : (text: string) => pattern.exec(text);
  return { match, conversions };
}
