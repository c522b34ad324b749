/** Words, numbers and tables as the program prints them. */
import Table from 'cli-table3';
import pc from 'picocolors';
import type { Io } from '../io.ts';

/** Colours of one invocation; all of them do nothing where the output is no terminal or NO_COLOR is set. */
export function colours(io: Io): ReturnType<typeof pc.createColors> {
  const { NO_COLOR, TERM } = io.env;
  return pc.createColors(io.outIsTerminal && TERM !== 'dumb' && (NO_COLOR === undefined || NO_COLOR === ''));
}

/** Lower-case digits without a prefix, as the mail writes SMBASEs. */
export function bare(value: number | bigint): string {
  return value.toString(16);
}

/** Lower-case digits after 0x. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}

/** `1 CPU`, `2 CPUs`. */
export function counted(count: number, what: string): string {
  return `${count.toLocaleString('en-US')} ${what}${count === 1 ? '' : 's'}`;
}

/** Breaks a paragraph into lines. */
export function wrap(text: string, io: Io, indent = ''): string {
  const width = Math.min(100, io.outIsTerminal ? (io.columns ?? 100) : 100) - indent.length;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => `${indent}${each}`).join('\n');
}

/**
 * A table: boxes as wide as the terminal, of ASCII where it knows no more; plain spaces in files and pipes, as wide as
 * need be.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[], io: Io): string {
  if (!io.outIsTerminal) return plainTable(head, rows);
  const colour = colours(io);
  const box = new Table({
    head: head.map((text) => colour.bold(text)),
    style: { head: [], border: [] },
    colWidths: columnWidths(head, rows, io.tableColumns ?? io.columns ?? 100),
    wordWrap: true,
    ...(asciiOnly(io) && { chars: ASCII_BOX }),
  });
  for (const row of rows) box.push([...row]);
  return box.toString();
}

/** What cli-table3 draws boxes of. */
const ASCII_BOX = {
  ...{ top: '-', 'top-mid': '+', 'top-left': '+', 'top-right': '+' },
  ...{ bottom: '-', 'bottom-mid': '+', 'bottom-left': '+', 'bottom-right': '+' },
  ...{ left: '|', 'left-mid': '+', mid: '-', 'mid-mid': '+', right: '|', 'right-mid': '+', middle: '|' },
};

/** The terminal or the locale says that it shows no more than ASCII. */
function asciiOnly({ env }: Io): boolean {
  const { TERM, LC_ALL, LC_CTYPE, LANG } = env;
  return TERM === 'dumb' || /^(C|POSIX)$/.test(LC_ALL || LC_CTYPE || LANG || '');
}

/** A space on each side of a cell. */
const PADDING = 2;
/** No column gets narrower, not even on a narrow terminal. */
const NARROWEST = 8;

/** Widths with padding; the widest columns give way until all fit, and their cells are wrapped. */
function columnWidths(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns: number,
): number[] {
  const widths = head.map(
    (text, at) => Math.max(...[text, ...rows.map((row) => row[at] ?? '')].map(visibleLength)) + PADDING,
  );
  const borders = widths.length + 1;
  let over = widths.reduce((sum, width) => sum + width, borders) - columns;
  for (; over > 0; over--) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST) break;
    widths[widest]!--;
  }
  return widths;
}

/** Characters without the escape sequences of colours. */
function visibleLength(text: string): number {
  return text.replace(/\p{Cc}\[[0-9;]*m/gu, '').length;
}

function plainTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((text, column) =>
    Math.max(text.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const underline = widths.map((width) => '-'.repeat(width));
  return [head, underline, ...rows]
    .map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `  ${line}`)
    .join('\n');
}
