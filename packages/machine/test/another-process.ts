/** Snapshots go to files, and another process goes on with them: the parent's side of `snapshots-child.ts`. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ChildJob } from './snapshots-child.ts';

/** What the other process gets, with the bytes that `encodeSnapshot` gave in place of a file. */
export type Errand = Omit<ChildJob, 'snapshot'> & { readonly snapshot: Uint8Array };

/** Hashes of the ends that another process comes to. */
export function endsElsewhere(errands: readonly Errand[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'smm-snapshots-'));
  try {
    const jobs = errands.map((errand, index): ChildJob => {
      const snapshot = join(folder, `${index}.snapshot`);
      writeFileSync(snapshot, errand.snapshot);
      return { ...errand, snapshot };
    });
    const list = join(folder, 'jobs.json');
    writeFileSync(list, JSON.stringify(jobs));
    return JSON.parse(execFileSync(process.execPath, [bundle(folder), list], { encoding: 'utf8' }));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The child as one file of plain JavaScript. */
function bundle(folder: string): string {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const outfile = join(folder, 'child.mjs');
  execFileSync(join(root, 'node_modules', '.bin', 'esbuild'), [
    fileURLToPath(new URL('snapshots-child.ts', import.meta.url)),
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--conditions=@smm/source',
    '--log-level=error',
    `--outfile=${outfile}`,
  ]);
  return outfile;
}
