import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the build made, for processes of their own. */
const BUILT = fileURLToPath(new URL('../dist/index.js', import.meta.url));

/** The long form of the tests. */
export const FULL = process.env['SMM_FULL'] === '1';

/** A folder of this test run's own. */
export function scratch(): string {
  return mkdtempSync(join(tmpdir(), 'smm-files-'));
}

/**
 * Runs code as a process of its own, with this package's exports as `files` and `path` as given; perhaps as another
 * user.
 */
export function start(code: string, path: string, user: { uid?: number; gid?: number } = {}): ChildProcess {
  if (!existsSync(BUILT)) throw new Error('apps/files is not built: run npm run build first');
  const script = `import * as files from ${JSON.stringify(BUILT)};\nconst path = process.argv[1];\n${code}`;
  return spawn(process.execPath, ['--input-type=module', '-e', script, path], {
    ...user,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Waits for the first line that a process prints, and its end if there is none. */
export function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    child.stdout?.on('data', (data: Buffer) => {
      text += data.toString();
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    child.on('exit', () => resolve(text));
  });
}

/** Waits for the end of a process. */
export function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.on('exit', () => resolve());
  });
}

/** A file system of this many KiB in memory; undefined where this process may not mount one. */
export function smallDisk(kib: number): { readonly path: string; readonly unmount: () => void } | undefined {
  const path = scratch();
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${kib}k`, 'tmpfs', path]);
  if (status !== 0) return undefined;
  return { path, unmount: () => void spawnSync('umount', ['-l', path]) };
}
