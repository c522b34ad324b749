/** Whether two names are one file. */
import { type BigIntStats, statSync } from 'node:fs';

/** Both can be found and are the same file, by whatever links. */
export function sameFile(a: string, b: string): boolean {
  const [first, second] = [statsOf(a), statsOf(b)];
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}

function statsOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true });
  } catch {
    return undefined; // whoever opens it says why
  }
}
