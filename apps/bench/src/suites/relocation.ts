/** SMBASE relocations per second as processors grow: from power-on to the first normal SMI of all of them. */
import { prepareRelocation, runRelocation } from '@smm/machine';
import { cpuSeconds } from '../cpu-time.ts';
import { type Effort, type Measurement, measured, type Progress } from '../measurement.ts';
import { growthExponent } from '../statistics.ts';

/** Numbers of processors. */
const PROCESSORS: readonly number[] = [1, 2, 4, 8, 16, 64, 255];
/** From here on the part that does not depend on the processors no longer hides the growth. */
const GROWTH_FROM = 8;

/** How the cost grows. */
export interface Growth {
  /** Accelerator of the model. */
  readonly accelerator: 'tcg' | 'kvm';
  /** What grows. */
  readonly of: 'instructions' | 'CPU time';
  /** Slope of its logarithm over that of the number of processors, from 8 processors on: 1 is linear. */
  readonly exponent: number;
}

/** Rows and growth. */
export interface RelocationResults {
  /** Rows in milliseconds per run, and in processors relocated per second. */
  readonly measurements: Measurement[];
  /** Growth by accelerator. */
  readonly growth: Growth[];
}

interface Subject {
  readonly accelerator: 'tcg' | 'kvm';
  readonly cpus: number;
  readonly seconds: number[];
  instructions: number;
  failure: string | undefined;
}

function relocateOnce(subject: Subject): number {
  const { accelerator, cpus } = subject;
  const relocation = prepareRelocation({ accelerator, cpus, memoryMiB: 512, bitness: 64, edk2: '2015' });
  const before = cpuSeconds();
  const report = runRelocation(relocation);
  const seconds = cpuSeconds() - before;
  if (report.outcome !== 'relocated') subject.failure = `${report.outcome}: ${report.summary}`;
  subject.instructions = report.instructions;
  return seconds;
}

/** Measures relocations with both accelerators. `limit` leaves out larger machines. */
export function runRelocations({ samples }: Effort, progress: Progress, limit = 255): RelocationResults {
  const subjects = (['tcg', 'kvm'] as const).flatMap((accelerator) =>
    PROCESSORS.filter((cpus) => cpus <= limit).map(
      (cpus): Subject => ({ accelerator, cpus, seconds: [], instructions: 0, failure: undefined }),
    ),
  );
  for (let sample = 0; sample <= samples; sample++) {
    for (const subject of subjects) {
      if (subject.failure !== undefined || (sample === 0 && subject.cpus > 64)) continue;
      progress(
        `round ${sample} of ${samples}: ${subject.cpus} processors relocate under ${subject.accelerator}`,
      );
      try {
        const seconds = relocateOnce(subject);
        if (sample > 0) subject.seconds.push(seconds);
      } catch (error) {
        subject.failure = error instanceof Error ? error.message : String(error);
      }
    }
  }
  return { measurements: subjects.flatMap(rows), growth: growthOf(subjects) };
}

function rows({ accelerator, cpus, seconds, instructions, failure }: Subject): Measurement[] {
  const peer = accelerator === 'tcg' ? 'smm-tier1' : 'smm-tier1-kvm';
  const row = { suite: 'relocation', name: `${cpus} VCPUs`, peer };
  if (failure !== undefined) return [{ ...row, unit: 'ms', status: 'failed', note: failure, samples: [] }];
  const note = `${instructions} instructions`;
  return [
    measured(
      { ...row, unit: 'ms', note },
      seconds.map((s) => s * 1e3),
    ),
    measured(
      { ...row, unit: 'VCPUs/s' },
      seconds.map((s) => cpus / s),
    ),
  ];
}

function growthOf(subjects: readonly Subject[]): Growth[] {
  return (['tcg', 'kvm'] as const).flatMap((accelerator) => {
    const large = subjects.filter(
      (s) => s.accelerator === accelerator && s.cpus >= GROWTH_FROM && s.seconds.length > 0,
    );
    if (large.length < 2) return [];
    return [
      {
        accelerator,
        of: 'instructions',
        exponent: growthExponent(large.map((s) => ({ x: s.cpus, y: s.instructions }))),
      },
      {
        accelerator,
        of: 'CPU time',
        exponent: growthExponent(large.map((s) => ({ x: s.cpus, y: Math.min(...s.seconds) }))),
      },
    ];
  });
}
