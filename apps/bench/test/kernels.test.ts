/**
 * Every kernel gives, on all of our tiers, the result and the number of instructions that plain TypeScript computes.
 */
import { assemble } from '@smm/asm';
import { describe, expect, it } from 'vitest';
import { ALL_KERNELS } from '../src/kernels/all.ts';
import { mixed32 } from '../src/kernels/mixed32.ts';
import { SMIS_PER_ROUND, smi32 } from '../src/kernels/smi.ts';
import type { OurOptions } from '../src/peers/our-machine.ts';
import { runOurs } from '../src/peers/ours.ts';
import { buildRom, ROM_SIZE } from '../src/rom.ts';
import { expectedOutput } from '../src/run-kernel.ts';

const tiers: readonly OurOptions[] = [
  { tier: 'translator', accelerator: 'tcg' },
  { tier: 'interpreter', accelerator: 'tcg' },
];

describe.each(ALL_KERNELS)('$name', (kernel) => {
  it.each(tiers)('gives the reference result and number of instructions on $tier', (options) => {
    const [a, b] = [1, 2].map((rounds) => runOurs(buildRom(kernel, rounds), options, kernel.processors));
    const [first, second] = [kernel.reference(1), kernel.reference(2)];
    expect(a!.output).toBe(expectedOutput(kernel, first));
    expect(b!.output).toBe(expectedOutput(kernel, second));
    if (kernel.waits === true) return; // how long it waits is the machine's affair
    const counted = b!.retired - a!.retired - (second.repeats - first.repeats);
    expect(counted).toBe(second.instructions - first.instructions);
  });

  it.each([
    { tier: 'evaluator', accelerator: 'tcg' },
    { tier: 'interpreter', accelerator: 'kvm' },
    { tier: 'interpreter', accelerator: 'shadow' },
  ] as const)('gives the reference result on $tier under $accelerator', (options) => {
    const { output } = runOurs(buildRom(kernel, 1), options, kernel.processors);
    expect(output).toBe(expectedOutput(kernel, kernel.reference(1)));
  });

  it('tells a missed round by its result', () => {
    expect(kernel.reference(3).result).not.toBe(kernel.reference(2).result);
  });
});

it('the SMI kernel enters SMM as often as it says', () => {
  const { output } = runOurs(buildRom(smi32, 3), { tier: 'interpreter', accelerator: 'tcg' });
  expect(Number.parseInt(output.slice(2), 16)).toBe(3 * SMIS_PER_ROUND);
});

it('names of kernels are unique', () => {
  expect(new Set(ALL_KERNELS.map(({ name }) => name)).size).toBe(ALL_KERNELS.length);
});

it('a ROM starts with the boot code and ends with a jump to it at the reset vector', () => {
  const rom = buildRom(mixed32, 1);
  expect(rom.length).toBe(ROM_SIZE);
  const jump = assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes;
  expect(rom.subarray(0xfff0, 0xfff0 + jump.length)).toEqual(jump);
});
