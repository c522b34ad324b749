/** Files for emulators that read their ROM from one. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atEnd } from '../cleanup.ts';

/** Makes a directory with files for the time of `use`; the paths are given to it in the same order. */
export async function withFiles<T>(
  files: readonly { readonly name: string; readonly content: string | Uint8Array }[],
  use: (paths: string[], directory: string) => Promise<T>,
): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'smm-bench-'));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  const forget = atEnd(remove);
  try {
    const paths = files.map(({ name, content }) => {
      const path = join(directory, name);
      writeFileSync(path, content);
      return path;
    });
    return await use(paths, directory);
  } finally {
    remove();
    forget();
  }
}
