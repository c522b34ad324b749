/** The report as text for a terminal. */
import CliTable from 'cli-table3';
import { peersOf, type Report } from './report.ts';
import {
  curveTable,
  ENOUGH_FOR_RANGE,
  enduranceTable,
  figureTables,
  growthTable,
  notesTable,
  ratioTables,
  summaryTable,
  type Table,
} from './tables.ts';

const EDGES = ['top', 'bottom', 'left', 'right', 'mid', 'top-mid', 'top-left', 'top-right', 'bottom-mid'];
const MORE_EDGES = ['bottom-left', 'bottom-right', 'left-mid', 'mid-mid', 'right-mid'];
const NO_BORDER = {
  chars: { ...Object.fromEntries([...EDGES, ...MORE_EDGES].map((edge) => [edge, ''])), middle: '  ' },
  style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
};

/** A table with its title. */
function renderTable({ title, head, rows }: Table): string {
  const out = new CliTable({ ...NO_BORDER, head: [...head] });
  out.push(...rows.map((row) => [...row]));
  const lines = out.toString().split('\n');
  return [title, ...lines.map((line) => line.trimEnd())].join('\n');
}

/** Load that the benchmark does not make by itself: it runs one thing at a time. */
const BUSY = 1.5;

/** One paragraph: where, when, with what. */
export function describeRun({ host, effort, measuredAt, measurements }: Report): string {
  const peers = peersOf(measurements)
    .filter(({ version }) => version !== undefined && version !== 'this tree')
    .map(({ name, version }) => `${name} ${version}`);
  return (
    `${host.processor}, ${host.processors} processors, Node ${host.node}, load ${host.load}, ${measuredAt}; ` +
    `medians of ${effort.samples} rounds of about ${effort.seconds} CPU seconds each${effort.samples < ENOUGH_FOR_RANGE ? '' : ', ± half the range'}. ` +
    (host.load > BUSY
      ? `The host was busy with other work too (load ${host.load}): figures may be off. `
      : '') +
    'CPU time is user and system time of all threads; a REP counts as one instruction.' +
    (peers.length > 0 ? ` ${peers.join(', ')}.` : '')
  );
}

/** The report as text. */
export function renderReport(report: Report): string {
  const tables = [
    ...figureTables(report),
    ...ratioTables(report),
    summaryTable(report),
    growthTable(report),
    curveTable(report),
    enduranceTable(report),
    notesTable(report),
  ].filter(({ rows }) => rows.length > 0);
  return `${[describeRun(report), ...tables.map(renderTable)].join('\n\n')}\n`;
}
