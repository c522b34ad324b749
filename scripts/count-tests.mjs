// Prints how many tests a vitest JSON report holds, the skipped ones by name and the slowest files; fails when there is none, and with
// --none-skipped when one was skipped. Tests of whole distribution firmware, which run on request only, are told apart.
import { readFileSync } from 'node:fs';

const [file, ...flags] = process.argv.slice(2);
const report = JSON.parse(readFileSync(file, 'utf8'));
const ON_REQUEST = process.env.SMM_FIRMWARE_FULL === '1' ? /$^/ : /\/boot-ovmf\.test\.ts$/;
const skippedIn = (files) =>
  files.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed'),
  );
const skipped = skippedIn(report.testResults.filter(({ name }) => !ON_REQUEST.test(name)));
const onRequest = skippedIn(report.testResults.filter(({ name }) => ON_REQUEST.test(name)));
for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
for (const { fullName } of onRequest) console.log(`not asked for (SMM_FIRMWARE_FULL=1): ${fullName}`);

const slowest = report.testResults
  .map(({ name, startTime, endTime }) => ({
    name: name.slice(process.cwd().length + 1),
    seconds: (endTime - startTime) / 1000,
  }))
  .filter(({ seconds }) => seconds >= 5)
  .sort((a, b) => b.seconds - a.seconds);
for (const { name, seconds } of slowest) console.log(`${seconds.toFixed(1).padStart(6)} s  ${name}`);

console.log(
  `tests: ${report.numPassedTests} passed, ${report.numFailedTests} failed, ${skipped.length} skipped, ${onRequest.length} not asked for`,
);
if (report.numTotalTests === 0) process.exit(1);
if (flags.includes('--none-skipped') && skipped.length > 0) process.exit(1);
