/** Runs kernels on emulators: two lengths each, so that start-up cancels out, and every result checked. */
import { type Kernel, type Reference, roundsFor } from './kernels/kernel.ts';
import type { Effort, Measurement, Progress } from './measurement.ts';
import type { Peer } from './peers/peer.ts';
import { buildRom } from './rom.ts';

/** What one pair of runs costs beyond start-up. */
export interface Cost {
  /** CPU seconds of the rounds. */
  readonly seconds: number;
  /** Instructions of the rounds, a REP counted as one. */
  readonly instructions: number;
  /** Rounds. */
  readonly rounds: number;
}

/** A run that printed something else than the reference. */
class WrongResult extends Error {}

/** What a kernel must print. */
export function expectedOutput(kernel: Kernel, { result }: Reference): string {
  return `R=${result.toString(16).padStart(kernel.bits / 4, '0')}`;
}

/** References that have been computed, by kernel and rounds. */
type References = Map<string, Reference>;

async function runChecked(peer: Peer, kernel: Kernel, rounds: number, known: References): Promise<Cost> {
  const key = `${kernel.name} ${rounds}`;
  const reference = known.get(key) ?? kernel.reference(rounds);
  known.set(key, reference);
  const run = await peer.run(buildRom(kernel, rounds));
  const expected = expectedOutput(kernel, reference);
  if (run.output !== expected) {
    throw new WrongResult(
      `${peer.name} printed '${run.output.slice(0, 80)}' for ${rounds} rounds of ${kernel.name}, not '${expected}' (${run.note})`,
    );
  }
  return { seconds: run.seconds, instructions: reference.instructions, rounds };
}

/** Cost of a kernel's rounds on an emulator, start-up removed. */
async function runPair(peer: Peer, kernel: Kernel, scale: number, known: References): Promise<Cost> {
  const [short, long] = roundsFor(kernel, peer.effort * scale);
  const a = await runChecked(peer, kernel, short, known);
  const b = await runChecked(peer, kernel, long, known);
  return {
    seconds: b.seconds - a.seconds,
    instructions: b.instructions - a.instructions,
    rounds: b.rounds - a.rounds,
  };
}

/** All samples of a kernel on an emulator, or why there are none. */
export interface KernelRuns {
  /** Emulator. */
  readonly peer: Peer;
  /** Kernel. */
  readonly kernel: Kernel;
  /** Its version, if it is there. */
  readonly version: string | undefined;
  /** One per round. */
  readonly costs: readonly Cost[];
  /** Set if nothing was measured. */
  readonly failure?: Pick<Measurement, 'status' | 'note'>;
}

/**
 * Runs every kernel on every emulator, `samples` times, interleaved so that a disturbance of the host hits all alike.
 * Before that each pair runs once unmeasured with a short run: code that the host compiles for our own machine is warm then.
 */
export async function runKernels(
  kernels: readonly Kernel[],
  peers: readonly Peer[],
  { samples, scale }: Effort,
  progress: Progress,
): Promise<KernelRuns[]> {
  const runs: (KernelRuns & { costs: Cost[]; failure?: Pick<Measurement, 'status' | 'note'> })[] = [];
  for (const peer of peers) {
    const version = await peer.version();
    for (const kernel of kernels) {
      if (!peer.bits.includes(kernel.bits)) continue;
      const missing = { failure: { status: 'missing', note: 'not installed' } } as const;
      runs.push({ peer, kernel, version, costs: [], ...(version === undefined && missing) });
    }
  }
  const known: References = new Map();
  for (let sample = 0; sample <= samples; sample++) {
    for (const run of runs) {
      if (run.failure !== undefined) continue;
      progress(
        `${sample === 0 ? 'warm-up' : `round ${sample} of ${samples}`}: ${run.kernel.name} on ${run.peer.name}`,
      );
      try {
        const cost = await runPair(run.peer, run.kernel, sample === 0 ? scale / 10 : scale, known);
        if (sample > 0) run.costs.push(cost);
      } catch (error) {
        const status = error instanceof WrongResult ? 'wrong-result' : 'failed';
        run.failure = { status, note: error instanceof Error ? error.message : String(error) };
      }
    }
  }
  return runs;
}
