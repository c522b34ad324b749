/** The report: one object, from which text, Markdown and the plot are made. */
import { availableParallelism, cpus, loadavg } from 'node:os';
import type { Effort, Measurement } from './measurement.ts';
import type { Ratio, Summary } from './ratios.ts';
import type { Endurance } from './suites/endurance.ts';
import type { Growth } from './suites/relocation.ts';
import type { Curve } from './suites/warm-up.ts';

/** Everything a run of the bench found. Its schema: `schema/bench.schema.json`. */
export interface Report {
  /** Version of this layout. */
  readonly schemaVersion: 2;
  /** When it ended, ISO 8601, UTC. */
  readonly measuredAt: string;
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
  /** Pairs of emulators, kernel by kernel. */
  readonly ratios: readonly Ratio[];
  /** Pairs of emulators over all kernels of a suite. */
  readonly summaries: readonly Summary[];
  /** How the cost of a relocation grows. */
  readonly growth: readonly Growth[];
  /** Speed from the first instruction on. */
  readonly curves: readonly Curve[];
  /** Memory over very many instructions of ever new code, if that was asked for. */
  readonly endurance?: readonly Endurance[];
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

/** The names of emulators in a report with their versions, in the order of first appearance. */
export function peersOf(
  rows: readonly Measurement[],
): { readonly name: string; readonly version: string | undefined }[] {
  const names = [...new Set(rows.map(({ peer }) => peer))];
  return names.map((name) => ({
    name,
    version: rows.find((row) => row.peer === name && row.version !== undefined)?.version,
  }));
}
