// No line of code, comment or prose is wider than 120 columns. Exempt is what cannot be broken or is shown as printed:
// string, template and regular-expression literals, tables, code blocks and comments of Markdown, words without a
// space, and what tools write (change logs, changesets, pages that a test or the benchmark makes).
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import ts from 'typescript';

const COLUMNS = 120;
const WRITTEN_BY_TOOLS = /CHANGELOG\.md$|^\.changeset\/|^docs\/(quirks|performance)\.md$/;

const columns = (line) => [...line].length;

/** Lines of a TypeScript or JavaScript file that are too wide without their literals, counted from 0. */
function wideCode(file, text, wide) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const literals = [];
  const visit = (node) => {
    const literal =
      ts.isStringLiteral(node) ||
      ts.isNoSubstitutionTemplateLiteral(node) ||
      ts.isTemplateExpression(node) ||
      ts.isRegularExpressionLiteral(node);
    if (literal) literals.push([node.getStart(source), node.end]);
    else ts.forEachChild(node, visit);
  };
  visit(source);
  const starts = source.getLineStarts();
  return wide.filter((index) => {
    const [start, end] = [starts[index], starts[index + 1] ?? text.length];
    const inside = literals.map(([from, to]) => Math.max(0, Math.min(to, end) - Math.max(from, start)));
    return (
      end - start - 1 - inside.reduce((sum, length) => sum + length, 0) > COLUMNS || !inside.some(Boolean)
    );
  });
}

/** Lines of Markdown prose that are too wide, counted from 0. */
function wideProse(lines, wide) {
  let fenced = false;
  const code = lines.map((line) => {
    const fence = /^\s*(```|~~~)/.test(line);
    if (fence) fenced = !fenced;
    return fence || fenced;
  });
  return wide.filter((index) => !code[index] && !/^\s*(\||<!--|#)/.test(lines[index]));
}

const files = execFileSync(
  'git',
  ['ls-files', '-co', '--exclude-standard', '*.ts', '*.mjs', '*.js', '*.asm', '*.c', '*.md'],
  {
    encoding: 'utf8',
  },
);
const found = [];
for (const file of files.split('\n').filter((name) => name && !WRITTEN_BY_TOOLS.test(name))) {
  const text = readFileSync(file, 'utf8');
  const lines = text.split('\n');
  const wide = [...lines.keys()].filter(
    (index) => columns(lines[index]) > COLUMNS && /\S\s+\S+\s+\S/.test(lines[index].slice(0, COLUMNS)),
  );
  if (wide.length === 0) continue;
  const bad = file.endsWith('.md')
    ? wideProse(lines, wide)
    : /\.(asm|c)$/.test(file)
      ? wide
      : wideCode(file, text, wide);
  found.push(...bad.map((index) => `${file}:${index + 1}: ${columns(lines[index])} columns`));
}
if (found.length > 0) {
  console.error(`${found.join('\n')}\nLines have at most ${COLUMNS} columns: break them.`);
  process.exit(1);
}
