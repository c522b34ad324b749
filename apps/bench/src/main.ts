/** The command line: `npm run bench -- --quick --only hot --json bench.json`. */
import { writeFileSync } from 'node:fs';
import { runBench } from './bench.ts';
import { installCleanup } from './cleanup.ts';
import { parseArguments } from './options.ts';
import { renderReport } from './render-text.ts';

async function main(argv: readonly string[]): Promise<number> {
  installCleanup();
  const options = parseArguments(argv);
  const { isTTY } = process.stderr;
  const report = await runBench({
    ...options.bench,
    progress: (text) => process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`),
  });
  if (isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(renderReport(report));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  const bad = report.measurements.some(
    (m) => m.status === 'wrong-result' || (m.status === 'failed' && m.peer.startsWith('smm-')),
  );
  return bad ? 1 : 0;
}

process.exitCode = await main(process.argv.slice(2));
