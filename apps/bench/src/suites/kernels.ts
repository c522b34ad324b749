/** The suites that run kernels on every emulator: hot loops, system code, cold code, events. */
import { COLD_KERNELS, EVENT_KERNELS, HOT_KERNELS, SYSTEM_KERNELS } from '../kernels/all.ts';
import { EXITS_PER_ROUND, exit32 } from '../kernels/exit.ts';
import { IPIS_PER_ROUND, pairIpi } from '../kernels/ipi.ts';
import type { Kernel } from '../kernels/kernel.ts';
import { SMIS_PER_ROUND, smi32 } from '../kernels/smi.ts';
import { type Effort, type Measurement, measured, type Progress, type Unit } from '../measurement.ts';
import type { Peer } from '../peers/peer.ts';
import { type Cost, type KernelRuns, runKernels } from '../run-kernel.ts';

/** A suite that is a set of kernels and a unit. */
interface KernelSuite {
  /** Name on the command line. */
  readonly name: 'hot' | 'system' | 'cold' | 'events';
  /** Kernels. */
  readonly kernels: readonly Kernel[];
  /** Unit of a kernel's figures. */
  readonly unit: (kernel: Kernel) => Unit;
  /** A sample from the cost of the rounds. */
  readonly figure: (cost: Cost, kernel: Kernel) => number;
}

const mips = ({ seconds, instructions }: Cost): number => instructions / seconds / 1e6;

/** What the kernels of events count, and how many there are in a round. */
const EVENTS: ReadonlyMap<Kernel, { readonly unit: Unit; readonly perRound: number }> = new Map([
  [smi32, { unit: 'us/SMI', perRound: SMIS_PER_ROUND }],
  [pairIpi, { unit: 'us/IPI', perRound: IPIS_PER_ROUND }],
  [exit32, { unit: 'us/exit', perRound: EXITS_PER_ROUND }],
]);

/** The suites. */
export const KERNEL_SUITES: readonly KernelSuite[] = [
  { name: 'hot', kernels: HOT_KERNELS, unit: () => 'MIPS', figure: mips },
  { name: 'system', kernels: SYSTEM_KERNELS, unit: () => 'MIPS', figure: mips },
  {
    name: 'cold',
    kernels: COLD_KERNELS,
    unit: () => 'ns/insn',
    figure: ({ seconds, instructions }) => (seconds * 1e9) / instructions,
  },
  {
    name: 'events',
    kernels: EVENT_KERNELS,
    unit: (kernel) => EVENTS.get(kernel)!.unit,
    figure: ({ seconds, rounds }, kernel) => (seconds * 1e6) / (rounds * EVENTS.get(kernel)!.perRound),
  },
];

/** Runs the kernels of such a suite that are wanted; adds rows of start-up times. */
export async function runKernelSuite(
  suite: KernelSuite,
  kernels: readonly Kernel[],
  peers: readonly Peer[],
  effort: Effort,
  progress: Progress,
): Promise<Measurement[]> {
  const wanted = suite.kernels.filter((kernel) => kernels.includes(kernel));
  const runs = await runKernels(wanted, peers, effort, progress);
  const rows = runs.map(({ peer, kernel, version, costs, failure }) => {
    const row = {
      suite: suite.name,
      name: kernel.name,
      peer: peer.name,
      unit: suite.unit(kernel),
      ...(version !== undefined && { version }),
    };
    return failure === undefined
      ? measured(
          row,
          costs.map((cost) => suite.figure(cost, kernel)),
        )
      : { ...row, ...failure, samples: [] };
  });
  return suite.name === 'hot' ? [...rows, ...startUps(runs)] : rows;
}

/** What is subtracted everywhere: making the machine or starting the process, boot code, translating the loop. */
function startUps(runs: readonly KernelRuns[]): Measurement[] {
  const peers = [...new Set(runs.map(({ peer }) => peer))];
  return peers.flatMap((peer) => {
    const mine = runs.filter((run) => run.peer === peer && run.costs.length > 0);
    if (mine.length === 0) return [];
    const { version } = mine[0]!;
    const row = {
      suite: 'startup',
      name: 'to the first round',
      peer: peer.name,
      unit: 'ms',
      ...(version !== undefined && { version }),
    } as const;
    return [
      measured(
        row,
        mine.flatMap(({ costs }) => costs.map(({ startup }) => startup * 1e3)),
      ),
    ];
  });
}
