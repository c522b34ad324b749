/**
 * What is told about QEMU's options: the table for `--options`, and what a command line's were left out or refused
 * for.
 */
import type { Io } from '../io.ts';
import { table, wrap } from '../render/text.ts';
import { UsageError } from '../usage-error.ts';
import type { LeftOut, QemuSettings } from './settings.ts';
import { OPTION_ALIASES, type OptionClass, QEMU_OPTIONS } from './table.ts';

const TITLES: Readonly<Record<OptionClass, string>> = {
  done: 'Done',
  ignored: 'Ignored: nothing here depends on it',
  unmodelled: 'Not modelled: it would matter, so the run is refused',
};

/** The table, for `smm boot --options`. */
export function renderOptions(io: Io): string {
  const parts = (['done', 'ignored', 'unmodelled'] as const).map((kind) => {
    const rows = QEMU_OPTIONS.filter((row) => row.class === kind);
    return `${TITLES[kind]}\n${table(
      ['option', kind === 'unmodelled' ? 'what to do' : kind === 'done' ? 'what it is here' : 'why'],
      rows.map(({ words, note }) => [words, note]),
      io,
    )}\n`;
  });
  const same = [...OPTION_ALIASES].map(([from, to]) => `${from} is ${to}`).join(', ');
  return `${parts.join('\n')}\n${wrap(`${same}. Every option may be written with one dash or two, and with = before its value.`, io)}\n`;
}

/** One line about what was ignored; undefined if nothing was. */
export function ignoredLine({ ignored }: QemuSettings): string | undefined {
  if (ignored.length === 0) return undefined;
  return `Ignored, since nothing here depends on it: ${ignored.map(({ text }) => text).join('; ')}.`;
}

/** Every option that matters and is not modelled, in words; undefined if there is none. */
export function unmodelledInWords({ unmodelled }: QemuSettings): string | undefined {
  if (unmodelled.length === 0) return undefined;
  const each = ({ text, note }: LeftOut): string => `${text} (${note})`;
  const many =
    unmodelled.length === 1 ? 'one option matters and is' : `${unmodelled.length} options matter and are`;
  return `${many} not modelled: ${unmodelled.map(each).join('; ')}`;
}

/** Throws a `UsageError` that names every option that matters and is not modelled. */
export function refuseUnmodelled(settings: QemuSettings): void {
  const words = unmodelledInWords(settings);
  if (words !== undefined) throw new UsageError(words, 'smm boot --options lists what is.');
}
