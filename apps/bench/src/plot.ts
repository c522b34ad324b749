/** The report as a picture: one SVG made by Vega-Lite, and a page around it. */
import { parse, View } from 'vega';
import { compile, type TopLevelSpec } from 'vega-lite';
import type { Measurement } from './measurement.ts';
import { describeRun } from './render-text.ts';
import type { Report } from './report.ts';
import { summaryTable } from './tables.ts';

type Row = Record<string, string | number>;

/** Emulators that are drawn, with their colours; ours are of one family. */
const COLOURS: Readonly<Record<string, string>> = {
  'smm-tier1': '#d1495b',
  'smm-tier0': '#f2a65a',
  'smm-tier1-chromium': '#7b2d42',
  'smm-evaluator': '#f6d5b8',
  'qemu-tcg': '#1b6ca8',
  'v86-jit': '#3a9e6f',
  'v86-interpreter': '#a9d6bf',
  bochs: '#8a8f98',
};
const scale = (names: readonly string[]) => {
  const drawn = Object.keys(COLOURS).filter((name) => names.includes(name));
  return { domain: drawn, range: drawn.map((name) => COLOURS[name]!) };
};

/** Rows of some suites that can be drawn. */
function drawable(report: Report, wanted: (row: Measurement) => boolean): Row[] {
  return report.measurements.flatMap((row) => {
    if (row.value === undefined || COLOURS[row.peer] === undefined || !wanted(row)) return [];
    const { median, min, max } = row.value;
    const bits = /(32|64)$/.exec(row.name)?.[1];
    return [
      {
        name: row.name.replace(/(32|64)$/, ''),
        mode: bits === undefined ? '' : `${bits}-bit`,
        peer: row.peer,
        median,
        min,
        max,
      },
    ];
  });
}

const peersIn = (rows: readonly Row[]): string[] => [...new Set(rows.map(({ peer }) => String(peer)))];
const namesIn = (rows: readonly Row[]): string[] => [...new Set(rows.map(({ name }) => String(name)))];

const WIDTH = 400;
/** Room for the names of rows, so that all charts begin at the same place. */
const LABELS = { minExtent: 150, maxExtent: 150, labelLimit: 0, tickSize: 0, labelPadding: 8, title: null };
/** Powers of ten get a label and a line; between them there would be a thicket. */
const DECADE = 'abs(log(datum.value) / LN10 - round(log(datum.value) / LN10)) < 1e-6';
const DECADES = {
  labelExpr: `${DECADE} ? (datum.value >= 1e9 ? datum.value / 1e9 + 'G' : datum.value >= 1e6 ? datum.value / 1e6 + 'M' : datum.value >= 1e3 ? datum.value / 1e3 + 'k' : '' + datum.value) : ''`,
  gridOpacity: { condition: { test: DECADE, value: 1 }, value: 0.25 },
  tickSize: 0,
  labelOverlap: false,
};
const ROW_HEIGHT = 24;

/** A dot for the median and a line for the range, a row per kernel, emulators by colour, a panel per mode. */
function dots(title: string, subtitle: string, axis: string, rows: Row[]): object[] {
  if (rows.length === 0) return [];
  const y = {
    field: 'name',
    type: 'nominal',
    sort: namesIn(rows),
    axis: { ...LABELS, grid: true },
  };
  const color = {
    field: 'peer',
    type: 'nominal',
    scale: scale(peersIn(rows)),
    legend: {
      title: null,
      orient: 'top',
      symbolType: 'circle',
      symbolSize: 110,
      labelLimit: 0,
      symbolOpacity: 1,
    },
  };
  const x = (field: string) => ({
    field,
    type: 'quantitative',
    scale: { type: 'log', nice: true },
    axis: { title: axis, ...DECADES },
  });
  const panel = (mode: string) => ({
    title: { text: mode, anchor: 'start', fontSize: 12, fontWeight: 600, color: '#555' },
    width: WIDTH,
    height: { step: ROW_HEIGHT },
    transform: [{ filter: `datum.mode === '${mode}'` }],
    layer: [
      {
        mark: { type: 'rule', strokeWidth: 2, opacity: 0.55 },
        encoding: { y, x: x('min'), x2: { field: 'max' }, color },
      },
      {
        mark: { type: 'point', filled: true, size: 95, opacity: 0.95, stroke: 'white', strokeWidth: 0.8 },
        encoding: { y, x: x('median'), color },
      },
    ],
  });
  const modes = [...new Set(rows.map(({ mode }) => String(mode)))].sort();
  return [
    {
      title: heading(title, subtitle),
      data: { values: rows },
      hconcat: modes.map(panel),
      spacing: 30,
      resolve: { scale: { color: 'shared' } },
    },
  ];
}

function heading(text: string, subtitle: string): object {
  return {
    text,
    subtitle,
    anchor: 'start',
    fontSize: 17,
    subtitleFontSize: 12,
    subtitleColor: '#666',
    offset: 12,
  };
}

/** A bar per emulator, a group per machine. */
function bars(title: string, subtitle: string, axis: string, rows: Row[]): object[] {
  if (rows.length === 0) return [];
  const y = { field: 'name', type: 'nominal', sort: namesIn(rows), axis: LABELS };
  const yOffset = { field: 'peer', sort: Object.keys(COLOURS) };
  const color = { field: 'peer', type: 'nominal', scale: scale(peersIn(rows)), legend: null };
  const height = { step: 15, for: 'offset' };
  return [
    {
      title: heading(title, subtitle),
      data: { values: rows },
      width: 2 * WIDTH,
      height,
      layer: [
        {
          mark: { type: 'bar', cornerRadiusEnd: 2 },
          encoding: {
            y,
            yOffset,
            color,
            x: { field: 'median', type: 'quantitative', axis: { title: axis } },
          },
        },
        {
          mark: { type: 'text', align: 'left', dx: 5, fontSize: 10, color: '#444' },
          encoding: {
            y,
            yOffset,
            x: { field: 'median', type: 'quantitative' },
            text: { field: 'label', type: 'nominal' },
          },
        },
      ],
    },
  ];
}

/** Speed of every stretch between two points, over the instructions so far. */
function curves(report: Report): object[] {
  const rows = report.curves.flatMap(({ name, peer, points }) =>
    points.slice(1).flatMap(({ instructions, seconds }, index): Row[] => {
      const before = points[index]!;
      const mips = (instructions - before.instructions) / (seconds - before.seconds) / 1e6;
      return mips > 0 && Number.isFinite(mips) ? [{ name, peer, instructions, mips }] : [];
    }),
  );
  if (rows.length === 0) return [];
  const names = namesIn(rows);
  return [
    {
      title: heading(
        'Warm-up',
        `speed between two readings of the clock, each tier in a new process; solid ${names[0]}, dashed ${names[1]}`,
      ),
      data: { values: rows },
      width: 2 * WIDTH,
      height: 220,
      mark: { type: 'line', strokeWidth: 2.2, point: { size: 22 }, interpolate: 'linear' },
      encoding: {
        x: {
          field: 'instructions',
          type: 'quantitative',
          scale: { type: 'log' },
          axis: { title: 'guest instructions since power-on', ...DECADES },
        },
        y: {
          field: 'mips',
          type: 'quantitative',
          scale: { type: 'log' },
          axis: { title: 'million per CPU second', minExtent: 110, ...DECADES },
        },
        color: {
          field: 'peer',
          type: 'nominal',
          scale: scale(peersIn(rows)),
          legend: { title: null, orient: 'bottom-right', symbolType: 'stroke', symbolSize: 400 },
        },
        strokeDash: { field: 'name', type: 'nominal', legend: null },
      },
    },
  ];
}

function specification(report: Report): TopLevelSpec {
  const suite = (name: string, unit?: string) => (row: Measurement) =>
    row.suite === name && (unit === undefined || row.unit === unit);
  const labelled = (rows: Row[]) =>
    rows.map((row) => ({ ...row, label: `${row['peer']}  ${Number(row['median']).toPrecision(3)}` }));
  const mips = 'million guest instructions per CPU second, log scale';
  const views = [
    ...dots(
      'Loops of user code',
      'further right is faster; lines span all rounds',
      mips,
      drawable(report, suite('hot')),
    ),
    ...dots(
      'Code and page tables that change, interrupts',
      'further right is faster',
      mips,
      drawable(report, suite('system')),
    ),
    ...dots(
      'Code that runs once',
      'further left is faster',
      'ns per instruction, log scale',
      drawable(report, suite('cold')),
    ),
    ...bars(
      "OVMF from power-on to the shell's prompt",
      'CPU seconds of the whole process; shorter is better. QEMU counts down in real time, we in virtual time',
      'CPU seconds',
      labelled(drawable(report, suite('boot', 's'))),
    ),
    ...curves(report),
  ];
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
    background: 'white',
    padding: 20,
    vconcat: views,
    spacing: 44,
    resolve: {
      scale: { color: 'independent', x: 'independent', y: 'independent', strokeDash: 'independent' },
      legend: { color: 'independent', strokeDash: 'independent' },
    },
    config: {
      font: 'system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif',
      view: { stroke: null },
      axis: {
        gridColor: '#e9e9ec',
        domain: false,
        tickColor: '#ccc',
        labelFontSize: 11,
        titleFontWeight: 400,
      },
      axisY: { labelFontSize: 12 },
      legend: { labelFontSize: 12 },
    },
  } as unknown as TopLevelSpec;
}

/** The picture as SVG. */
export async function renderSvg(report: Report): Promise<string> {
  const view = new View(parse(compile(specification(report)).spec), { renderer: 'none' });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** A page with the picture and the table of means; it needs nothing from elsewhere. */
export async function renderHtml(report: Report): Promise<string> {
  const { title, head, rows } = summaryTable(report);
  const line = (cells: readonly string[], tag: string): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>smm-emulator bench</title>
<style>
  body { font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: #222; max-width: 1080px; margin: 2.5rem auto; padding: 0 1.5rem; }
  h1 { font-size: 1.7rem; margin: 0 0 .4rem; }
  p { color: #555; margin: .3rem 0 1.2rem; }
  svg { max-width: 100%; height: auto; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-size: 12.5px; }
  th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #e9e9ec; white-space: nowrap; }
  th:first-child, td:first-child { text-align: left; }
</style>
<h1>How fast is it, beside the others?</h1>
<p>${escapeHtml(describeRun(report))}</p>
${await renderSvg(report)}
<h2>${escapeHtml(title)}</h2>
<div class="wide"><table>
${line(head, 'th')}
${rows.map((row) => line(row, 'td')).join('\n')}
</table></div>
</html>
`;
}
