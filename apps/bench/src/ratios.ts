/** Our figures against those of the others, from the same rounds. */
import type { Measurement } from './measurement.ts';
import { type Spread, spread } from './statistics.ts';

/** How much faster we are. */
export interface Ratio {
  /** Suite. */
  readonly suite: string;
  /** Kernel or kind. */
  readonly name: string;
  /** Ours. */
  readonly peer: string;
  /** Theirs. */
  readonly against: string;
  /** Above 1: ours is faster. Middle and extremes of the ratios of each round. */
  readonly ratio: Spread;
}

/** Suites in whose unit more is better. */
const LARGER_IS_BETTER = new Set(['MIPS', 'VCPUs/s']);

/** Ratios of `peer` against every other emulator that measured the same. */
export function ratiosOf(measurements: readonly Measurement[], peer: string): Ratio[] {
  const mine = measurements.filter((m) => m.peer === peer && m.status === 'measured');
  return mine.flatMap((ours) =>
    measurements
      .filter((m) => m.suite === ours.suite && m.name === ours.name && m.unit === ours.unit)
      .filter((m) => m.peer !== peer && m.status === 'measured')
      .map((theirs): Ratio => {
        const pairs = Math.min(ours.samples.length, theirs.samples.length);
        const quotients = Array.from({ length: pairs }, (_, i) => {
          const quotient = ours.samples[i]! / theirs.samples[i]!;
          return LARGER_IS_BETTER.has(ours.unit) ? quotient : 1 / quotient;
        });
        return { suite: ours.suite, name: ours.name, peer, against: theirs.peer, ratio: spread(quotients) };
      }),
  );
}
