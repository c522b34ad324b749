/** What is made of a report: tables, Markdown, the picture. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { reportOf } from '../src/bench.ts';
import { renderMarkdown } from '../src/markdown.ts';
import { measured } from '../src/measurement.ts';
import { renderHtml, renderSvg } from '../src/plot.ts';
import { renderReport } from '../src/render-text.ts';

const row = (peer: string, name: string, figures: number[]) =>
  measured({ suite: 'hot', name, peer, unit: 'MIPS', version: '9.9' }, figures);

const report = reportOf(
  { samples: 3, seconds: 1 },
  [
    row('smm-tier1', 'alu32', [1200, 1100, 1000]),
    row('smm-tier1', 'alu64', [600, 600, 600]),
    row('qemu-tcg', 'alu32', [600, 550, 500]),
    row('qemu-tcg', 'alu64', [300, 240, 200]),
    {
      suite: 'hot',
      name: 'alu32',
      peer: 'bochs',
      unit: 'MIPS',
      status: 'missing',
      samples: [],
      note: 'not installed',
    },
  ],
  [{ accelerator: 'tcg', of: 'instructions', exponent: 0.9 }],
  [
    {
      name: 'mixed32',
      peer: 'smm-tier1',
      points: [1e5, 1e6, 1e7].map((instructions) => ({ instructions, seconds: instructions / 1e8 })),
    },
  ],
);

describe('the text', () => {
  const text = renderReport(report);
  it('has figures with their spread, ratios, means, and what is missing', () => {
    expect(text).toMatch(/alu32 +1100 ±9\.1% +550 ±9\.1% +missing/);
    expect(text).toMatch(/hot +alu32 +2\.00/);
    expect(text).toMatch(/hot +alu64 +2\.50 ±20%/);
    expect(text).toContain('qemu-tcg 9.9');
    expect(text).toMatch(/bochs +missing +not installed/);
  });
});

it('two rounds have no spread, and a busy host is told', () => {
  const short = reportOf({ samples: 2, seconds: 1 }, [row('smm-tier1', 'alu32', [1200, 1000])]);
  const text = renderReport({ ...short, host: { ...short.host, load: 21 } });
  expect(text).not.toContain('±');
  expect(text).toContain('busy with other work too (load 21)');
  expect(renderReport({ ...short, host: { ...short.host, load: 1.1 } })).not.toContain('busy');
});

describe('Markdown', () => {
  it('has ratios but no absolute figures, and says what was not measured', () => {
    const template = readFileSync(new URL('../../../docs/performance.template.md', import.meta.url), 'utf8');
    const text = renderMarkdown(template, report);
    expect(text).toContain('| hot | alu64 | 2.50 ±20% |');
    expect(text).not.toContain('1100');
    expect(text).not.toContain('{{');
    expect(text).toContain('Not measured in this run');
  });

  it('refuses a place that nobody knows', () => {
    expect(() => renderMarkdown('{{nonsense}}', report)).toThrow('{{nonsense}}');
  });
});

describe('the picture', () => {
  it('is an SVG with every emulator that has figures, and a page that loads nothing', async () => {
    const svg = await renderSvg(report);
    expect(svg).toMatch(/^<svg /);
    for (const text of ['smm-tier1', 'qemu-tcg', '32-bit', '64-bit', 'Warm-up']) expect(svg).toContain(text);
    expect(svg).not.toContain('NaN');
    const html = await renderHtml(report);
    expect(html).toContain(svg);
    expect(html).not.toMatch(/(src|href)=/);
  });
});
