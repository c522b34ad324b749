/** README: the example is the tested file, the register table is the table. */
import { readFileSync } from 'node:fs';
import { APIC_REGISTERS, x2apicMsr } from '@smm/xapic';
import { expect, it } from 'vitest';

const file = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const hex = (n: number, digits: number) => `${n.toString(16).toUpperCase().padStart(digits, '0')}h`;

function registerTable(): string {
  const lines = [
    '| offset | name | register | page | reset | writable bits | MSR | x2APIC | KVM trace |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  ];
  for (const row of APIC_REGISTERS) {
    const last = row.offset + (row.count - 1) * 16;
    const offset = row.count === 1 ? hex(row.offset, 3) : `${hex(row.offset, 3)}-${hex(last, 3)}`;
    const msr = x2apicMsr(row);
    const msrs = row.count === 1 ? hex(msr, 3) : `${hex(msr, 3)}-${hex(msr + row.count - 1, 3)}`;
    const reset = { ID: 'initial id', LVR: 'by options' }[row.name as string] ?? hex(row.reset, 8);
    const cells = [offset, row.name, row.title, row.access, reset, hex(row.mask, 8)];
    lines.push(`| ${[...cells, row.x2apic === 'none' ? '-' : msrs, row.x2apic, row.trace].join(' | ')} |`);
  }
  return lines.join('\n');
}

it('the register table is generated', () => {
  expect(file('README.md')).toContain(`\n${registerTable()}\n`);
});

it('the example is the file, and prints what it says', async () => {
  const source = file('examples/quick-start.ts');
  expect(file('README.md')).toContain(`\`\`\`ts\n${source}\`\`\``);
  const expected = [...source.matchAll(/\/\/ => (.*)/g)].map((match) => match[1]);
  const printed: string[] = [];
  const log = console.log;
  console.log = (...args: unknown[]) => void printed.push(args.join(' '));
  try {
    await import('../examples/quick-start.ts');
  } finally {
    console.log = log;
  }
  expect(printed).toEqual(expected);
});
