/**
 * A process of its own that goes on where another left off: `node <bundle> JOBS`, a JSON file of {@link ChildJob}s.
 * Prints the hashes of the machines' ends as JSON.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  decodeSnapshot,
  encodeSnapshot,
  prepareRelocation,
  type RelocationOptions,
  RelocationParts,
} from '../src/index.ts';

/** A machine to go on with. */
export interface ChildJob {
  readonly options: RelocationOptions;
  /** File that `encodeSnapshot` wrote. */
  readonly snapshot: string;
  /** Instructions since power-on to run to. */
  readonly to: number;
}

const parts = new RelocationParts();
const jobs: ChildJob[] = JSON.parse(readFileSync(process.argv[2]!, 'utf8'));
const hashes = jobs.map(({ options, snapshot, to }) => {
  const { machine } = prepareRelocation({ ...options, parts });
  machine.restore(decodeSnapshot(readFileSync(snapshot)));
  machine.runTo(to);
  return createHash('sha256').update(encodeSnapshot(machine.save())).digest('hex');
});
console.log(JSON.stringify(hashes));
