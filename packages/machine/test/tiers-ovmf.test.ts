/**
 * Whole boots of Debian's OVMF (packages ovmf and ovmf-ia32) under every tier: all processors' registers, the trace and the serial text
 * are the same every few instructions, and all of memory at coarser points (issue 4). Set SMM_FIRMWARE_FULL=1 to run.
 */
import { existsSync, readFileSync } from 'node:fs';
import { stateHash, type TierName, type TranslatorOptions } from '@smm/cpu-core';
import { TraceHasher } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import {
  BOOT_PHASES,
  Boot,
  type BootGoal,
  type BootOptions,
  type BootPhase,
  bootInPieces,
  type Machine,
  memoryHash,
} from '../src/index.ts';

const FOLDER = '/usr/share/OVMF';
const IMAGES = {
  x64: { code: `${FOLDER}/OVMF_CODE_4M.secboot.fd`, vars: `${FOLDER}/OVMF_VARS_4M.fd` },
  ia32: { code: `${FOLDER}/OVMF32_CODE_4M.secboot.fd`, vars: `${FOLDER}/OVMF32_VARS_4M.fd` },
} as const;

const wanted = process.env['SMM_FIRMWARE_FULL'] === '1';
if (wanted && !Object.values(IMAGES).every(({ code, vars }) => existsSync(code) && existsSync(vars)))
  throw new Error(`SMM_FIRMWARE_FULL is set, but ${FOLDER} lacks files: install ovmf and ovmf-ia32`);

interface Variant {
  readonly tier: TierName;
  readonly translator?: TranslatorOptions;
}

/** Instructions between two looks at the processors, and looks between two at memory. */
const EVERY = 1_000_000;
const MEMORY_EVERY = 40;

/** One line for each look, the last at the goal. */
function course(architecture: keyof typeof IMAGES, options: Partial<BootOptions>, goal: BootGoal): string[] {
  const hasher = new TraceHasher();
  let serial = 0;
  const boot = new Boot({
    code: readFileSync(IMAGES[architecture].code),
    vars: readFileSync(IMAGES[architecture].vars),
    ...options,
    trace: hasher.sink,
    serial: (byte) => {
      serial = Math.imul(serial ^ byte, 0x0100_0193);
    },
  });
  const { machine } = boot;
  const lines: string[] = [];
  const look = (end?: string): void => {
    const cpus = machine.processors.map((cpu) => stateHash(cpu)).join(' ');
    const all =
      end !== undefined || lines.length % MEMORY_EVERY === 0 ? ` memory ${memoryHash(machine)}` : '';
    lines.push(
      `${machine.retired} ${machine.clock.now()} ${cpus} serial ${serial} trace ${hasher.hex}${all}${end ?? ''}`,
    );
  };
  const pieces = bootInPieces(boot, { goal, budget: 3_000_000_000, piece: EVERY });
  for (;;) {
    const piece = pieces.next();
    look(piece.done === true ? ` ${piece.value.outcome}: ${piece.value.summary}` : undefined);
    if (piece.done === true) return lines;
  }
}

const references = new Map<string, string[]>();
/** The course of tier 0, run once. */
function reference(...[architecture, options, goal]: Parameters<typeof course>): string[] {
  const key = JSON.stringify([architecture, options, goal]);
  const lines = references.get(key) ?? course(architecture, { ...options, tier: 'interpreter' }, goal);
  references.set(key, lines);
  return lines;
}

const THRESHOLD = (threshold: number): Variant => ({ tier: 'translator', translator: { threshold } });

/**
 * To the shell with the default threshold, with one that translates all that runs more than a few times, and with 1, which translates all
 * that runs; up to the relocation of SMBASE in odd turns.
 */
const RUNS: readonly (readonly [keyof typeof IMAGES, Partial<BootOptions>, BootGoal, Variant])[] = [
  ['x64', { cpus: 2 }, 'shell', { tier: 'translator' }],
  ['ia32', { cpus: 2 }, 'shell', THRESHOLD(50)],
  ['x64', { cpus: 2, accelerator: 'kvm', kvm: { ept: false } }, 'relocated', { tier: 'translator' }],
  ['ia32', { cpus: 4, schedule: { seed: 5, slice: 20_011 } }, 'relocated', THRESHOLD(1)],
  ['x64', { cpus: 2 }, 'shell', THRESHOLD(1)],
];

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
function shortTurns(architecture: keyof typeof IMAGES, options: Partial<BootOptions>, seed: number) {
  const hasher = new TraceHasher();
  const schedule = { seed, slice: LONG }; // the machine looks at it for every turn
  const boot = new Boot({
    code: readFileSync(IMAGES[architecture].code),
    vars: readFileSync(IMAGES[architecture].vars),
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

describe.runIf(wanted)(
  `OVMF under every tier${wanted ? '' : ' (skipped: needs SMM_FIRMWARE_FULL=1)'}`,
  () => {
    it.each(RUNS)('%s %o to %s: %o', { timeout: 600_000 }, (architecture, options, goal, variant) => {
      const expected = reference(architecture, options, goal);
      expect(expected.at(-1)).toContain(` ${goal}: `);
      const seen = course(architecture, { ...options, ...variant }, goal);
      const at = seen.findIndex((line, i) => line !== expected[i]);
      expect([at, seen[at]]).toEqual([-1, undefined]);
      expect(seen.length).toBe(expected.length);
    });

    it.each([
      ['x64', { cpus: 2 }, 0, { tier: 'translator' }],
      ['ia32', { cpus: 4 }, 5, THRESHOLD(50)],
      ['x64', { cpus: 2, accelerator: 'kvm', kvm: { ept: false } }, 7, THRESHOLD(50)],
    ] as const)(
      '%s %o in short turns, seed %i: %o',
      { timeout: 600_000 },
      (architecture, options, seed, variant) => {
        const expected = shortTurns(architecture, { ...options, tier: 'interpreter' }, seed);
        for (const [i, { entries = 0, ran = 1, ...stretch }] of STRETCHES.entries()) {
          const there = expected.seen[i]!;
          expect(there).toMatchObject({ name: stretch.name, phase: stretch.phase });
          expect([there, there.entries >= entries, there.ran >= ran]).toEqual([there, true, true]);
        }
        const { lines } = shortTurns(architecture, { ...options, ...variant }, seed);
        const at = lines.findIndex((line, i) => line !== expected.lines[i]);
        expect([at, lines[at], lines.length]).toEqual([-1, undefined, expected.lines.length]);
      },
    );
  },
);
