// Makes the mistakes of scripts/mutations.mjs one at a time, as the sources are loaded (no file changes), and runs the
// tests that must find them. With arguments: only those whose file holds one of these texts. Prints what each came to,
// and fails if a mistake was not found.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { MUTATIONS } from './mutations.mjs';

const wanted = process.argv.slice(2);
const jobs = MUTATIONS.map((mutation, index) => ({ mutation, index })).filter(
  ({ mutation: [file] }) => wanted.length === 0 || wanted.some((text) => file.includes(text)),
);
for (const { mutation } of jobs) {
  const [file, text] = mutation;
  const times = readFileSync(file, 'utf8').split(text).length - 1;
  if (times !== 1) throw new Error(`${file} holds ${times} times what a mutation changes: ${text}`);
}

/** 'found', 'SURVIVED', or what else happened. */
function run({ mutation: [, , , ...tests], index }) {
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--config',
    'scripts/vitest.mutate.config.ts',
    '--bail',
    '1',
  ];
  const child = spawn(process.execPath, [...args, '--maxWorkers', '1', '--reporter=json', ...tests], {
    env: { ...process.env, SMM_MUTATION: String(index) },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  return new Promise((resolve) => {
    child.on('close', () => {
      const report = out.indexOf('{"');
      if (report < 0) return resolve('vitest gave no report');
      const { numTotalTests, numFailedTests, numFailedTestSuites } = JSON.parse(out.slice(report));
      resolve(
        numFailedTests + numFailedTestSuites > 0 ? 'found' : numTotalTests > 0 ? 'SURVIVED' : 'no tests ran',
      );
    });
  });
}

const verdicts = [];
const queue = [...jobs];
async function worker() {
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) {
    const [file, text, instead] = job.mutation;
    const verdict = await run(job);
    verdicts.push(verdict);
    console.log(`${verdict.padEnd(8)}  ${file}: ${text}  ->  ${instead || 'nothing'}`);
  }
}
await Promise.all(Array.from({ length: availableParallelism() }, worker));
const found = verdicts.filter((verdict) => verdict === 'found').length;
console.log(`${found} of ${jobs.length} mistakes found`);
process.exit(found === jobs.length ? 0 : 1);
