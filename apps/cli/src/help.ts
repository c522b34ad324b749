/** `smm help trace convert`: the page of what is named, or what is wrong with the name. */
import type { Command } from 'commander';
import { GLOSSARY } from './glossary.ts';
import { UsageError } from './usage-error.ts';

/**
 * The page that `help` asks for, at the beginning or behind commands (`smm trace help convert`); undefined if the
 * arguments are no call for help of this form. Throws `UsageError` for names of which there is no page.
 * @param args - normalised arguments
 */
export function helpAsked(args: readonly string[], program: Command): string | undefined {
  const at = args.indexOf('help');
  if (at < 0 || pathOf(args.slice(0, at), program) === undefined) return undefined;
  const words = [
    ...args.slice(0, at),
    ...args.slice(at + 1).filter((arg) => arg !== '--help' && arg !== '-h'),
  ];
  if (words.length === 1 && words[0] === 'glossary') return GLOSSARY;
  const command = pathOf(words, program);
  if (command !== undefined) return pageOf(command);
  const known = program.commands.map((each) => each.name());
  throw new UsageError(
    `there is no help page '${words.join(' ')}'`,
    `Write smm help and one of ${known.join(', ')}, trace convert, trace diff, glossary.`,
  );
}

/** The command that words lead to; undefined if there is none. */
function pathOf(words: readonly string[], program: Command): Command | undefined {
  return words.reduce<Command | undefined>(
    (command, word) => command?.commands.find((each) => each.name() === word),
    program,
  );
}

/** What `--help` prints, with the texts around it. */
function pageOf(command: Command): string {
  const pieces: string[] = [];
  const before = command.configureOutput();
  command.configureOutput({ writeOut: (text) => pieces.push(text) });
  command.outputHelp();
  command.configureOutput(before);
  return pieces.join('');
}
