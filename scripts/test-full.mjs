// The full form of all tests (tests/support/form.ts). Random comparisons try other cases every day: SMM_SEED=n repeats
// those of another. Arguments go to vitest; without any, no test may be skipped.
import { spawnSync } from 'node:child_process';

const REPORT = 'test-results.json';
const args = process.argv.slice(2);
const today = new Date().toISOString().slice(0, 10).replaceAll('-', '');
const { SMM_SEED = today } = process.env;
const say = () => console.log(`full form, SMM_SEED=${SMM_SEED}`);

function run(...command) {
  const env = { ...process.env, SMM_FULL: '1', SMM_SEED };
  return spawnSync(process.execPath, command, { stdio: 'inherit', env }).status ?? 1;
}

say();
const reporters = [
  '--reporter=default',
  '--reporter=json',
  '--reporter=./scripts/timings-reporter.mjs',
  `--outputFile=${REPORT}`,
];
const code = run('node_modules/vitest/vitest.mjs', 'run', '--project', 'node', ...reporters, ...args);
const counted = args.length > 0 ? 0 : run('scripts/count-tests.mjs', REPORT, '--none-skipped');
say();
process.exit(code || counted);
