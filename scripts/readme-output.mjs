// Says whether documents show what commands print. `<!-- output of: command -->` before a fence: all of it;
// with --write, puts it there. `<!-- excerpt of: command -->`: each line in this order, but for those that begin with
// `$` or are `...`.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const DOCUMENTS = ['README.md', 'docs/boot.md'];
const FENCE = /(<!-- (output|excerpt) of: (.+?) -->\n```\w*\n)([\s\S]*?)(```)/g;
/** Packages that a command needs, by what it says, and a file of each. */
const NEEDS = [
  ['--firmware ia32', 'ovmf-ia32', '/usr/share/OVMF/OVMF32_CODE_4M.secboot.fd'],
  ['--firmware x64', 'ovmf', '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd'],
];

const root = resolve(import.meta.dirname, '..');
const write = process.argv.includes('--write');
const known = new Map();

/** What a command prints on standard output; run once. */
function printed(command) {
  if (known.has(command)) return known.get(command);
  const [program, ...args] = command.split(' ');
  const [executable, full] =
    program === 'npm' ? ['npm', [...args, '--silent']] : [process.execPath, ['apps/cli/bin/smm.js', ...args]];
  const { stdout, status } = spawnSync(executable, full, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${command}: exit code ${status}`);
  const text = `${stdout.trimEnd()}\n`;
  known.set(command, text);
  return text;
}

/** The first line shown that the output does not have behind the ones before it; undefined if it has all. */
function missing(shown, output) {
  const lines = output.split('\n');
  let at = 0;
  for (const line of shown.trimEnd().split('\n')) {
    if (line.startsWith('$') || line === '...') continue;
    const found = lines.indexOf(line, at);
    if (found < 0) return line;
    at = found + 1;
  }
  return undefined;
}

let stale = 0;
for (const name of DOCUMENTS) {
  const file = join(root, name);
  const text = readFileSync(file, 'utf8');
  const fresh = text.replace(FENCE, (all, head, kind, command, shown, tail) => {
    const lacking = NEEDS.find(([word, , path]) => command.includes(word) && !existsSync(path));
    if (lacking !== undefined) {
      console.log(`${name}: '${command}' is skipped: needs the package ${lacking[1]}`);
      return all;
    }
    const now = printed(command);
    const wrong = kind === 'output' ? (now === shown ? undefined : 'that') : missing(shown, now);
    if (wrong === undefined) {
      console.log(`${name} shows what '${command}' prints:\n${now}`);
      return all;
    }
    stale++;
    console.log(`${name} shows '${wrong}', which '${command}' does not print; it prints:\n${now}`);
    return kind === 'output' ? head + now + tail : all;
  });
  if (write) writeFileSync(file, fresh);
}
if (stale > 0 && !write) {
  console.error(
    "Run 'node scripts/readme-output.mjs --write' and look at the difference; excerpts are changed by hand.",
  );
  process.exit(1);
}
