/** CPU time and memory of running processes, as Linux tells it in /proc. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Clock ticks of /proc per second: USER_HZ, 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;

interface Usage {
  readonly parent: number;
  /** Own user and system time of all threads, and that of children that were waited for; seconds. */
  readonly seconds: number;
}

/** /proc tells what is needed here. */
export function hasProc(): boolean {
  return existsSync('/proc/self/stat');
}

function usageOf(pid: number): Usage | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name may hold anything; from the 3rd field on
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    return { parent: Number(fields[1]), seconds: ticks / TICKS_PER_SECOND };
  } catch {
    return undefined; // it has ended
  }
}

/** User and system time so far of a process and of its descendants, seconds in steps of 10 ms. */
export function treeSeconds(root: number): number {
  const usages = new Map<number, Usage>();
  for (const name of readdirSync('/proc')) {
    const usage = /^\d+$/.test(name) ? usageOf(Number(name)) : undefined;
    if (usage !== undefined) usages.set(Number(name), usage);
  }
  const belongs = (pid: number): boolean => {
    for (let at: number | undefined = pid; at !== undefined; at = usages.get(at)?.parent)
      if (at === root) return true;
    return false;
  };
  return [...usages].reduce((sum, [pid, { seconds }]) => (belongs(pid) ? sum + seconds : sum), 0);
}

/** Largest resident memory so far of one process, bytes; undefined if it has ended. */
export function peakMemory(pid: number | 'self'): number | undefined {
  try {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return kib === undefined ? undefined : Number(kib) * 1024;
  } catch {
    return undefined;
  }
}
