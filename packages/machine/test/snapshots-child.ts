/**
 * A process of its own that goes on where another left off: `node <bundle> JOBS`, a JSON file of {@link ChildJob}s.
 * Prints the hashes of the machines' ends as JSON.
 */
import { readFileSync } from 'node:fs';
import type { TierName } from '@smm/cpu-core';
import { decodeSnapshot } from '../src/index.ts';
import { hashOf, machineOf, type Recipe } from './recipes.ts';

/** A machine to go on with. */
export interface ChildJob {
  readonly recipe: Recipe;
  readonly tier: TierName;
  /** File that `encodeSnapshot` wrote. */
  readonly snapshot: string;
  /** Instructions since power-on to run to. */
  readonly to: number;
}

const jobs: ChildJob[] = JSON.parse(readFileSync(process.argv[2]!, 'utf8'));
const hashes = jobs.map(({ recipe, tier, snapshot, to }) => {
  const machine = machineOf(recipe, tier);
  machine.restore(decodeSnapshot(readFileSync(snapshot)));
  machine.runTo(to);
  return hashOf(machine);
});
console.log(JSON.stringify(hashes));
