/** What the bench produces: one row per thing measured on one emulator. The JSON report is made of these. */
import { type Spread, spread } from './statistics.ts';

/** Why there is or is not a figure. `noise`: every difference of two runs was zero or negative, they were too short. */
type Status = 'measured' | 'missing' | 'failed' | 'wrong-result' | 'noise';

/** Units, and whether more is better. */
export const UNITS = {
  MIPS: { larger: true },
  'VCPUs/s': { larger: true },
  'ns/insn': { larger: false },
  'ns/miss': { larger: false },
  'ns/walk': { larger: false },
  'us/SMI': { larger: false },
  'us/IPI': { larger: false },
  'us/exit': { larger: false },
  'us/slice': { larger: false },
  'ms/round': { larger: false },
  ms: { larger: false },
  s: { larger: false },
  's wall': { larger: false },
  MiB: { larger: false },
} as const;
/** Name of a unit. CPU time unless it says `wall`. */
export type Unit = keyof typeof UNITS;

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
  /** Unit of the figures. */
  readonly unit: Unit;
  /** Whether there are figures. */
  readonly status: Status;
  /** Middle and extremes of the samples. */
  readonly value?: Spread;
  /** One per round, in order; null where a round gave noise. */
  readonly samples: readonly (number | null)[];
  /** Why there are none, or what to know about them. */
  readonly note?: string;
}

/** How much to measure. */
export interface Effort {
  /** Interleaved rounds over all emulators. */
  readonly samples: number;
  /** CPU seconds of a long run. */
  readonly seconds: number;
}

/** Told what is going on. */
export type Progress = (text: string) => void;

/** A row from samples; those that are not positive are noise. */
export function measured(
  row: Omit<Measurement, 'status' | 'value' | 'samples'>,
  figures: readonly number[],
): Measurement {
  const samples = figures.map((figure) => (Number.isFinite(figure) && figure > 0 ? figure : null));
  const usable = samples.filter((sample) => sample !== null);
  if (usable.length === 0)
    return { ...row, status: 'noise', samples: [], note: 'the runs were too short to tell' };
  const lost = samples.length - usable.length;
  const notes = [row.note, lost > 0 ? `${lost} of ${samples.length} samples were noise` : undefined];
  const note = notes.filter((text) => text !== undefined).join('; ');
  return { ...row, status: 'measured', value: spread(usable), samples, ...(note !== '' && { note }) };
}
