/** The most processors that APIC ids of 8 bits allow. */
import { describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { relocate } from '../src/index.ts';
import { parts } from './runs.ts';

describe.each([
  { accelerator: 'tcg', bitness: 32, edk2: '2015' },
  ...(FULL
    ? ([
        { accelerator: 'kvm', bitness: 64, edk2: '2015' },
        { accelerator: 'kvm', bitness: 32, edk2: '2024' },
        { accelerator: 'tcg', bitness: 64, edk2: '2024' },
      ] as const)
    : []),
] as const)('255 CPUs under $accelerator, $bitness-bit, $edk2', (options) => {
  it('relocate, each to its own tile, and all enter the first normal SMI', () => {
    const report = relocate({ cpus: 255, parts, ...options });
    expect(report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: 255, of: 255 } });
    expect(new Set(report.cpus.map(({ smbase }) => smbase)).size).toBe(255);
    expect(
      report.cpus.every(({ smbase, planned, smmEntries }) => smbase === planned && smmEntries === 2),
    ).toBe(true);
  });
});

it('each further CPU costs about as many instructions as the one before', () => {
  const cost = (cpus: number): number =>
    relocate({ cpus, parts, schedule: { seed: 0, slice: 100 } }).instructions;
  const [a, b, c] = [cost(4), cost(8), cost(16)];
  const [first, second] = [(b - a) / 4, (c - b) / 8];
  expect(second / first).toBeGreaterThan(0.5);
  expect(second / first).toBeLessThan(2);
});
