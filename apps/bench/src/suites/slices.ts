/** What a turn of the scheduler costs: the same loop in short and in long slices. */
import type { TierName } from '@smm/cpu-core';
import { DEFAULT_SCHEDULE } from '@smm/machine';
import { cpuSeconds } from '../cpu-time.ts';
import { aluKernels } from '../kernels/alu.ts';
import { type Effort, type Measurement, measured, type Progress } from '../measurement.ts';
import { machineWith, runToEnd } from '../peers/our-machine.ts';
import { ourName } from '../peers/ours.ts';
import type { Peer } from '../peers/peer.ts';
import { buildRom } from '../rom.ts';

/** Instructions of a short slice. */
const SHORT = 100;
/** Rounds of the loop for a second of short slices, about. */
const ROUNDS = 1500;
const TIERS: readonly TierName[] = ['translator', 'interpreter'];

/** CPU seconds and instructions of a run. */
function run(tier: TierName, rounds: number, slice: number): readonly [seconds: number, retired: number] {
  const rom = buildRom(aluKernels[0]!, rounds);
  const schedule = { ...DEFAULT_SCHEDULE, slice };
  const machine = machineWith(rom, { tier, accelerator: 'tcg' }, 1, { schedule });
  const before = cpuSeconds();
  const { retired } = runToEnd(machine, () => false);
  return [cpuSeconds() - before, retired];
}

/** Measures our tiers, in this process. */
export function runSlices(
  peers: readonly Peer[],
  { samples, seconds }: Effort,
  progress: Progress,
): Measurement[] {
  const rounds = Math.max(10, Math.round(ROUNDS * seconds));
  const wanted = TIERS.map((tier) => ({ tier, name: ourName({ tier, accelerator: 'tcg' }) })).filter(
    ({ name }) => peers.some((peer) => peer.name === name),
  );
  const subjects = wanted.map((one) => ({ ...one, samples: [] as number[] }));
  for (let sample = 0; sample <= samples; sample++) {
    for (const { tier, name, samples: taken } of subjects) {
      progress(`round ${sample} of ${samples}: slices on ${name}`);
      const [short, retired] = run(tier, rounds, SHORT);
      const [long] = run(tier, rounds, DEFAULT_SCHEDULE.slice);
      const more = retired / SHORT - retired / DEFAULT_SCHEDULE.slice;
      if (sample > 0) taken.push(((short - long) * 1e6) / more);
    }
  }
  return subjects.map(({ name, samples: all }) =>
    measured(
      { suite: 'slices', name: `${SHORT} instructions`, peer: name, unit: 'us/slice', version: 'this tree' },
      all,
    ),
  );
}
