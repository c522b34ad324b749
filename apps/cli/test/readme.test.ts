import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';
import { cli, ofPackage } from './support.ts';

vi.setConfig({ testTimeout: 120_000 });

const readme = readFileSync(ofPackage('README.md'), 'utf8');
const examples = [...readme.matchAll(/```console\n\$ smm ([^\n]*)\n(.*?)```/gs)].map(
  ([, command = '', output = '']) => [command, output] as const,
);

it('has examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(6);
});

it.each(examples)('smm %s prints what the README shows', async (command, output) => {
  const { out, err } = await cli(command);
  expect(out + err).toBe(output);
});
