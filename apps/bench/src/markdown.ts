/** `docs/performance.md`: a template in prose with places for tables of ratios. Absolute figures stay out of it. */
import { describeRun } from './render-text.ts';
import type { Report } from './report.ts';
import { growthTable, notesTable, ratioTables, summaryTable, type Table } from './tables.ts';

const NOT_MEASURED = '*Not measured in this run.*';

function markdownTable({ title, head, rows }: Table): string {
  if (rows.length === 0) return NOT_MEASURED;
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [`${title}:`, '', line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function ratiosOfSuites(report: Report, ...suites: string[]): string {
  const tables = ratioTables({
    ...report,
    ratios: report.ratios.filter(({ suite }) => suites.includes(suite)),
  });
  return tables.length === 0 ? NOT_MEASURED : tables.map(markdownTable).join('\n\n');
}

/** What stands for `{{name}}` in the template. */
const PLACES: Readonly<Record<string, (report: Report) => string>> = {
  run: describeRun,
  summary: (report) => markdownTable(summaryTable(report)),
  hot: (report) => ratiosOfSuites(report, 'hot'),
  system: (report) => ratiosOfSuites(report, 'system'),
  cold: (report) => ratiosOfSuites(report, 'cold'),
  events: (report) => ratiosOfSuites(report, 'events', 'slices', 'walks'),
  boot: (report) => ratiosOfSuites(report, 'boot', 'memory'),
  relocation: (report) => markdownTable(growthTable(report)),
  notes: (report) =>
    markdownTable(notesTable({ ...report, measurements: report.measurements.filter(isNews) })),
};

/** A row that lacks its figure. */
function isNews({ status }: Report['measurements'][number]): boolean {
  return status !== 'measured';
}

/** Fills in a template; throws for a place that nobody knows. */
export function renderMarkdown(template: string, report: Report): string {
  return template.replaceAll(/\{\{(\w+)\}\}/g, (_match, name: string) => {
    const fill = PLACES[name];
    if (fill === undefined)
      throw new Error(`the template has a place {{${name}}}; known are ${Object.keys(PLACES).join(', ')}`);
    return fill(report);
  });
}
