/** Page walks inside a machine: what a TLB miss costs over a hit, tables walked and TLB filled. */
import { WALK_PAGES, walkKernels } from '../kernels/walk.ts';
import { type Effort, type Measurement, measured, type Progress } from '../measurement.ts';
import { bochs } from '../peers/bochs.ts';
import { ourPeer } from '../peers/ours.ts';
import { qemuTcg } from '../peers/qemu.ts';
import { runKernels } from '../run-kernel.ts';
import { smmWasm } from './kernels.ts';

const PEERS = [
  smmWasm,
  ourPeer('smm-wasm-ept', { tier: 'interpreter', accelerator: 'kvm' }),
  ourPeer('smm-wasm-shadow', { tier: 'interpreter', accelerator: 'shadow' }),
  bochs,
  qemuTcg,
];

/** QEMU grows its TLB until it holds the pages, so its figure is not a walk's. */
const NOTES: Readonly<Record<string, string>> = {
  'qemu-tcg': 'its TLB grows until the pages fit: not a walk',
};

/** Measures misses and hits, and subtracts. */
export async function runWalks(effort: Effort, progress: Progress): Promise<Measurement[]> {
  const kernels = walkKernels.flatMap(({ miss, hit }) => [miss, hit]);
  const runs = await runKernels(kernels, PEERS, effort, progress);
  const find = (peer: string, kernel: string) =>
    runs.find((run) => run.peer.name === peer && run.kernel.name === kernel)!;
  return PEERS.flatMap((peer) =>
    walkKernels.map(({ bits, miss, hit }): Measurement => {
      const [misses, hits] = [find(peer.name, miss.name), find(peer.name, hit.name)];
      const { version } = misses;
      const row = {
        suite: 'walks',
        name: bits === 32 ? '2 levels' : '4 levels',
        peer: peer.name,
        unit: 'ns/miss',
        ...(version !== undefined && { version }),
      };
      const failure = misses.failure ?? hits.failure;
      if (failure !== undefined) return { ...row, ...failure, samples: [] };
      const samples = misses.costs.map((cost, i) => {
        const hitCost = hits.costs[i]!;
        const perRound = cost.seconds / cost.rounds - hitCost.seconds / hitCost.rounds;
        return (perRound * 1e9) / WALK_PAGES;
      });
      const note = NOTES[peer.name];
      return { ...measured(row, samples), ...(note !== undefined && { note }) };
    }),
  );
}
