import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { cli, ofPackage } from './support.ts';

const readme = readFileSync(ofPackage('README.md'), 'utf8');
const examples = [...readme.matchAll(/```console\n\$ smm ([^\n]*)\n(.*?)```/gs)].map(
  ([, command = '', output = '']) => [command, output] as const,
);

/** Without what moves with every change of the firmware's code: addresses of instructions, and how many were run. */
function stable(text: string): string {
  return text
    .replace(/rip 0x[0-9a-f]+/g, 'rip 0x*')
    .replace(/kvm_emulate_insn: 0:[0-9a-f]+:/g, 'kvm_emulate_insn: 0:*:')
    .replace(/^[\d,]+ instructions, .*$/gm, '* instructions')
    .replace(/after \d+ facts/g, 'after * facts');
}

it('has examples', () => {
  expect(examples.length).toBeGreaterThanOrEqual(6);
});

it.each(examples)(
  'smm %s prints what the README shows, but for addresses of code',
  async (command, output) => {
    const { out, err } = await cli(command);
    expect(stable(out + err)).toBe(stable(output));
  },
);
