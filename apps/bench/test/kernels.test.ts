/** Every kernel gives, on both of our tiers, the result and the number of instructions that plain TypeScript computes. */
import { assemble } from '@smm/asm';
import { describe, expect, it } from 'vitest';
import { coldKernels } from '../src/kernels/cold.ts';
import { type Kernel, roundsFor } from '../src/kernels/kernel.ts';
import { mixed32 } from '../src/kernels/mixed32.ts';
import { mixed64 } from '../src/kernels/mixed64.ts';
import { SMIS_PER_ROUND, smi32 } from '../src/kernels/smi.ts';
import { walkKernels } from '../src/kernels/walk.ts';
import { type OurOptions, runOurs } from '../src/peers/ours.ts';
import { buildRom, ROM_SIZE } from '../src/rom.ts';
import { expectedOutput } from '../src/run-kernel.ts';

/** Iterations of REP beyond the first, by round: the machine counts each as an instruction, the bench does not. */
const REP_EXTRA: Readonly<Record<string, number>> = {
  mixed32: 32768 / 4 - 1 + (1024 - 1),
  mixed64: 256 - 1 + (1024 - 1),
  cold32: 1024 - 1,
  cold64: 1024 - 1,
};

const walks = walkKernels.flatMap(({ miss, hit }) => [miss, hit]);
const kernels: readonly Kernel[] = [mixed32, mixed64, ...coldKernels, ...walks, smi32];
const tiers: readonly OurOptions[] = [
  { tier: 'interpreter', accelerator: 'tcg' },
  { tier: 'evaluator', accelerator: 'tcg' },
];

describe.each(kernels)('$name', { timeout: 60_000 }, (kernel) => {
  it.each(tiers)('gives the reference result and number of instructions on $tier', (options) => {
    const [a, b] = [1, 2].map((rounds) => runOurs(buildRom(kernel, rounds), options));
    expect(a!.output).toBe(expectedOutput(kernel, kernel.reference(1)));
    expect(b!.output).toBe(expectedOutput(kernel, kernel.reference(2)));
    const counted = b!.retired - a!.retired - (REP_EXTRA[kernel.name] ?? 0);
    expect(counted).toBe(kernel.reference(2).instructions - kernel.reference(1).instructions);
  });

  it.each(['kvm', 'shadow'] as const)('gives the reference result under %s', (accelerator) => {
    const { output } = runOurs(buildRom(kernel, 1), { tier: 'interpreter', accelerator });
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

it('a ROM starts with the boot code and ends with a jump to it at the reset vector', () => {
  const rom = buildRom(mixed32, 1);
  expect(rom.length).toBe(ROM_SIZE);
  const jump = assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes;
  expect(rom.subarray(0xfff0, 0xfff0 + jump.length)).toEqual(jump);
});

it('rounds grow with the effort, are never equal, and respect the room that a kernel has', () => {
  expect(roundsFor(mixed32, 1)).toEqual(mixed32.rounds);
  expect(roundsFor(mixed32, 1e-9)).toEqual([1, 2]);
  const [cold] = coldKernels;
  expect(roundsFor(cold!, 1000)[1]).toBe(cold!.maximumRounds);
});
