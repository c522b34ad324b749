/** Runs suites and makes the report. */
import type { Kernel } from './kernels/kernel.ts';
import type { Effort, Measurement, Progress } from './measurement.ts';
import type { Peer } from './peers/peer.ts';
import { ratiosOf, summariesOf } from './ratios.ts';
import { describeHost, type Report } from './report.ts';
import { type BootPlan, runBoots } from './suites/boot.ts';
import { type Endurance, runEndurance } from './suites/endurance.ts';
import { KERNEL_SUITES, runKernelSuite } from './suites/kernels.ts';
import { type Growth, runRelocations } from './suites/relocation.ts';
import { runSlices } from './suites/slices.ts';
import { runWalkers } from './suites/walkers.ts';
import { runWalks } from './suites/walks.ts';
import { type Curve, runWarmUps } from './suites/warm-up.ts';

/** Suites by name, in the order they run. */
export const SUITES = [
  'hot',
  'system',
  'cold',
  'events',
  'slices',
  'walks',
  'walkers',
  'relocation',
  'boot',
  'warm-up',
  'endurance',
] as const;
/** A suite's name. */
export type SuiteName = (typeof SUITES)[number];

/** Those that run unless others are named. */
export const DEFAULT_SUITES: readonly SuiteName[] = SUITES.filter((name) => name !== 'endurance');

/** What to run. */
export interface BenchOptions {
  /** Suites. */
  readonly only: readonly SuiteName[];
  /** Kernels of the suites that run kernels on all emulators. */
  readonly kernels: readonly Kernel[];
  /** Emulators. */
  readonly peers: readonly Peer[];
  /** Firmware boots. */
  readonly boots: BootPlan;
  /** How much. */
  readonly effort: Effort;
  /** Largest machine of the relocation suite. */
  readonly maximumProcessors: number;
  /** Guest instructions of the endurance suite. */
  readonly enduranceInstructions: number;
  /** Told what is going on. */
  readonly progress: Progress;
}

/** Whole boots and relocations take long and vary little. */
const LONG_SUITE_SAMPLES = 3;

/** Runs the suites. */
export async function runBench(options: BenchOptions): Promise<Report> {
  const { only, kernels, peers, effort, progress } = options;
  const measurements: Measurement[] = [];
  const growth: Growth[] = [];
  const curves: Curve[] = [];
  const endurance: Endurance[] = [];
  const fewer = { ...effort, samples: Math.min(effort.samples, LONG_SUITE_SAMPLES) };
  const others: Record<string, () => Promise<readonly Measurement[]> | readonly Measurement[]> = {
    slices: () => runSlices(peers, effort, progress),
    walks: () => runWalks(peers, effort, progress),
    walkers: () => runWalkers(effort, progress),
    relocation: () => {
      const results = runRelocations(fewer, progress, options.maximumProcessors);
      growth.push(...results.growth);
      return results.measurements;
    },
    boot: () => runBoots(options.boots, fewer, progress),
    'warm-up': async () => {
      curves.push(...(await runWarmUps(effort, progress)));
      return [];
    },
    endurance: async () => {
      endurance.push(await runEndurance(options.enduranceInstructions, progress));
      return [];
    },
  };
  try {
    for (const name of SUITES) {
      if (!only.includes(name)) continue;
      const suite = KERNEL_SUITES.find((each) => each.name === name);
      const rows =
        suite === undefined
          ? await others[name]!()
          : await runKernelSuite(suite, kernels, peers, effort, progress);
      measurements.push(...rows);
    }
  } finally {
    for (const peer of peers) await peer.close?.();
  }
  return reportOf(effort, measurements, growth, curves, endurance);
}

/** A report of rows: what can be computed from them is. */
export function reportOf(
  effort: Effort,
  measurements: readonly Measurement[],
  growth: readonly Growth[] = [],
  curves: readonly Curve[] = [],
  endurance: readonly Endurance[] = [],
): Report {
  const ratios = ratiosOf(measurements);
  return {
    schemaVersion: 2,
    measuredAt: new Date().toISOString(),
    host: describeHost(),
    effort,
    measurements,
    ratios,
    summaries: summariesOf(ratios),
    growth,
    curves,
    ...(endurance.length > 0 && { endurance }),
  };
}
