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

/** A table: boxes on a terminal, plain spaces elsewhere. */
export function table(head: readonly string[], rows: readonly (readonly string[])[], io: Io): string {
  if (!io.outIsTerminal) return plainTable(head, rows);
  const colour = colours(io);
  const box = new Table({ head: head.map((text) => colour.bold(text)), style: { head: [], border: [] } });
  for (const row of rows) box.push([...row]);
  return box.toString();
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
