/** Runs kernels on emulators: two lengths each, so that start-up cancels out, and every result checked. */
import type { Kernel, Reference } from './kernels/kernel.ts';
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
  /** CPU seconds of the short run without its rounds: what it takes to start. */
  readonly startup: number;
}

/** A run that printed something else than the reference. */
class WrongResult extends Error {}

/** What a kernel must print. */
export function expectedOutput(kernel: Pick<Kernel, 'bits'>, { result }: Pick<Reference, 'result'>): string {
  return `R=${result.toString(16).padStart(kernel.bits / 4, '0')}`;
}

/** References that have been computed, by kernel and rounds. */
type References = Map<string, Reference>;

/** CPU time of one run, after its result has been checked. */
async function runChecked(
  peer: Peer,
  kernel: Kernel,
  rounds: number,
  known: References,
): Promise<{ readonly seconds: number; readonly instructions: number }> {
  const key = `${kernel.name} ${rounds}`;
  const reference = known.get(key) ?? kernel.reference(rounds);
  known.set(key, reference);
  const run = await peer.run(buildRom(kernel, rounds), kernel.processors ?? 1);
  const expected = expectedOutput(kernel, reference);
  if (run.output !== expected) {
    throw new WrongResult(
      `${peer.name} printed '${run.output.slice(0, 80)}' for ${rounds} rounds of ${kernel.name}, not '${expected}' (${run.note})`,
    );
  }
  return { seconds: run.seconds, instructions: reference.instructions };
}

/** Rounds of a short and of a long run. */
export type Lengths = readonly [short: number, long: number];

/** The long run is this many times the short one: long enough for the short one to end with everything compiled. */
const LONG_TO_SHORT = 8;
/** From one trial to the next when looking for the length of a run. */
const GROWTH = 8;
/** A trial tells the speed once it takes this part of the wanted time longer than the one before. */
const TELLING = 1 / 6;

/**
 * Finds rounds for runs of about `seconds` CPU seconds: emulators differ by a factor of a thousand, so nothing is
 * assumed. The trials also warm up what the host compiles of our own machine.
 */
export async function findLengths(
  cost: (rounds: number) => Promise<number>,
  seconds: number,
  maximum = Number.MAX_SAFE_INTEGER,
): Promise<Lengths> {
  let rounds = 1;
  let before = await cost(rounds);
  for (;;) {
    const next = Math.min(rounds * GROWTH, maximum);
    const now = await cost(next);
    if (now - before > seconds * TELLING || next >= maximum) {
      const perRound = Math.max(now - before, 1e-9) / Math.max(1, next - rounds);
      return confirmed(cost, Math.round(seconds / perRound), seconds, maximum);
    }
    [rounds, before] = [next, now];
  }
}

/** Half of the wanted time is long enough. */
const LONG_ENOUGH = 1 / 2;
const CORRECTIONS = 3;

/** Lengths for a long run; lengthened if the trials were slow only because the host was still compiling. */
async function confirmed(
  cost: (rounds: number) => Promise<number>,
  guess: number,
  seconds: number,
  maximum: number,
): Promise<Lengths> {
  let long = Math.max(2, Math.min(maximum, guess));
  const short = (): number => Math.max(1, Math.floor(long / LONG_TO_SHORT));
  for (let correction = 0; correction < CORRECTIONS && long < maximum; correction++) {
    const taken = (await cost(long)) - (await cost(short()));
    if (taken >= seconds * LONG_ENOUGH) break;
    long = Math.min(maximum, Math.ceil(long * Math.min(GROWTH, seconds / Math.max(taken, 1e-9))));
  }
  return [short(), long];
}

/** Cost of a kernel's rounds on an emulator, start-up removed. */
async function runPair(peer: Peer, kernel: Kernel, [short, long]: Lengths, known: References): Promise<Cost> {
  const a = await runChecked(peer, kernel, short, known);
  const b = await runChecked(peer, kernel, long, known);
  const seconds = b.seconds - a.seconds;
  const rounds = long - short;
  return {
    seconds,
    instructions: b.instructions - a.instructions,
    rounds,
    startup: a.seconds - (seconds * short) / rounds,
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

/** Whether an emulator has what a kernel needs, but for the width of its code. */
function hasNeeds(peer: Peer, { needs = [] }: Kernel): boolean {
  return needs.every((need) => peer.offers.includes(need));
}

interface Run extends KernelRuns {
  readonly costs: Cost[];
  lengths?: Lengths;
  failure?: Pick<Measurement, 'status' | 'note'>;
}

/**
 * Runs every kernel on every emulator that can, `samples` times. Within a round all emulators run a kernel one after
 * the other, so that a disturbance of the host hits all alike.
 */
export async function runKernels(
  kernels: readonly Kernel[],
  peers: readonly Peer[],
  { samples, seconds }: Effort,
  progress: Progress,
): Promise<KernelRuns[]> {
  const versions = new Map<Peer, string | undefined>();
  for (const peer of peers) versions.set(peer, await peer.version());
  const runs = kernels.flatMap((kernel) =>
    peers
      .filter((peer) => hasNeeds(peer, kernel))
      .map((peer): Run => {
        const version = versions.get(peer);
        const note = peer.bits.includes(kernel.bits)
          ? version === undefined && 'not installed'
          : `runs ${peer.bits.join(' and ')}-bit code only`;
        return { peer, kernel, version, costs: [], ...(note && { failure: { status: 'missing', note } }) };
      }),
  );
  const known: References = new Map();
  for (let sample = 0; sample <= samples; sample++) {
    for (const run of runs) {
      const { peer, kernel } = run;
      if (run.failure !== undefined) continue;
      progress(`${sample === 0 ? 'trial' : `round ${sample} of ${samples}`}: ${kernel.name} on ${peer.name}`);
      try {
        if (run.lengths === undefined) {
          const cost = async (rounds: number): Promise<number> =>
            (await runChecked(peer, kernel, rounds, known)).seconds;
          run.lengths = await findLengths(cost, seconds, kernel.maximumRounds);
        } else run.costs.push(await runPair(peer, kernel, run.lengths, known));
      } catch (error) {
        const status = error instanceof WrongResult ? 'wrong-result' : 'failed';
        run.failure = { status, note: error instanceof Error ? error.message : String(error) };
      }
    }
  }
  return runs;
}
