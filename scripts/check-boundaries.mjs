// Enforces the floors of docs/ARCHITECTURE.md: no sibling or upward import, no deep import, no run-time cycle inside a
// package, dependencies in package.json equal to imports, and nothing of the host (time, randomness, node:) in a model
// package.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const FLOOR = {
  'x86-defs': 0,
  asm: 0.5,
  bus: 1,
  trace: 1,
  block: 1,
  'edk2-relocation': 1,
  'cpu-core': 2,
  'mmu-ept': 2,
  xapic: 2,
  smram: 2,
  'chipset-q35': 2,
  machine: 3,
  files: 3.5,
  cli: 4,
  bench: 4,
};
const problems = [];
const files = (dir) =>
  readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? files(path) : path.endsWith('.ts') ? [path] : [];
  });
const IMPORT = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm;
const BANNED = [
  /\bDate\.now\(/,
  /\bnew Date\(/,
  /\bperformance\./,
  /\bMath\.random\(/,
  /from 'node:/,
  /await fetch\(/,
  /globalThis\./,
];

const root = resolve(import.meta.dirname, '..');
const units = [
  ...readdirSync(join(root, 'packages')).map((name) => ({
    name,
    dir: join(root, 'packages', name),
    model: true,
  })),
  ...readdirSync(join(root, 'apps')).map((name) => ({ name, dir: join(root, 'apps', name), model: false })),
];
for (const { name, dir, model } of units) {
  const floor = FLOOR[name];
  if (floor === undefined)
    problems.push(`${name} has no floor: add it to scripts/check-boundaries.mjs and docs/ARCHITECTURE.md`);
  const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8'));
  const declared = new Set(Object.keys(manifest.dependencies ?? {}).filter((dep) => dep.startsWith('@smm/')));
  if (model) {
    for (const dep of Object.keys(manifest.dependencies ?? {})) {
      if (!dep.startsWith('@smm/'))
        problems.push(`${name}: run-time dependency ${dep}; model packages depend on @smm/* only`);
    }
  }
  const used = new Set();
  const graph = new Map();
  for (const file of files(join(dir, 'src'))) {
    const text = readFileSync(file, 'utf8');
    const where = relative(root, file);
    if (model) {
      for (const ban of BANNED) if (ban.test(text)) problems.push(`${where}: ${ban} has no place in a model`);
    }
    const edges = [];
    for (const [statement, typeOnly, specifier] of text.matchAll(IMPORT)) {
      if (specifier.startsWith('@smm/')) {
        const [, target, ...rest] = specifier.split('/');
        used.add(`@smm/${target}`);
        if (rest.length > 0) problems.push(`${where}: deep import ${specifier}`);
        if (FLOOR[target] === undefined) problems.push(`${where}: unknown package ${specifier}`);
        if (FLOOR[target] >= floor)
          problems.push(`${where}: ${name} (floor ${floor}) imports ${target} (floor ${FLOOR[target]})`);
      } else if (specifier.startsWith('.')) {
        const target = resolve(dirname(file), specifier);
        if (!existsSync(target)) problems.push(`${where}: ${specifier} does not exist`);
        if (target.endsWith('/src/index.ts')) problems.push(`${where}: imports its own package's index`);
        if (!typeOnly && !/^\s*(import|export)\s*\{\s*(type\s[^,}]+,?\s*)+\}/.test(statement))
          edges.push(target);
      }
    }
    graph.set(file, edges);
  }
  for (const dep of used)
    if (!declared.has(dep)) problems.push(`${name}: imports ${dep} without declaring it`);
  for (const dep of declared)
    if (!used.has(dep)) problems.push(`${name}: declares ${dep} without importing it`);
  for (const cycle of findCycles(graph))
    problems.push(`${name}: run-time cycle ${cycle.map((f) => relative(dir, f)).join(' -> ')}`);
}

function findCycles(graph) {
  const cycles = [];
  const state = new Map();
  const visit = (node, path) => {
    if (state.get(node) === 2) return;
    if (state.get(node) === 1) {
      cycles.push([...path.slice(path.indexOf(node)), node]);
      return;
    }
    state.set(node, 1);
    for (const next of graph.get(node) ?? []) visit(next, [...path, node]);
    state.set(node, 2);
  };
  for (const node of graph.keys()) visit(node, []);
  return cycles;
}

if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}
console.log(`boundaries: ${units.length} packages and apps, no violation`);
