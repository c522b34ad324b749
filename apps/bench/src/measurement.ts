/** What the bench produces: one row per thing measured on one emulator. The JSON report is made of these. */
import { type Spread, spread } from './statistics.ts';

/** Why there is or is not a figure. `noise`: every difference of two runs was zero or negative, they were too short. */
type Status = 'measured' | 'missing' | 'failed' | 'wrong-result' | 'noise';

/** One row. */
export interface Measurement {
  /** Suite it belongs to. */
  readonly suite: string;
  /** What was measured: a kernel, a kind of walk, a number of processors. */
  readonly name: string;
  /** Emulator. */
  readonly peer: string;
  /** Its version, if it is there. */
  readonly version?: string;
  /** Unit of the figures, for example `MIPS`. */
  readonly unit: string;
  /** Whether there are figures. */
  readonly status: Status;
  /** Middle and extremes of the samples. */
  readonly value?: Spread;
  /** One per round, in order. */
  readonly samples: readonly number[];
  /** Why there are none, or what to know about them. */
  readonly note?: string;
}

/** How much to measure. */
export interface Effort {
  /** Interleaved rounds over all emulators. */
  readonly samples: number;
  /** Length of a run as a multiple of the kernel's own. */
  readonly scale: number;
}

/** Told what is going on. */
export type Progress = (text: string) => void;

/** A row from samples; those that are not positive are noise. */
export function measured(
  row: Omit<Measurement, 'status' | 'value' | 'samples'>,
  samples: readonly number[],
): Measurement {
  const usable = samples.filter((sample) => Number.isFinite(sample) && sample > 0);
  if (usable.length === 0)
    return { ...row, status: 'noise', samples: [], note: 'the runs were too short to tell' };
  const lost = samples.length - usable.length;
  return {
    ...row,
    status: 'measured',
    value: spread(usable),
    samples: usable,
    ...(lost > 0 && { note: `${lost} of ${samples.length} samples were noise` }),
  };
}
