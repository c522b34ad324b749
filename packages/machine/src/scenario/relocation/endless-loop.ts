/**
 * Proof that a machine hangs. Each processor that can run is stepped until its registers are what they were before,
 * while nobody stores, no device or clock is touched and no alarm is armed. Then nothing that any of them reads can
 * ever change: it goes on for ever.
 */
import type { Processor } from '@smm/cpu-core';
import type { WatchedAccesses } from '../../accel/translation-watch.ts';
import type { Machine } from '../../machine.ts';
import type { LoopProof } from './outcome.ts';

/** Longest loop that is looked for, in instructions. */
const LONGEST_LOOP = 4096;

/**
 * Tries to prove that the machine hangs; undefined when it does not, or not provably. Runs the guest on by some
 * instructions.
 */
export function proveEndlessLoop(machine: Machine): LoopProof | undefined {
  return proveInPieces(machine).next().value ?? undefined;
}

/**
 * As {@link proveEndlessLoop}, and yields between two processors whenever `interrupt` says so: many processors take
 * long. Whoever gives up calls the generator's `return`.
 */
export function* proveInPieces(
  machine: Machine,
  interrupt: () => boolean = () => false,
): Generator<void, LoopProof | undefined> {
  if (machine.clock.nextExpiry() !== Number.POSITIVE_INFINITY) return undefined;
  const runnable = machine.runnable();
  if (runnable.length === 0) return undefined;
  const accesses = machine.deviceAccesses;
  machine.watchStores();
  const periods = new Map<number, number>();
  let seen: WatchedAccesses;
  try {
    for (const id of runnable) {
      if (interrupt()) yield;
      const loop = findLoop(machine, machine.processors[id]!);
      if (loop !== undefined) periods.set(id, loop.period);
    }
  } finally {
    seen = machine.watched();
  }
  const { stores, reads } = seen;
  const quiet = stores === 0 && machine.deviceAccesses === accesses;
  const still = machine.runnable();
  if (!quiet || still.length === 0 || still.some((id) => !periods.has(id))) return undefined;
  const loops = still.map((id) => ({
    id,
    period: periods.get(id)!,
    reads: [...new Set(reads.get(id) ?? [])],
  }));
  const who = loops.map(({ id, period }) => `CPU ${id} repeats ${period} instructions`).join(', ');
  return {
    loops,
    sentence: `${who}; no processor stores, no device or clock is read, and no alarm or interrupt is pending, so this never ends`,
  };
}

/** A loop that a processor was seen to go round once. */
export interface Loop {
  /** Instructions in one turn. */
  readonly period: number;
  /** RIPs of its instructions. */
  readonly rips: ReadonlySet<number>;
}

/**
 * Steps a processor until its state is what it was; undefined when they are not within a few thousand instructions, or
 * when `giveUp` says so.
 */
export function findLoop(
  machine: Machine,
  processor: Processor,
  giveUp: () => boolean = () => false,
): Loop | undefined {
  const { state } = processor;
  const start = processor.repeatingState();
  const { rip, rflags, activity } = state;
  const about = state.ripNumber;
  const rips = new Set<number>();
  for (let n = 1; n <= LONGEST_LOOP; n++) {
    rips.add(state.ripNumber);
    machine.step(processor.index);
    if (giveUp()) return undefined;
    if (state.ripNumber !== about || state.rip !== rip) continue;
    if (state.activity !== activity || state.rflags !== rflags) continue;
    if (processor.repeatingState().every((byte, i) => byte === start[i])) return { period: n, rips };
  }
  return undefined;
}
