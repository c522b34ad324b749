/** Every package's README example is a file that runs and prints what its `// =>` comments say. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';

const packages = fileURLToPath(new URL('../packages/', import.meta.url));

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each(readdirSync(packages))('%s', (name) => {
  const example = `${packages}${name}/examples/quick-start.ts`;

  it('has an example', () => {
    expect(existsSync(example), `${name} has no examples/quick-start.ts`).toBe(true);
  });

  it('shows it in the README, to the letter', () => {
    const readme = readFileSync(`${packages}${name}/README.md`, 'utf8');
    expect(readme).toContain(`\`\`\`ts\n${readFileSync(example, 'utf8').trimEnd()}\n\`\`\``);
  });

  it('prints what its comments say', async () => {
    const source = readFileSync(example, 'utf8');
    const expected = [...source.matchAll(/\/\/ => (.*)$/gm)].map((match) => match[1]);
    expect(expected.length).toBeGreaterThan(0);
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((...args: unknown[]) => {
      lines.push(args.map((arg) => (typeof arg === 'string' ? arg : String(arg))).join(' '));
    });
    await import(/* @vite-ignore */ example);
    expect(lines.flatMap((line) => line.split('\n'))).toEqual(expected);
  });
});
