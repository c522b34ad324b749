/**
 * Regression mode: this tree's machine and another commit's run the same ROMs in turn, and are compared pair by pair.
 */
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd, killGroup } from './cleanup.ts';
import type { Kernel } from './kernels/kernel.ts';
import type { Effort, Measurement, Progress } from './measurement.ts';
import type { OurOptions } from './peers/our-machine.ts';
import { ourPeer } from './peers/ours.ts';
import { AGAINST_SUFFIX } from './ratios.ts';
import { CHILD_SCRIPT } from './run-child.ts';
import { KERNEL_SUITES, runKernelSuite } from './suites/kernels.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/** A step that did not work: its command and the end of what it said. */
export class AgainstError extends Error {}

/** Runs a command; its output is shown only if it fails. */
function command(cwd: string, ...argv: readonly string[]): Promise<string> {
  return new Promise((resolveText, reject) => {
    const child = spawn(argv[0]!, argv.slice(1), {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    const forget = atEnd(() => killGroup(child.pid));
    let stdout = '';
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      output += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      forget();
      if (code === 0) resolveText(stdout.trim());
      else reject(new AgainstError(`${argv.join(' ')} ended with code ${code}:\n${output.slice(-1500)}`));
    });
  });
}

/** A built work tree of another commit, for the time of `use`. It is removed however that ends. */
async function withWorkTree<T>(
  revision: string,
  progress: Progress,
  use: (script: string, commit: string) => Promise<T>,
): Promise<T> {
  const commit = await command(ROOT, 'git', 'rev-parse', '--verify', `${revision}^{commit}`).catch(() => {
    throw new AgainstError(`--against ${revision}: no such commit`);
  });
  const folder = mkdtempSync(join(tmpdir(), 'smm-bench-against-'));
  const tree = join(folder, 'tree');
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
    spawnSync('git', ['worktree', 'prune'], { cwd: ROOT, stdio: 'ignore' });
  };
  const forget = atEnd(remove);
  try {
    progress(`work tree of ${revision}`);
    await command(ROOT, 'git', 'worktree', 'add', '--detach', tree, commit);
    progress(`npm ci for ${revision}`);
    await command(tree, 'npm', 'ci', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts');
    progress(`build of ${revision}`);
    await command(tree, 'npx', 'turbo', 'run', 'build', '--filter=@smm/bench^...');
    // Our child's code with that tree's packages: both trees run the same ROMs, old ones that never had these kernels
    // too.
    const script = join(tree, 'apps', 'bench', 'against-child.mjs');
    copyFileSync(CHILD_SCRIPT, script);
    return await use(script, commit);
  } finally {
    remove();
    forget();
  }
}

/** Measures both trees: rows of this tree have the usual names, those of the other the suffix. */
export function runAgainst(
  revision: string,
  kernels: readonly Kernel[],
  effort: Effort,
  progress: Progress,
): Promise<Measurement[]> {
  return withWorkTree(revision, progress, async (script, commit) => {
    const engines = (['translator', 'interpreter'] as const).map(
      (tier): OurOptions => ({ tier, accelerator: 'tcg' }),
    );
    const peers = engines.flatMap((engine) => [
      ourPeer(engine, CHILD_SCRIPT),
      ourPeer(engine, script, AGAINST_SUFFIX, `${revision} (${commit.slice(0, 10)})`),
    ]);
    const rows: Measurement[] = [];
    try {
      for (const suite of KERNEL_SUITES) {
        if (suite.kernels.some((kernel) => kernels.includes(kernel)))
          rows.push(...(await runKernelSuite(suite, kernels, peers, effort, progress)));
      }
    } finally {
      for (const peer of peers) await peer.close?.();
    }
    return rows;
  });
}
