// Prints how many tests a vitest JSON report holds and the skipped ones by name; fails when there is none, and
// with --none-skipped when one was skipped.
import { readFileSync } from 'node:fs';

const [file, ...flags] = process.argv.slice(2);
const report = JSON.parse(readFileSync(file, 'utf8'));
const skipped = report.testResults.flatMap(({ assertionResults }) =>
  assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed'),
);
for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
console.log(
  `tests: ${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped.length} skipped`,
);
if (report.numTotalTests === 0) process.exit(1);
if (flags.includes('--none-skipped') && skipped.length > 0) process.exit(1);
