/** Page walks inside a machine: what a TLB miss costs over a hit, tables walked and TLB filled. */
import { WALK_PAGES, walkKernels } from '../kernels/walk.ts';
import { type Effort, type Measurement, measured, type Progress } from '../measurement.ts';
import type { Peer } from '../peers/peer.ts';
import { runKernels } from '../run-kernel.ts';

/** Those whose page walks are of interest: each accelerator of ours, and the other emulators of whole machines. */
const WALKING = /^(smm-tier[01](-kvm|-shadow)?|qemu-tcg|bochs)$/;

/** QEMU grows its TLB until it holds the pages, so its figure is not a walk's. */
const NOTES: Readonly<Record<string, string>> = {
  'qemu-tcg': 'its TLB grows until the pages fit: not a walk',
};

/** Measures misses and hits, and subtracts. */
export async function runWalks(
  peers: readonly Peer[],
  effort: Effort,
  progress: Progress,
): Promise<Measurement[]> {
  const walking = peers.filter(({ name }) => WALKING.test(name));
  const kernels = walkKernels.flatMap(({ miss, hit }) => [miss, hit]);
  const runs = await runKernels(kernels, walking, effort, progress);
  const find = (peer: string, kernel: string) =>
    runs.find((run) => run.peer.name === peer && run.kernel.name === kernel)!;
  return walking.flatMap((peer) =>
    walkKernels.map(({ bits, miss, hit }): Measurement => {
      const [misses, hits] = [find(peer.name, miss.name), find(peer.name, hit.name)];
      const { version } = misses;
      const row: Omit<Measurement, 'status' | 'samples'> = {
        suite: 'walks',
        name: bits === 32 ? '2 levels' : '4 levels',
        peer: peer.name,
        unit: 'ns/miss',
        ...(NOTES[peer.name] !== undefined && { note: NOTES[peer.name]! }),
        ...(version !== undefined && { version }),
      };
      const failure = misses.failure ?? hits.failure;
      if (failure !== undefined) return { ...row, ...failure, samples: [] };
      const samples = misses.costs.map((cost, i) => {
        const hitCost = hits.costs[i]!;
        const perRound = cost.seconds / cost.rounds - hitCost.seconds / hitCost.rounds;
        return (perRound * 1e9) / WALK_PAGES;
      });
      return measured(row, samples);
    }),
  );
}
