/** A foreign binary on every emulator. */
import { type ForeignOptions, foreignKernel } from '../foreign.ts';
import type { Kernel } from '../kernels/kernel.ts';
import { type Effort, type Measurement, measured, type Progress } from '../measurement.ts';
import { runOurs } from '../peers/ours.ts';
import type { Peer } from '../peers/peer.ts';
import { buildRom } from '../rom.ts';
import { runKernels } from '../run-kernel.ts';

/**
 * Result and length of a run on our tier 0. Its instructions are those beyond a run of no rounds at all: boot code is
 * common.
 */
function runOnce(kernel: Kernel, rounds: number): { result: bigint; instructions: number } {
  const { output, retired, note } = runOurs(buildRom(kernel, rounds), {
    tier: 'interpreter',
    accelerator: 'tcg',
  });
  const digits = /^R=([0-9a-f]+)$/.exec(output)?.[1];
  if (digits === undefined)
    throw new Error(`${kernel.name} did not return on our own machine: it printed '${output}' (${note})`);
  return { result: BigInt(`0x${digits}`), instructions: retired };
}

/**
 * Measures it. If nobody said what it must give, the result of our tier 0 is what the others are compared with.
 * Instructions are counted by our machine, every iteration of REP for itself: nobody else can tell.
 */
export async function runForeign(
  options: ForeignOptions,
  peers: readonly Peer[],
  effort: Effort,
  progress: Progress,
): Promise<Measurement[]> {
  const kernel: Kernel = foreignKernel(options, (rounds) => runOnce(kernel, rounds));
  const runs = await runKernels([kernel], peers, effort, progress);
  const note =
    options.expected === undefined
      ? 'compared with the result of our tier 0; REP iterations counted'
      : 'REP iterations counted';
  return runs.flatMap(({ peer, version, costs, failure }): Measurement[] => {
    const row = {
      suite: 'foreign',
      name: kernel.name,
      peer: peer.name,
      ...(version !== undefined && { version }),
    };
    if (failure !== undefined) return [{ ...row, unit: 'MIPS', ...failure, samples: [] }];
    return [
      measured(
        { ...row, unit: 'MIPS', note },
        costs.map(({ instructions, seconds }) => instructions / seconds / 1e6),
      ),
      measured(
        { ...row, unit: 'ms/round', note },
        costs.map(({ seconds, rounds }) => (seconds * 1e3) / rounds),
      ),
    ];
  });
}
