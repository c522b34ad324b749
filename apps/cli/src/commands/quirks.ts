/** `smm quirks`: the catalogue of known faults, and the hosts that have them. */
import { DEFAULT_HOST, endingOf, findQuirk, HOSTS, QUIRKS, type Quirk } from '@smm/machine';
import type { Command } from 'commander';
import type { Context } from '../context.ts';
import type { Io } from '../io.ts';
import { colours, table, wrap } from '../render/text.ts';

const HELP = `
A quirk is a fault or a difference that a kernel, a QEMU or a firmware once had. --quirk +Q1 puts it into a
machine, --quirk -Q1 takes it out of a host that has it; nothing is in force unless the host has it or you say so.
Entries marked 'not shown yet' are known, but this machine has no mechanism that shows them.

Examples:
  smm quirks                       all of them, and the hosts
  smm quirks Q1                    one in full
  smm relocate -smp 2 -accel kvm --quirk +Q1
  smm explain --host rhel7-3.10.0-323-stock --quirk -Q2
`;

/** Adds `quirks`. */
export function quirksCommand(program: Command, { io }: Context): void {
  program
    .command('quirks')
    .description('list the known faults and the hosts that have them')
    .argument('[id...]', 'show these in full')
    .option('--json', 'print JSON')
    .addHelpText('after', HELP)
    .action((ids: string[], flags: { readonly json?: boolean }) => {
      const chosen = ids.length === 0 ? QUIRKS : ids.map((id) => byId(id));
      if (flags.json === true) {
        io.out(
          `${JSON.stringify({ version: 1, quirks: chosen.map(quirkToJson), hosts: HOSTS.map(hostToJson) }, null, 2)}\n`,
        );
      } else if (ids.length > 0) {
        io.out(`${chosen.map((quirk) => renderQuirk(quirk, io)).join('\n\n')}\n`);
      } else {
        io.out(`${renderAll(io)}\n`);
      }
    });
}

function byId(id: string): Quirk {
  // A quirk that is not shown yet is still described, only unknown names are refused.
  return QUIRKS.find((quirk) => quirk.id.toLowerCase() === id.toLowerCase()) ?? findQuirk(id);
}

function numberOf({ id }: Quirk): number {
  return Number(id.slice(1));
}

function renderAll(io: Io): string {
  const sorted = [...QUIRKS].sort((a, b) => numberOf(a) - numberOf(b));
  return [
    table(
      ['id', 'component', 'fault', 'history', 'status'],
      sorted.map((quirk) => [quirk.id, quirk.component, quirk.title, endingOf(quirk), quirk.status]),
      io,
    ),
    '',
    table(
      ['host', 'quirks', 'what it is'],
      HOSTS.map(({ name, quirks, title }) => [
        name === DEFAULT_HOST ? `${name} (default)` : name,
        quirks.length === 0 ? 'none' : quirks.join(', '),
        title,
      ]),
      io,
    ),
  ].join('\n');
}

const CONFIDENCE: Readonly<Record<Quirk['confidence'], string>> = {
  read: 'read in the source',
  measured: 'measured',
  named: 'known by the words of the change',
  memory: 'from memory',
};

function renderQuirk(
  {
    id,
    title,
    component,
    commit,
    open,
    before,
    after,
    symptom,
    confidence,
    lookedUp = 'unchecked',
    status,
  }: Quirk,
  io: Io,
): string {
  const hosts = HOSTS.filter(({ quirks }) => quirks.includes(id)).map(({ name }) => name);
  return [
    colours(io).bold(`${id}  ${title}`),
    ...[
      `Component: ${component}; ${endingOf({ commit, open })}.`,
      `Before: ${before}`,
      `After: ${after}`,
      `Symptom: ${symptom}`,
      `History: ${CONFIDENCE[confidence]}; looked up: ${lookedUp}; status: ${status}.`,
      `Hosts that have it: ${hosts.length === 0 ? 'none' : hosts.join(', ')}.`,
    ].map((line) => wrap(line, io, '  ')),
  ].join('\n');
}

function quirkToJson({ effects: _effects, ...quirk }: Quirk): Omit<Quirk, 'effects'> {
  return quirk;
}

function hostToJson({ name, title, quirks }: (typeof HOSTS)[number]): Record<string, unknown> {
  return { name, title, quirks, default: name === DEFAULT_HOST };
}
