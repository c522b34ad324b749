/** Runs suites and makes the report. */
import type { Effort, Measurement, Progress } from './measurement.ts';
import { ratiosOf } from './ratios.ts';
import { describeHost, type Report } from './report.ts';
import { cold, hot, runKernelSuite, smi, smmWasm } from './suites/kernels.ts';
import { type Growth, runRelocations } from './suites/relocation.ts';
import { runWalkers } from './suites/walkers.ts';
import { runWalks } from './suites/walks.ts';

/** Suites by name, in the order they run. */
export const SUITES = ['hot', 'cold', 'walks', 'walkers', 'smi', 'relocation'] as const;
/** A suite's name. */
export type SuiteName = (typeof SUITES)[number];

/** What to run. */
export interface BenchOptions {
  /** Suites. */
  readonly only: readonly SuiteName[];
  /** How much. */
  readonly effort: Effort;
  /** Largest machine of the relocation suite. */
  readonly maximumProcessors: number;
  /** Told what is going on. */
  readonly progress: Progress;
}

/** Runs the suites. */
export async function runBench({ only, effort, maximumProcessors, progress }: BenchOptions): Promise<Report> {
  const measurements: Measurement[] = [];
  const growth: Growth[] = [];
  const suites: Record<SuiteName, () => Promise<Measurement[]> | Measurement[]> = {
    hot: () => runKernelSuite(hot, effort, progress),
    cold: () => runKernelSuite(cold, effort, progress),
    walks: () => runWalks(effort, progress),
    walkers: () => runWalkers(effort, progress),
    smi: () => runKernelSuite(smi, effort, progress),
    relocation: () => {
      const results = runRelocations(effort, progress, maximumProcessors);
      growth.push(...results.growth);
      return results.measurements;
    },
  };
  for (const name of SUITES) if (only.includes(name)) measurements.push(...(await suites[name]()));
  return {
    schemaVersion: 1,
    host: describeHost(),
    effort,
    measurements,
    ratios: ratiosOf(measurements, smmWasm.name),
    growth,
  };
}
