/** docs/quirks.md is written from the catalogue: `npx vitest run --project node tests/quirks-doc.test.ts -u`. */
import { expect, it } from 'vitest';
import { DEFAULT_HOST, endingOf, HOSTS, QUIRKS, type Quirk } from '../packages/machine/src/index.ts';

const CONFIDENCE: Readonly<Record<Quirk['confidence'], string>> = {
  read: 'read in the source',
  measured: 'measured',
  named: 'the change is known by its words, its code was not read',
  memory: 'from memory, not looked up',
};

/** Where the history was found again, or one word. */
const lookedUp = ({ lookedUp: where = 'unchecked' }: Quirk): string => where;

const cell = (text: string) => text.replaceAll('|', '\\|');
const row = (...cells: string[]) => `| ${cells.map(cell).join(' | ')} |`;

function markdown(): string {
  const shown = QUIRKS.filter(({ status }) => status === 'shown');
  const others = QUIRKS.filter(({ status }) => status !== 'shown');
  return [
    '# Quirks',
    '',
    'Known faults and differences of KVM, QEMU, edk2 and OVMF around SMM. Written from `packages/machine/src/quirks.ts` and `hosts.ts` by a test; edit those.',
    "'Looked up' is where the history was found again: words of the change, a bug or pull request of edk2; 'unchecked' where nothing was found, so that it rests on the confidence alone.",
    'Everything is fixed by default. `--quirk +Q1` adds one, `--quirk -Q1` takes one from the host, `smm explain` finds the one that a failure comes from.',
    '',
    '## Shown here, by mechanism',
    '',
    ...shown.flatMap((quirk) => [
      `### ${quirk.id}: ${quirk.title}`,
      '',
      `- **Where:** ${quirk.component}, ${endingOf(quirk)} (${CONFIDENCE[quirk.confidence]}; looked up: ${lookedUp(quirk)})`,
      `- **Before:** ${quirk.before}`,
      `- **After:** ${quirk.after}`,
      `- **Symptom:** ${quirk.symptom}`,
      '',
    ]),
    '## In the catalogue, not shown yet',
    '',
    'No mechanism of this machine or of its firmware can show them so far; asking for one is an error.',
    '',
    row('id', 'component', 'fault', 'history', 'confidence', 'looked up'),
    row('---', '---', '---', '---', '---', '---'),
    ...others.map((quirk) =>
      row(
        quirk.id,
        quirk.component,
        quirk.title,
        endingOf(quirk),
        CONFIDENCE[quirk.confidence],
        lookedUp(quirk),
      ),
    ),
    '',
    '## Hosts',
    '',
    row('`--host`', 'quirks', 'what it is'),
    row('---', '---', '---'),
    ...HOSTS.map((host) =>
      row(
        `\`${host.name}\`${host.name === DEFAULT_HOST ? ' (default)' : ''}`,
        host.quirks.join(', ') || 'none',
        host.title,
      ),
    ),
    '',
  ].join('\n');
}

it('docs/quirks.md says what the catalogue says', async () => {
  await expect(markdown()).toMatchFileSnapshot('../docs/quirks.md');
});

it('ids are unique and every host names quirks that can be shown', () => {
  const shown = new Set(QUIRKS.filter(({ status }) => status === 'shown').map(({ id }) => id));
  expect(new Set(QUIRKS.map(({ id }) => id)).size).toBe(QUIRKS.length);
  expect(HOSTS.flatMap(({ quirks }) => quirks).filter((id) => !shown.has(id))).toEqual([]);
});
