/**
 * What follows from the lines of `packages/cpu-core/src/layout.ts` and their comments: the accessors of a processor's
 * state, and docs/state-page.md. To write both anew: `npx vitest run --project node tests/state-page.test.ts -u`.
 */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { STATE_FIELDS } from '../packages/cpu-core/src/layout.ts';
import {
  FIELD_TYPES,
  type FieldType,
  STATE_PAGE_SIZE,
  type StateField,
} from '../packages/cpu-core/src/state-page.ts';

const SOURCE = readFileSync(new URL('../packages/cpu-core/src/layout.ts', import.meta.url), 'utf8');

/** The comment of a constant, on one line. */
function commentOf(constant: string): string {
  const found = new RegExp(`/\\*\\*((?:(?!\\*/)[^])*)\\*/\\s*export const ${constant}\\b`).exec(SOURCE);
  if (found === null) throw new Error(`${constant} has no comment in layout.ts`);
  return found[1]!.replaceAll(/\s*\n\s*\*\s*/g, ' ').trim();
}

/** `SEG_BASE` as a member of a class: `segBase`. */
const member = (name: string): string =>
  name.toLowerCase().replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());

/** TypeScript's type, reader and writer of a field's elements; none for those without accessors. */
const ACCESS: Readonly<Record<FieldType, readonly [type: string, get: string, set: string] | undefined>> = {
  u16: ['number', 'get32', 'set32'],
  u32: ['number', 'get32', 'set32'],
  i32: undefined,
  u64: ['bigint', 'get64', 'set64'],
  number: ['number', 'getNumber', 'setNumber'],
  address: ['number', 'getSigned', 'setNumber'],
  double: ['number', 'getDouble', 'setDouble'],
  raw8: undefined,
  raw16: undefined,
};

function accessors({ name, class: kind, type, width, count }: StateField): string[] {
  const access = ACCESS[type];
  if (access === undefined || kind === 'book-keeping') return [];
  const [value, get, set] = access;
  const own = member(name);
  const stored = type === 'u16' ? 'value & 0xffff' : 'value';
  const constant = `L.ST_${name}`;
  const comment = commentOf(`ST_${name}`);
  const at = count === 1 ? constant : `${constant} + index * ${width}`;
  const setter = `set${own[0]!.toUpperCase()}${own.slice(1)}`;
  const [reads, writes] =
    count === 1
      ? [`get ${own}(): ${value}`, `set ${own}(value: ${value})`]
      : [`${own}(index: number): ${value}`, `${setter}(index: number, value: ${value}): void`];
  return [
    ...docstring(comment),
    `  ${reads} {`,
    `    return this.${get}(${at});`,
    '  }',
    `  /** Writes ${count === 1 ? 'it' : 'one of them'}, raw. */`,
    `  ${writes} {`,
    `    this.${set}(${at}, ${stored});`,
    '  }',
    '',
  ];
}

/** A comment of at most 120 columns in a class. */
function docstring(text: string): string[] {
  if (text.length <= 110) return [`  /** ${text} */`];
  const lines = [''];
  for (const word of text.split(' ')) {
    if (`   * ${lines.at(-1)} ${word}`.length > 120) lines.push('');
    lines.push(`${lines.pop()} ${word}`.trim());
  }
  return ['  /**', ...lines.map((line) => `   * ${line}`), '   */'];
}

const FILE = [
  '/**',
  ' * The fields of a state page by name. Written from `layout.ts` by a test, `tests/state-page.test.ts`, not by hand.',
  ' */',
  "import * as L from './layout.ts';",
  "import { StateAccess } from './state-access.ts';",
  '',
  "/** Accessors of the fields that are not the engine's own. Writes are raw: no checks, nothing follows from them. */",
  'export class StateFields extends StateAccess {',
  ...STATE_FIELDS.flatMap(accessors).slice(0, -1),
  '}',
  '',
].join('\n');

const cell = (text: string): string => text.replaceAll('|', '\\|');

/** Free stretches are rows too: there is room for fields to come. */
function rows(): string[] {
  let end = 0;
  const freeTo = (offset: number): string[] =>
    offset - end < 16 ? [] : [`| ${end} | | | | free to ${offset - 1} |`];
  const fields = STATE_FIELDS.flatMap(({ name, class: kind, type, offset, width, count }) => {
    const free = freeTo(offset);
    end = offset + width * count;
    const what = `${FIELD_TYPES[type].text}${count === 1 ? '' : `, ${count} of them`}`;
    return [...free, `| ${offset} | \`ST_${name}\` | ${kind} | ${what} | ${cell(commentOf(`ST_${name}`))} |`];
  });
  return [...fields, ...freeTo(STATE_PAGE_SIZE)];
}

/** The constants of a prefix: bits and fields of a word. */
function bits(prefix: string): string[] {
  const all = SOURCE.matchAll(new RegExp(`^export const (${prefix}_\\w+)(?:: number)? = ([^;]+);`, 'gm'));
  return [...all].map(([, name, value]) => `| \`${name}\` | ${value} | ${cell(commentOf(name!))} |`);
}

const PAGE = [
  '# The state page',
  '',
  "Where a processor's registers are in the engine's memory, and what each field is; [engine.md](engine.md) says who uses",
  'it. Written from `packages/cpu-core/src/layout.ts` by a test; edit that.',
  '',
  "Offsets are bytes from the processor's state base. *architectural*: the guest can see it; in snapshots, state hashes",
  'and the proof of a hang. *counter*: the same, but it grows whatever the guest does, so it is not in that proof.',
  "*derived*: follows from architectural fields. *book-keeping*: the engine's own; means nothing at rest.",
  '',
  '| offset | field | class | holds | what it is |',
  '| --- | --- | --- | --- | --- |',
  ...rows(),
  '',
  ...(
    [
      ['ST_MODE', 'MODE'],
      ['ST_ACTIVITY', 'ACT'],
      ['ST_EXIT', 'EXIT'],
    ] as const
  ).flatMap(([field, prefix]) => [
    `## Values of \`${field}\``,
    '',
    '| name | value | what it is |',
    '| --- | --- | --- |',
    ...bits(prefix),
    '',
  ]),
].join('\n');

it('docs/state-page.md says what layout.ts says', async () => {
  await expect(PAGE).toMatchFileSnapshot('../docs/state-page.md');
});

it('state-fields.ts has the accessors of the fields in layout.ts', async () => {
  await expect(FILE).toMatchFileSnapshot('../packages/cpu-core/src/state-fields.ts');
});
