/** The command line: `npm run bench -- --quick --only hot --json bench.json`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { AgainstError, runAgainst } from './against.ts';
import { reportOf, runBench } from './bench.ts';
import { installCleanup } from './cleanup.ts';
import { ForeignError } from './foreign.ts';
import { renderMarkdown } from './markdown.ts';
import type { Progress } from './measurement.ts';
import { OptionError, type Parsed, parseArguments, readGiven } from './options.ts';
import { renderReport } from './render-text.ts';
import type { Report } from './report.ts';
import { runForeign } from './suites/foreign.ts';

const TEMPLATE = new URL('../../../docs/performance.template.md', import.meta.url);

/** A report that was written with `--json`. */
function readReport(path: string): Report {
  const text = readGiven('--from', path, 'Give what --json wrote.').toString();
  let report: Partial<Report>;
  try {
    report = JSON.parse(text) as Partial<Report>;
  } catch (error) {
    throw new OptionError(`--from ${path}: ${error instanceof Error ? error.message : error}`);
  }
  if (report.schemaVersion !== 2)
    throw new OptionError(`--from ${path}: it is no report of this bench (schemaVersion 2)`);
  return report as Report;
}

async function measure(options: Parsed, progress: Progress): Promise<Report> {
  const { bench, foreign, against, from } = options;
  if (from !== undefined) return readReport(from);
  if (against !== undefined)
    return reportOf(bench.effort, await runAgainst(against, bench.kernels, bench.effort, progress));
  if (foreign === undefined) return runBench({ ...bench, progress });
  try {
    return reportOf(bench.effort, await runForeign(foreign, bench.peers, bench.effort, progress));
  } finally {
    for (const peer of bench.peers) await peer.close?.();
  }
}

async function write(options: Parsed, report: Report): Promise<void> {
  const { json, markdown, plot } = options;
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
  if (markdown !== undefined) writeFileSync(markdown, renderMarkdown(readFileSync(TEMPLATE, 'utf8'), report));
  if (plot !== undefined) {
    const { renderHtml, renderSvg } = await import('./plot.ts'); // Vega takes a while to load
    writeFileSync(plot, await (plot.endsWith('.svg') ? renderSvg(report) : renderHtml(report)));
  }
}

async function main(argv: readonly string[]): Promise<number> {
  installCleanup();
  const options = parseArguments(argv);
  const { isTTY } = process.stderr;
  const report = await measure(options, (text) =>
    process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`),
  );
  if (isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(renderReport(report));
  await write(options, report);
  const bad = report.measurements.some(
    (m) => m.status === 'wrong-result' || (m.status === 'failed' && m.peer.startsWith('smm-')),
  );
  return bad ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = [OptionError, ForeignError, AgainstError].some((kind) => error instanceof kind);
  if (!known) throw error;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
