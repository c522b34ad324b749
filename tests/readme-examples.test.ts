/** Every package's README example is a file that runs and prints what its `// =>` comments say. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { ovmfMissing } from '../packages/machine/test/ovmf.ts';

const packages = fileURLToPath(new URL('../packages/', import.meta.url));

afterEach(() => {
  vi.restoreAllMocks();
});

/** Files other than the quick start, and why they cannot be run here, for the names of tests. */
const missing: Readonly<Record<string, () => string | undefined>> = { 'boot-ovmf.ts': ovmfMissing };

const examples = readdirSync(packages).flatMap((name) => {
  const files = readdirSync(`${packages}${name}/examples`).filter((file) => file.endsWith('.ts'));
  return files.map((file) => ({ name, file }));
});

describe.each(readdirSync(packages))('%s', (name) => {
  it('has an example', () => {
    expect(existsSync(`${packages}${name}/examples/quick-start.ts`)).toBe(true);
  });
});

describe.each(['worker', 'page'])('the web page: %s.ts', (file) => {
  it('is shown in docs/web-page.md, to the letter', () => {
    const source = readFileSync(`${packages}machine/examples/web/${file}.ts`, 'utf8');
    const page = readFileSync(fileURLToPath(new URL('../docs/web-page.md', import.meta.url)), 'utf8');
    expect(page).toContain(`\`\`\`ts\n${source.trimEnd()}\n\`\`\``);
  });
});

describe.each(examples)('$name: $file', ({ name, file }) => {
  const example = `${packages}${name}/examples/${file}`;
  const skipped = missing[file]?.();

  it('is shown in the README, to the letter', () => {
    const readme = readFileSync(`${packages}${name}/README.md`, 'utf8');
    expect(readme).toContain(`\`\`\`ts\n${readFileSync(example, 'utf8').trimEnd()}\n\`\`\``);
  });

  it.skipIf(skipped !== undefined)(`prints what its comments say ${skipped ?? ''}`.trim(), async () => {
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
