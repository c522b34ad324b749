/** Tables of a report: rows are what was measured, columns are emulators. The same for terminals and for Markdown. */
import type { Measurement, Unit } from './measurement.ts';
import { peersOf, type Report } from './report.ts';
import type { Spread } from './statistics.ts';
import type { EnduranceLook } from './suites/endurance.ts';

/** A table, all cells text. */
export interface Table {
  /** One line above it. */
  readonly title: string;
  /** Column heads; the first column names rows. */
  readonly head: readonly string[];
  /** Cells. */
  readonly rows: readonly (readonly string[])[];
}

/** Three significant digits, none after the point from 100 on. */
function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Samples of which a range says something. */
export const ENOUGH_FOR_RANGE = 3;

/** Half of the range relative to the middle, in percent. */
function spreadText({ median, min, max }: Spread, rounds: number): string {
  if (min === max || rounds < ENOUGH_FOR_RANGE) return '';
  const percent = ((max - min) / 2 / median) * 100;
  return ` ±${percent < 10 ? percent.toFixed(1) : percent.toFixed(0)}%`;
}

const MISSING: Readonly<Record<Measurement['status'], string>> = {
  measured: '',
  missing: 'missing',
  failed: 'FAILED',
  'wrong-result': 'WRONG',
  noise: 'noise',
};

/** What a suite is about, above its table. */
const TITLES: Readonly<Record<string, string>> = {
  hot: 'Loops of user code',
  system: 'Code and page tables that change, interrupts',
  cold: 'Code that runs once',
  events: 'One event, there and back',
  slices: 'A turn of the scheduler',
  walks: 'A TLB miss over a hit',
  walkers: 'The page walkers by themselves',
  relocation: 'SMBASE relocations',
  boot: "OVMF from power-on to the shell's prompt",
  startup: 'Start-up, subtracted from the rows above',
  memory: 'Largest resident memory of those boots',
};

const cell = (row: Measurement | undefined): string => {
  if (row === undefined) return '';
  return row.value === undefined
    ? MISSING[row.status]
    : `${figure(row.value.median)}${spreadText(row.value, row.samples.length)}`;
};

function pivot(title: string, rows: readonly Measurement[]): Table {
  const peers = peersOf(rows).map(({ name }) => name);
  const names = [...new Set(rows.map(({ name }) => name))];
  return {
    title,
    head: ['', ...peers],
    rows: names.map((name) => [
      name,
      ...peers.map((peer) => cell(rows.find((row) => row.name === name && row.peer === peer))),
    ]),
  };
}

/** Which table of a suite an emulator goes into: one with all would be too wide to read. */
const GROUPS: readonly { readonly title: string; readonly has: (peer: string) => boolean }[] = [
  { title: '', has: (peer) => !/-(kvm|shadow|chromium)$/.test(peer) },
  { title: ', our accelerators', has: (peer) => /-(kvm|shadow)$/.test(peer) },
  { title: ', in Chromium', has: (peer) => peer.endsWith('-chromium') },
];

/** A table for each suite, unit and group of emulators. */
export function figureTables({ measurements }: Report): Table[] {
  const suites = [...new Set(measurements.map(({ suite }) => suite))];
  return suites.flatMap((suite) => {
    const rows = measurements.filter((row) => row.suite === suite);
    const units = [...new Set(rows.map(({ unit }) => unit))];
    return units.flatMap((unit) =>
      GROUPS.flatMap(({ title, has }) => {
        const group = rows.filter((row) => row.unit === unit && has(row.peer));
        return group.length === 0
          ? []
          : [pivot(`${TITLES[suite] ?? suite}${title}: ${unitText(unit)}`, group)];
      }),
    );
  });
}

function unitText(unit: Unit): string {
  if (unit === 'MIPS') return 'million guest instructions per CPU second';
  if (unit === 's') return 'CPU seconds';
  if (unit === 's wall') return 'wall-clock seconds';
  return unit;
}

/** Ratios of one emulator against the others, kernel by kernel. */
export function ratioTables({ ratios, effort }: Report): Table[] {
  return ['smm-tier1', 'smm-tier0'].flatMap((peer) => {
    const mine = ratios.filter((ratio) => ratio.peer === peer);
    if (mine.length === 0) return [];
    const against = [...new Set(mine.map((ratio) => ratio.against))];
    const names = [...new Map(mine.map(({ suite, name }) => [`${suite} ${name}`, { suite, name }])).values()];
    return {
      title: `${peer}: how many times as fast as (above 1: faster)`,
      head: ['suite', '', ...against],
      rows: names.map(({ suite, name }) => [
        suite,
        name,
        ...against.map((other) => {
          const found = mine.find((r) => r.suite === suite && r.name === name && r.against === other);
          return found === undefined
            ? ''
            : `${figure(found.ratio.median)}${spreadText(found.ratio, effort.samples)}`;
        }),
      ]),
    };
  });
}

/** Geometric means with the kernels at both ends, a column for each suite and mode. */
export function summaryTable({ summaries }: Report): Table {
  const columns = [...new Set(summaries.map(({ suite, bits }) => `${suite} ${bits}`))];
  const pairs = [...new Set(summaries.map(({ peer, against }) => `${peer} / ${against}`))];
  return {
    title: 'Geometric means over the kernels of a suite (least - most); above 1: the first is faster',
    head: ['', ...columns],
    rows: pairs.map((pair) => [
      pair,
      ...columns.map((column) => {
        const s = summaries.find(
          ({ suite, bits, peer, against }) =>
            `${suite} ${bits}` === column && `${peer} / ${against}` === pair,
        );
        if (s === undefined) return '';
        const ends = s.kernels > 1 ? ` (${figure(s.least.ratio)} - ${figure(s.most.ratio)})` : '';
        return `${figure(s.mean)}${ends}`;
      }),
    ]),
  };
}

/** Growth of a relocation. */
export function growthTable({ growth }: Report): Table {
  return {
    title: 'Growth of one relocation with the number of VCPUs from 8 on (exponent; 1 is linear)',
    head: ['accel', 'of', 'exponent'],
    rows: growth.map((g) => [g.accelerator, g.of, figure(g.exponent)]),
  };
}

const CURVE_POINTS = 8;

/** Warm-up curves: the speed since the start, at a few numbers of instructions. */
export function curveTable({ curves }: Report): Table {
  return {
    title: 'Warm-up: million instructions per CPU second since power-on, a new process each',
    head: ['', 'emulator', 'after million instructions: MIPS'],
    rows: curves.map(({ name, peer, points }) => {
      const step = Math.max(1, Math.floor(points.length / CURVE_POINTS));
      const some = points.filter((_, index) => index % step === step - 1 || index === points.length - 1);
      const text = some.map(
        ({ instructions, seconds }) =>
          `${figure(instructions / 1e6)}: ${figure(instructions / seconds / 1e6)}`,
      );
      return [name, peer, text.join('  ')];
    }),
  };
}

/** Ends of the parts of the run that the table tells apart. */
const ENDURANCE_PARTS = [0.1, 0.25, 0.5, 0.75, 1];

/** What the process took over very many instructions of ever new code. */
export function enduranceTable({ endurance = [] }: Report): Table {
  const mib = (bytes: number): string => figure(bytes / 2 ** 20);
  return {
    title:
      'Endurance: ever new code, with room for little of it; counts at the end of each part, least and most MiB within it',
    head: [
      ...[
        '',
        'emulator',
        'at',
        'million instructions',
        'CPU s',
        'regions made',
        'in use',
        'evicted',
        'invalidated',
      ],
      ...['resident', 'heap'],
    ],
    rows: endurance.flatMap(({ name, peer, looks, most }) => {
      const last = looks.at(-1)!;
      const range = (part: readonly EnduranceLook[], key: 'resident' | 'heap'): string => {
        const all = part.map((look) => look[key]);
        return `${mib(Math.min(...all))} - ${mib(Math.max(...all))}`;
      };
      const row = (at: string, part: readonly EnduranceLook[]): string[] => {
        const { instructions, seconds, compiled, regions, evicted, invalidated } = part.at(-1)!;
        return [
          ...[name, peer, at, (instructions / 1e6).toFixed(0), seconds.toFixed(0)],
          ...[compiled, regions, evicted, invalidated].map(String),
          ...[range(part, 'resident'), range(part, 'heap')],
        ];
      };
      const parts = ENDURANCE_PARTS.map((to, index) => {
        const from = ENDURANCE_PARTS[index - 1] ?? 0;
        const within = looks.filter(
          ({ instructions: at }) => at / last.instructions > from && at / last.instructions <= to,
        );
        return within.length === 0 ? [] : row(`${from * 100} - ${to * 100} %`, within);
      });
      return [
        row('start', looks.slice(0, 1)),
        ...parts.filter((cells) => cells.length > 0),
        [name, peer, 'maximum', '', '', '', '', '', '', mib(most.resident), mib(most.heap)],
      ];
    }),
  };
}

/** Rows that have no figure, or something to know. */
export function notesTable({ measurements }: Report): Table {
  const rows = measurements.filter(({ note, status }) => note !== undefined || status !== 'measured');
  const byNote = new Map<string, { row: Measurement; names: string[] }>();
  for (const row of rows) {
    const key = JSON.stringify([row.suite, row.peer, row.status, row.note]);
    const known = byNote.get(key);
    if (known === undefined) byNote.set(key, { row, names: [row.name] });
    else if (!known.names.includes(row.name)) known.names.push(row.name);
  }
  return {
    title: 'Notes',
    head: ['suite', 'what', 'emulator', 'status', 'note'],
    rows: [...byNote.values()].map(({ row, names }) => [
      row.suite,
      names.length > 3 ? `${names.length} rows` : names.join('; '),
      row.peer,
      row.status,
      row.note ?? '',
    ]),
  };
}
