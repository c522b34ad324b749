/**
 * Every kernel under every tier, compared by the processors at the end of each turn, by the trace, and by memory: what
 * a kernel prints may be right although a flag or a register was wrong in between (issue 4). Turns are short at the
 * start, and again at several points once there are regions, so that these are left in their middle. The full form runs
 * more of each.
 */
import { stateHash, type TranslatorOptions } from '@smm/cpu-core';
import { type Machine, memoryHash } from '@smm/machine';
import { TraceHasher } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { ALL_KERNELS, HOT_KERNELS } from '../src/kernels/all.ts';
import { aluKernels } from '../src/kernels/alu.ts';
import type { Kernel } from '../src/kernels/kernel.ts';
import { machineWith, type OurOptions } from '../src/peers/our-machine.ts';
import { buildRom } from '../src/rom.ts';
import { expectedOutput } from '../src/run-kernel.ts';

const [alu32] = aluKernels as [Kernel, ...Kernel[]];
const TIMES = FULL ? 8 : 1;

interface Variant extends OurOptions {
  readonly translator?: TranslatorOptions;
}

const TIER0 = { tier: 'interpreter', accelerator: 'tcg' } as const;
const TIER1 = { tier: 'translator', accelerator: 'tcg' } as const;
const TRANSLATORS: readonly Variant[] = [TIER1, { ...TIER1, translator: { threshold: 1 } }];

/** Turns of a run: so many of so many instructions. */
type Phase = readonly [slice: number, turns: number];

const SHORT: readonly Phase[] = [
  [1, 60 * TIMES],
  [7, 60 * TIMES],
  [113, 40 * TIMES],
];
const LARGE = 50_021;
/**
 * The ROM's own code takes the first large turns; then the kernel runs, first cold, then translated. `some` and `more`
 * large turns lie between.
 */
const phasesOf = (some: number, more: number): readonly Phase[] => [
  ...SHORT,
  [LARGE, 5],
  ...SHORT,
  [LARGE, some],
  ...SHORT,
  [LARGE, more],
  ...SHORT,
  [LARGE, Number.POSITIVE_INFINITY],
];

/**
 * How a kernel is run. Instructions that are interrupts, or have their code decoded or a page walked for them, cost as
 * much as many others: fewer of them are run.
 */
function plan(kernel: Kernel): { readonly phases: readonly Phase[]; readonly rounds: number } {
  const { needs, reference, waits, maximumRounds = Number.MAX_SAFE_INTEGER } = kernel;
  const [length, phases] =
    needs !== undefined
      ? [250_000, phasesOf(1, 1)]
      : HOT_KERNELS.includes(kernel)
        ? [3_000_000, phasesOf(7, 20)]
        : [1_000_000, phasesOf(4, 8)];
  const { instructions, repeats } = reference(1);
  const perRound = waits === true ? 10_000 : instructions + repeats;
  return { phases, rounds: Math.min(maximumRounds, Math.max(2, Math.ceil((length * TIMES) / perRound))) };
}

/** What a run looked like. */
interface Course {
  /** One line for the end of each turn, the last with memory. */
  readonly turns: readonly string[];
  /** What the guest printed. */
  readonly output: string;
  /** Regions that were made. */
  readonly compiled: number;
}

/** Called at the end of a turn, to change something. */
type Meddle = (machine: Machine, turn: number) => void;

function course(kernel: Kernel, variant: Variant, meddle?: Meddle): Course {
  const { phases, rounds } = plan(kernel);
  const { translator } = variant;
  const hasher = new TraceHasher();
  const schedule = { seed: 0, slice: 1 }; // the machine looks at it for every turn
  const machine = machineWith(buildRom(kernel, rounds), variant, kernel.processors ?? 1, {
    schedule,
    trace: hasher.sink,
    ...(translator && { translator }),
  });
  const turns: string[] = [];
  let stop = 'budget';
  for (const [slice, many] of phases) {
    schedule.slice = slice;
    for (let turn = 0; turn < many && stop === 'budget'; turn++) {
      stop = machine.run({ instructions: 1 }); // one turn: it ends behind the first instruction
      meddle?.(machine, turns.length);
      const cpus = machine.processors.map((cpu) => stateHash(cpu)).join(' ');
      turns.push(`${machine.retired} ${machine.clock.now()} ${hasher.hex} ${cpus}`);
    }
  }
  turns.push(`${stop} memory ${memoryHash(machine)}`);
  return { turns, output: machine.log.join('\n'), compiled: machine.translations?.compiled ?? 0 };
}

/** The first turn that ended otherwise, or -1. */
function firstDifference(a: Course, b: Course): number {
  const most = Math.max(a.turns.length, b.turns.length);
  for (let i = 0; i < most; i++) if (a.turns[i] !== b.turns[i]) return i;
  return -1;
}

describe.each(ALL_KERNELS)('$name', (kernel) => {
  it('has the same processors at the end of every turn, trace and memory under every tier', () => {
    const expected = course(kernel, TIER0);
    expect(expected.output).toBe(expectedOutput(kernel, kernel.reference(plan(kernel).rounds)));
    for (const variant of TRANSLATORS) {
      const seen = course(kernel, variant);
      const at = firstDifference(expected, seen);
      expect([at, seen.turns[at]], JSON.stringify(variant)).toEqual([-1, expected.turns[at]]);
      expect(seen.output).toBe(expected.output);
      if (variant.translator || HOT_KERNELS.includes(kernel)) expect(seen.compiled).toBeGreaterThan(0);
    }
  });
});

describe('the comparison can fail', () => {
  const expected = course(alu32, TIER0);
  const AT = [100, SHORT.reduce((sum, [, turns]) => sum + turns, 0) + 5 + 100, expected.turns.length - 5];

  it('turns are as long as asked for', () => {
    const ends = expected.turns.slice(0, -1).map((line) => Number(line.split(' ')[0]));
    const lengths = ends.map((end, i) => end - (ends[i - 1] ?? 0));
    for (const [slice, turns] of plan(alu32).phases) {
      const part = lengths.splice(0, turns);
      expect(part.length).toBeGreaterThan(0);
      // A run ends with a turn that HLT ends, and one in which nobody runs.
      expect([slice, part.slice(0, -2).filter((length) => length !== slice)]).toEqual([slice, []]);
    }
  });

  const CHANGES: readonly (readonly [string, (machine: Machine) => void])[] = [
    ['EBP, which the kernel does not use', ({ processors: [cpu] }) => cpu!.state.setGpr32(5, 0x1234_5678)],
    ['one bit of EDI', ({ processors: [cpu] }) => cpu!.state.setGpr32(7, cpu!.state.gpr32(7) ^ 1)],
  ];
  it.each(AT.flatMap((at) => CHANGES.map(([what, change]) => [what, at, change] as const)))(
    'a change of %s at the end of turn %i is seen there',
    (_what, at, change) => {
      const meddle: Meddle = (machine, turn) => {
        if (turn === at) change(machine);
      };
      for (const variant of TRANSLATORS)
        expect(firstDifference(expected, course(alu32, variant, meddle))).toBe(at);
    },
  );

  it('a changed byte of memory that nobody reads is seen at the end', () => {
    const meddle: Meddle = (machine, turn) => {
      if (turn === AT[0]) machine.space.write(0x3f_f123, 1, 0x55, 0);
    };
    expect(firstDifference(expected, course(alu32, TIER1, meddle))).toBe(expected.turns.length - 1);
  });
});
