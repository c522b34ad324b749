/**
 * Notes what each test file costs, for `scripts/timings-reporter.mjs`: processor time of its process and of the
 * programs that it waited for.
 */
import { readFileSync } from 'node:fs';
import { afterAll } from 'vitest';

declare module 'vitest' {
  interface TaskMeta {
    /** Processor seconds of the file. */
    cpuSeconds?: number;
  }
}

/** Processor seconds so far of this process, and on Linux of its children that ended. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6 + children();
}

/** Fields `cutime` and `cstime` of /proc/self/stat, in ticks of 10 ms. */
function children(): number {
  if (process.platform !== 'linux') return 0;
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

const begin = processorSeconds();
// biome-ignore lint/correctness/noEmptyPattern: vitest wants a pattern
afterAll(({}, suite) => {
  suite.meta.cpuSeconds = processorSeconds() - begin;
});
