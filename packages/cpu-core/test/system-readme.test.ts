/** The quick start prints what its comments say, and is in the README word for word. */
import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

it('quick start', async () => {
  const source = readFileSync(new URL('../examples/quick-start.ts', import.meta.url), 'utf8');
  const lines: string[] = [];
  const log = vi.spyOn(console, 'log').mockImplementation((...args) => void lines.push(args.join(' ')));
  await import('../examples/quick-start.ts');
  log.mockRestore();
  expect(lines).toEqual([...source.matchAll(/\/\/ => (.*)/g)].map((match) => match[1]));
  expect(readFileSync(new URL('../README.md', import.meta.url), 'utf8')).toContain(source);
});
