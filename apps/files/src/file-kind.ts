/** Kinds of files that are not regular ones, in words. */
import type { Stats } from 'node:fs';

/** What kind of thing that is: `a folder`, `a device`; undefined for a regular file. */
export function unusualKind(stats: Stats): string | undefined {
  if (stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'a folder';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}
