/**
 * Boots of Debian's OVMF in which turns are short for a while in each phase, under every tier: regions are left in
 * their middle.
 */
import { stateHash, type TierName, type TranslatorOptions } from '@smm/cpu-core';
import { TraceHasher } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import {
  BOOT_PHASES,
  Boot,
  type BootOptions,
  type BootPhase,
  type Machine,
  memoryHash,
} from '../src/index.ts';
import { expectCourse } from './courses.ts';
import { type Architecture, ovmfMissing, readOvmf } from './ovmf.ts';

const missing = ovmfMissing();

interface Variant {
  readonly tier: TierName;
  readonly translator?: TranslatorOptions;
}

const LONG = 100_000;
/** Long enough to get somewhere, short enough not to run past it. */
const NEAR = 1009;

/** Where turns are short for a while. */
interface Stretch {
  readonly name: string;
  readonly phase: BootPhase;
  /** From the beginning of the phase on: turns of so many instructions until this holds. */
  readonly until?: readonly (readonly [slice: number, reached: (machine: Machine) => boolean])[];
  /** The least that must be seen in it: SMM entered so often, so many processors that ran. */
  readonly entries?: number;
  readonly ran?: number;
}

const inSmm = ({ processors }: Machine): boolean => processors.some(({ state }) => state.smm);
const STRETCHES: readonly Stretch[] = [
  { name: 'the first instructions', phase: 'reset' },
  { name: 'unpacking', phase: 'SEC', until: [[LONG, ({ retired }) => retired > 1_000_000]] },
  { name: 'PEI', phase: 'PEI' },
  {
    name: 'all processors',
    phase: 'PEI',
    until: [[NEAR, (machine) => machine.runnable().length > 1]],
    ran: 2,
  },
  { name: 'DXE', phase: 'DXE' },
  {
    name: 'relocation of SMBASE',
    phase: 'DXE',
    until: [[NEAR, ({ smmEntries }) => smmEntries.some((entries) => entries > 0)]],
    entries: 1,
    ran: 2,
  },
  { name: 'BDS', phase: 'BDS' },
  // Variables are written: one SMI comes soon after the other, of 10,000 to 20,000 instructions each.
  {
    name: 'SMIs',
    phase: 'BDS',
    until: [
      [LONG, ({ chipsetSmis }) => chipsetSmis > 500],
      [113, (machine) => !inSmm(machine)],
      [113, inSmm],
    ],
    entries: 10,
    ran: 2,
  },
  { name: 'shell', phase: 'shell' },
];
/** Turns of a stretch: so many of so many instructions (with a seed, of up to twice as many). */
const SHORT: readonly (readonly [slice: number, turns: number])[] = [
  [1, 3000],
  [7, 3000],
  [113, 1500],
];

/** What was seen in a stretch; `entries` and `ran` as there. */
interface Seen {
  readonly name: string;
  readonly phase: BootPhase;
  readonly entries: number;
  readonly ran: number;
}

/** A boot with stretches of short turns, and a line for the end of each of these: regions are left in their middle. */
function shortTurns(architecture: Architecture, options: Partial<BootOptions>, seed: number) {
  const hasher = new TraceHasher();
  const schedule = { seed, slice: LONG }; // the machine looks at it for every turn
  const boot = new Boot({
    ...readOvmf(architecture),
    ...options,
    schedule,
    trace: hasher.sink,
  });
  const { machine, phases } = boot;
  const turn = (slice: number): void => {
    schedule.slice = slice;
    const stop = boot.run(1); // it ends behind the first instruction
    if (stop === 'reset') boot.restart();
    else expect(stop).toBe('budget');
  };
  const entries = (): number => machine.smmEntries.reduce((sum, count) => sum + count, 0);
  const retired = (): number[] => machine.processors.map((cpu) => cpu.retiredNow());
  const lines: string[] = [];
  const seen: Seen[] = [];
  for (const { name, phase, until = [] } of STRETCHES) {
    while (BOOT_PHASES.indexOf(phases.phase) < BOOT_PHASES.indexOf(phase)) turn(LONG);
    for (const [slice, reached] of until) while (!reached(machine)) turn(slice);
    const before = { phase: phases.phase, entries: entries(), retired: retired() };
    for (const [slice, turns] of SHORT) {
      for (let i = 0; i < turns; i++) {
        turn(slice);
        const cpus = machine.processors.map((cpu) => stateHash(cpu)).join(' ');
        lines.push(`${slice} ${machine.retired} ${machine.clock.now()} ${cpus} trace ${hasher.hex}`);
      }
    }
    lines.push(`${name}: memory ${memoryHash(machine)}`);
    const ran = retired().filter((count, i) => count !== before.retired[i]).length;
    seen.push({ name, phase: before.phase, entries: entries() - before.entries, ran });
  }
  return { lines, seen };
}

const RUNS: readonly (readonly [name: string, Architecture, Partial<BootOptions>, seed: number, Variant])[] =
  [
    ['x64-short-turns', 'x64', { cpus: 2 }, 0, { tier: 'translator' }],
    ['ia32-short-turns', 'ia32', { cpus: 4 }, 5, { tier: 'translator', translator: { threshold: 50 } }],
    [
      'x64-kvm-shadow-short-turns',
      'x64',
      { cpus: 2, accelerator: 'kvm', kvm: { ept: false } },
      7,
      { tier: 'translator', translator: { threshold: 50 } },
    ],
  ];

describe.skipIf(missing !== undefined)(`OVMF in short turns ${missing ?? ''}`, () => {
  it.each(sized(RUNS.slice(1, 2), RUNS))(
    '%s: %s %o, seed %i: %o',
    async (name, architecture, options, seed, variant) => {
      const { lines, seen } = shortTurns(architecture, { ...options, ...variant }, seed);
      for (const [i, { entries = 0, ran = 1, ...stretch }] of STRETCHES.entries()) {
        const there = seen[i]!;
        expect(there).toMatchObject({ name: stretch.name, phase: stretch.phase });
        expect([there, there.entries >= entries, there.ran >= ran]).toEqual([there, true, true]);
      }
      const interpreter = (): string[] =>
        shortTurns(architecture, { ...options, tier: 'interpreter' }, seed).lines;
      await expectCourse(name, lines, interpreter);
    },
  );
});
