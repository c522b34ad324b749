/** The report: one object for JSON, one text for people. */
import { availableParallelism, cpus, loadavg } from 'node:os';
import Table from 'cli-table3';
import type { Effort, Measurement } from './measurement.ts';
import type { Ratio } from './ratios.ts';
import type { Spread } from './statistics.ts';
import type { Growth } from './suites/relocation.ts';

/** Everything a run of the bench found. Its schema: `schema/bench.schema.json`. */
export interface Report {
  /** Version of this layout. */
  readonly schemaVersion: 1;
  /** Where it ran. */
  readonly host: {
    /** Processor, as the host names it. */
    readonly processor: string;
    /** Processors that this process may use. */
    readonly processors: number;
    /** Node's version. */
    readonly node: string;
    /** Load over one minute at the end; above 1 others were running too. */
    readonly load: number;
  };
  /** How much was measured. */
  readonly effort: Effort;
  /** Rows. */
  readonly measurements: readonly Measurement[];
  /** Tier 0 against the others. */
  readonly ratios: readonly Ratio[];
  /** How the cost of a relocation grows. */
  readonly growth: readonly Growth[];
}

/** What the host is. */
export function describeHost(): Report['host'] {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: availableParallelism(),
    node: process.version,
    load: Math.round(loadavg()[0]! * 100) / 100,
  };
}

const PLAIN = {
  chars: {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  },
  style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
};

function number(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

function range({ min, max }: Spread): string {
  return `${number(min)} - ${number(max)}`;
}

function table(head: string[], rows: string[][]): string {
  const out = new Table({ ...PLAIN, head });
  out.push(...rows);
  return out
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

function measurementRow(m: Measurement): string[] {
  const peer = m.version === undefined ? m.peer : `${m.peer} (${m.version})`;
  const figures = m.value === undefined ? [m.status, ''] : [number(m.value.median), range(m.value)];
  return [m.suite, m.name, peer, ...figures, m.unit, m.note ?? ''];
}

/** The report as text. */
export function renderReport(report: Report): string {
  const { host, effort } = report;
  const parts = [
    `${host.processor}, ${host.processors} processors, Node ${host.node}, load ${host.load}; median of ${effort.samples} rounds, ` +
      `run length x ${effort.scale}. CPU time is user and system time of all threads.`,
    table(
      ['suite', 'what', 'emulator', 'median', 'range', 'unit', 'note'],
      report.measurements.map(measurementRow),
    ),
  ];
  if (report.ratios.length > 0) {
    const rows = report.ratios.map((r) => [
      r.suite,
      r.name,
      `${r.peer} / ${r.against}`,
      number(r.ratio.median),
      range(r.ratio),
    ]);
    parts.push(
      'How many times faster (above 1: ours is):',
      table(['suite', 'what', 'pair', 'median', 'range'], rows),
    );
  }
  if (report.growth.length > 0) {
    const rows = report.growth.map((g) => [g.accelerator, g.of, number(g.exponent)]);
    parts.push(
      'Growth of one relocation with the number of VCPUs from 8 on (exponent; 1 is linear):',
      table(['accel', 'of', 'exponent'], rows),
    );
  }
  return `${parts.join('\n\n')}\n`;
}
