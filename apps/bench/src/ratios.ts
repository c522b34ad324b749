/** Figures against each other, from the same rounds; these are the bench's claims, for times alone mean little. */
import { type Measurement, UNITS } from './measurement.ts';
import { geometricMean, type Spread, spread } from './statistics.ts';

/** How much faster one emulator is than another. */
export interface Ratio {
  /** Suite. */
  readonly suite: string;
  /** Kernel or kind. */
  readonly name: string;
  /** The one. */
  readonly peer: string;
  /** The other. */
  readonly against: string;
  /** Above 1: `peer` is faster, or needs less. Middle and extremes of the ratios of each round. */
  readonly ratio: Spread;
}

/** End of the names of another commit's machines. */
export const AGAINST_SUFFIX = '@against';

const OTHERS = ['qemu-tcg', 'bochs', 'v86-jit', 'v86-interpreter'] as const;

/** Who is compared with whom: our tiers with the others, accelerators and browsers with the same tier without. */
const PAIRS: readonly (readonly [peer: string, against: readonly string[]])[] = [
  ['smm-tier1', [...OTHERS, 'smm-tier0', 'smm-evaluator', `smm-tier1${AGAINST_SUFFIX}`]],
  ['smm-tier0', [...OTHERS, 'smm-evaluator', `smm-tier0${AGAINST_SUFFIX}`]],
  ['smm-tier1-kvm', ['smm-tier1']],
  ['smm-tier1-shadow', ['smm-tier1']],
  ['smm-tier0-kvm', ['smm-tier0']],
  ['smm-tier0-shadow', ['smm-tier0']],
  ['smm-tier1-chromium', ['smm-tier1', 'v86-jit-chromium']],
  ['smm-tier0-chromium', ['smm-tier0']],
  ['v86-jit-chromium', ['v86-jit']],
];

/** The ratio of two rows, from the rounds in which both have a figure; undefined if there are none. */
function ratioOf(peer: Measurement, against: Measurement): Spread | undefined {
  const quotients = peer.samples.flatMap((sample, round) => {
    const other = against.samples[round];
    if (sample === null || other === null || other === undefined) return [];
    return [UNITS[peer.unit].larger ? sample / other : other / sample];
  });
  return quotients.length === 0 ? undefined : spread(quotients);
}

/** Ratios of all pairs in all suites. */
export function ratiosOf(measurements: readonly Measurement[]): Ratio[] {
  return PAIRS.flatMap(([peer, others]) =>
    measurements
      .filter((m) => m.peer === peer)
      .flatMap((mine) =>
        others.flatMap((against) => {
          const theirs = measurements.find(
            (m) =>
              m.peer === against && m.suite === mine.suite && m.name === mine.name && m.unit === mine.unit,
          );
          const ratio = theirs && ratioOf(mine, theirs);
          if (ratio === undefined || mine.unit === 's wall') return [];
          return [{ suite: mine.suite, name: mine.name, peer, against, ratio }];
        }),
      ),
  );
}

/** One pair over the kernels of a suite. */
export interface Summary {
  /** Suite. */
  readonly suite: string;
  /** Mode of the kernels. */
  readonly bits: 32 | 64;
  /** The one. */
  readonly peer: string;
  /** The other. */
  readonly against: string;
  /** Kernels that both ran. */
  readonly kernels: number;
  /** Geometric mean of the medians. */
  readonly mean: number;
  /** Kernel where `peer` does worst. */
  readonly least: { readonly name: string; readonly ratio: number };
  /** Kernel where it does best. */
  readonly most: { readonly name: string; readonly ratio: number };
}

/** Geometric means over kernels, by suite, mode and pair. Names of kernels end with their bits. */
export function summariesOf(ratios: readonly Ratio[]): Summary[] {
  const groups = new Map<string, Ratio[]>();
  for (const ratio of ratios) {
    const bits = /(32|64)$/.exec(ratio.name)?.[1];
    if (bits === undefined) continue;
    const key = JSON.stringify([ratio.suite, Number(bits), ratio.peer, ratio.against]);
    groups.set(key, [...(groups.get(key) ?? []), ratio]);
  }
  return [...groups].map(([key, members]) => {
    const [suite, bits, peer, against] = JSON.parse(key) as [string, 32 | 64, string, string];
    const sorted = members
      .map(({ name, ratio }) => ({ name, ratio: ratio.median }))
      .sort((a, b) => a.ratio - b.ratio);
    return {
      suite,
      bits,
      peer,
      against,
      kernels: sorted.length,
      mean: geometricMean(sorted.map(({ ratio }) => ratio)),
      least: sorted[0]!,
      most: sorted.at(-1)!,
    };
  });
}
