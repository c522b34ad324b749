/** Finds out whether a program is there and which version it is. */
import { spawnSync } from 'node:child_process';

/** First match of `pattern` in what a command prints; undefined if it cannot be run. */
export function firstLine(command: readonly string[], pattern: RegExp): Promise<string | undefined> {
  const result = spawnSync(command[0]!, command.slice(1), { encoding: 'latin1', timeout: 10_000 });
  if (result.error !== undefined) return Promise.resolve(undefined);
  return Promise.resolve(pattern.exec(`${result.stdout}${result.stderr}`)?.[1]);
}
