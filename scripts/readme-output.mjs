// Runs the commands whose output the README shows (`<!-- output of: command -->` before a fence) and says whether it is what they print;
// with --write, puts it there.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const file = join(root, 'README.md');
const text = readFileSync(file, 'utf8');
const write = process.argv.includes('--write');

/** What a command of the README prints on standard output. */
function printed(command) {
  const [program, ...args] = command.split(' ');
  const [executable, full] =
    program === 'npm' ? ['npm', [...args, '--silent']] : [process.execPath, ['apps/cli/bin/smm.js', ...args]];
  const { stdout, status } = spawnSync(executable, full, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`${command}: exit code ${status}`);
  return `${stdout.trimEnd()}\n`;
}

let stale = 0;
const fresh = text.replace(
  /(<!-- output of: (.+?) -->\n```\w*\n)([\s\S]*?)(```)/g,
  (_all, head, command, shown, tail) => {
    const now = printed(command);
    if (now !== shown) {
      stale++;
      console.log(`README.md does not show what '${command}' prints, which is:\n${now}`);
    } else {
      console.log(`README.md shows what '${command}' prints:\n${now}`);
    }
    return head + now + tail;
  },
);
if (write) writeFileSync(file, fresh);
else if (stale > 0) {
  console.error("Run 'node scripts/readme-output.mjs --write' and look at the difference.");
  process.exit(1);
}
