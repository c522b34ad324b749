/** The command line: `npm run bench -- --quick --only hot --json bench.json`. */
import { readFileSync } from 'node:fs';
import { claimOutput, FileError, type Output, watchStandardStreams } from '@smm/files';
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
  const bytes = readGiven('--from', path, 'Give what --json wrote.');
  let report: Partial<Report>;
  try {
    report = JSON.parse(new TextDecoder().decode(bytes)) as Partial<Report>;
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
  if (against !== undefined) return reportOf(bench.effort, await runAgainst(against, { ...bench, progress }));
  if (foreign === undefined) return runBench({ ...bench, progress });
  try {
    return reportOf(bench.effort, await runForeign(foreign, bench.peers, bench.effort, progress));
  } finally {
    for (const peer of bench.peers) await peer.close?.();
  }
}

interface Written {
  readonly output: Output;
  readonly render: (report: Report) => string | Promise<string>;
}

/** The files that are asked for, claimed before anything is measured. */
function outputsOf({ json, markdown, plot }: Parsed): Written[] {
  const claim = (option: string, path: string | undefined, render: Written['render']): Written[] =>
    path === undefined ? [] : [{ output: claimOutput(option, path), render }];
  return [
    ...claim('--json', json, (report) => `${JSON.stringify(report, null, 2)}\n`),
    ...claim('--markdown', markdown, (report) => renderMarkdown(readFileSync(TEMPLATE, 'utf8'), report)),
    ...claim('--plot', plot, async (report) => {
      const { renderHtml, renderSvg } = await import('./plot.ts'); // Vega takes a while to load
      return plot?.endsWith('.svg') === true ? renderSvg(report) : renderHtml(report);
    }),
  ];
}

async function main(argv: readonly string[]): Promise<number> {
  installCleanup();
  watchStandardStreams('bench', { readerGone: 0, failed: 2 });
  const options = parseArguments(argv);
  const outputs = outputsOf(options);
  const { isTTY } = process.stderr;
  const report = await measure(options, (text) =>
    process.stderr.write(isTTY ? `\r\x1b[K${text}` : `${text}\n`),
  );
  if (isTTY) process.stderr.write('\r\x1b[K');
  process.stdout.write(renderReport(report));
  for (const { output, render } of outputs) output.replace(await render(report));
  const bad = report.measurements.some(
    (m) => m.status === 'wrong-result' || (m.status === 'failed' && m.peer.startsWith('smm-')),
  );
  return bad ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = [OptionError, ForeignError, AgainstError, FileError].some((kind) => error instanceof kind);
  if (!known) throw error;
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  process.stderr.write(`bench: ${(error as Error).message}\n`);
  process.exitCode = 2;
}
