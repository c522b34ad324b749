// Packs every package and uses the tarballs alone: in an empty Node project, each README example must run from them.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const names = readdirSync(join(root, 'packages'));
const work = mkdtempSync(join(tmpdir(), 'smm-packed-'));
const run = (file, args, options = {}) => execFileSync(file, args, { cwd: work, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], ...options });
try {
  const tarballs = names.map((name) => {
    const [{ filename }] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', work], { cwd: join(root, 'packages', name) }));
    return `file:${join(work, filename)}`;
  });
  const dependencies = Object.fromEntries(names.map((name, i) => [`@smm/${name}`, tarballs[i]]));
  writeFileSync(join(work, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module', dependencies, overrides: dependencies }));
  run('npm', ['install', '--no-audit', '--no-fund', '--silent', '--offline']);
  for (const name of names) {
    const source = readFileSync(join(root, 'packages', name, 'examples', 'quick-start.ts'), 'utf8');
    const expected = [...source.matchAll(/\/\/ => (.*)$/gm)].map((match) => match[1]).join('\n');
    copyFileSync(join(root, 'packages', name, 'examples', 'quick-start.ts'), join(work, `${name}.ts`));
    run(join(root, 'node_modules', '.bin', 'esbuild'), [`${name}.ts`, '--format=esm', `--outfile=${name}.mjs`, '--log-level=error']);
    const printed = run(process.execPath, [`${name}.mjs`]).trimEnd();
    if (printed !== expected) throw new Error(`@smm/${name}: the packed example printed\n${printed}\ninstead of\n${expected}`);
    console.log(`@smm/${name}: packed, installed alone, example runs`);
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
