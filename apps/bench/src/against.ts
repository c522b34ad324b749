/**
 * Regression mode: this tree's machine and another commit's run the same ROMs in turn, and are compared pair by pair.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchOptions, SuiteName } from './bench.ts';
import { atEnd, killGroup } from './cleanup.ts';
import type { Measurement, Progress } from './measurement.ts';
import { ourName, ourPeer } from './peers/ours.ts';
import { AGAINST_SUFFIX } from './ratios.ts';
import { CHILD_SCRIPT } from './run-child.ts';
import { type BootPlan, ourBooter, runBoots } from './suites/boot.ts';
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
    await command(tree, 'npx', 'turbo', 'run', 'build', '--filter=@smm/bench...');
    // That tree's child with its own packages, whose API ours need not know. ROMs and firmware are files of this tree.
    const script = join(tree, relative(ROOT, CHILD_SCRIPT));
    if (!existsSync(script))
      throw new AgainstError(
        `--against ${revision}: that tree's bench has no ${relative(ROOT, CHILD_SCRIPT)}; take a later one`,
      );
    return await use(script, commit);
  } finally {
    remove();
    forget();
  }
}

/** Suites that can compare commits: what they run is a file, and what runs it a process. */
export const AGAINST_SUITES: readonly SuiteName[] = [...KERNEL_SUITES.map(({ name }) => name), 'boot'];

const TIERS = ['translator', 'interpreter'] as const;

/** Measures both trees: rows of this tree have the usual names, those of the other the suffix. */
export function runAgainst(
  revision: string,
  { only, kernels, peers, boots, effort, progress }: BenchOptions,
): Promise<Measurement[]> {
  return withWorkTree(revision, progress, async (script, commit) => {
    const version = `${revision} (${commit.slice(0, 10)})`;
    const wanted = TIERS.filter((tier) =>
      peers.some(({ name }) => name === ourName({ tier, accelerator: 'tcg' })),
    );
    const rows: Measurement[] = [];
    const both = wanted.flatMap((tier) => [
      ourPeer({ tier, accelerator: 'tcg' }, CHILD_SCRIPT),
      ourPeer({ tier, accelerator: 'tcg' }, script, AGAINST_SUFFIX, version),
    ]);
    try {
      for (const suite of KERNEL_SUITES) {
        if (only.includes(suite.name) && suite.kernels.some((kernel) => kernels.includes(kernel)))
          rows.push(...(await runKernelSuite(suite, kernels, both, effort, progress)));
      }
    } finally {
      for (const peer of both) await peer.close?.();
    }
    if (!only.includes('boot')) return rows;
    const booters = wanted.flatMap((tier) => [
      ourBooter(tier, 'tcg'),
      ourBooter(tier, 'tcg', script, AGAINST_SUFFIX, version),
    ]);
    const plan: BootPlan = { ...boots, cpus: [2], peers: booters.map(({ name }) => name) };
    return [...rows, ...(await runBoots(plan, effort, progress, booters))];
  });
}
