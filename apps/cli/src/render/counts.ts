/** What a trace file held and what became of it, in words: no command leaves it out. */
import type { NameCount, ReadCounts } from '@smm/trace';
import { counted } from './text.ts';

/** Names shown; the rest is only counted. */
const MOST_NAMES = 8;
/** Characters of an example. */
const EXAMPLE = 60;

function listed(what: string, names: readonly NameCount[], unit: string): string[] {
  if (names.length === 0) return [];
  const shown = [...names].sort((a, b) => b.count - a.count).slice(0, MOST_NAMES);
  const more = names.length - shown.length;
  return [
    `  ${what}:`,
    ...shown.map(
      ({ name, count, first }) =>
        `    ${name} ${count} (first in ${unit} ${first.line}: ${printable(first.text).slice(0, EXAMPLE)})`,
    ),
    ...(more > 0 ? [`    and ${counted(more, 'other name')}`] : []),
  ];
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

/** One line of numbers, then the names of what was not read, each with its first example. */
export function countLines(name: string, format: string, counts: ReadCounts): string[] {
  const { unit, lines, events, continued, notUnderstood, passedOver, lost } = counts;
  const parts = [
    counted(events, 'event'),
    ...(continued > 0 ? [`${counted(continued, unit)} of wrapped events`] : []),
    `${counted(notUnderstood, unit)} not understood`,
    `${passedOver} passed over`,
  ];
  return [
    `${name} (${format}): ${counted(lines, unit)}: ${parts.join(', ')}.`,
    ...listed('Not understood', counts.unread, unit),
    ...listed('Tracepoints passed over', counts.tracepoints, unit),
    ...(lost > 0 ? [`  The recorder lost events in ${counted(lost, 'place')}.`] : []),
  ];
}
