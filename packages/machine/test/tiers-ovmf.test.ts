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
    const all = end !== undefined || lines.length % MEMORY_EVERY === 0 ? ` memory ${memoryHash(boot)}` : '';
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

/** Of the pages that hold anything: a tier may touch a page that it leaves as it was. */
function memoryHash({ machine }: Boot): number {
  let hash = 1;
  for (const { at, bytes } of machine.save().memory) {
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    if (words.every((word) => word === 0)) continue;
    hash = Math.imul(hash ^ at, 0x85eb_ca6b);
    for (let i = 0; i < words.length; i++) {
      hash = Math.imul(hash ^ words[i]!, 0x85eb_ca6b);
      hash ^= hash >>> 13;
    }
  }
  return hash;
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

/** Where turns are short for a while: as the phase begins, and so many instructions later. */
const STRETCHES: readonly (readonly [phase: BootPhase, later: readonly number[]])[] = [
  ['reset', [0, 1_000_000]],
  ['PEI', [0, 500_000, 1_500_000]],
  ['DXE', [0, 5_000_000, 20_000_000]],
];
/** Turns of a stretch: so many of so many instructions (with a seed, of up to twice as many). */
const SHORT: readonly (readonly [slice: number, turns: number])[] = [
  [1, 3000],
  [7, 3000],
  [113, 1500],
];
const LONG = 100_000;

/** A boot with stretches of short turns, and a line for the end of each of these: regions are left in their middle. */
function shortTurns(
  architecture: keyof typeof IMAGES,
  options: Partial<BootOptions>,
  seed: number,
): string[] {
  const hasher = new TraceHasher();
  const schedule = { seed, slice: LONG }; // the machine looks at it for every turn
  const boot = new Boot({
    code: readFileSync(IMAGES[architecture].code),
    vars: readFileSync(IMAGES[architecture].vars),
    ...options,
    schedule,
    trace: hasher.sink,
  });
  const { machine } = boot;
  const run = (instructions: number): void => {
    const stop = boot.run(instructions);
    if (stop === 'reset') boot.restart();
    else expect(stop).toBe('budget');
  };
  const lines: string[] = [];
  for (const [phase, later] of STRETCHES) {
    schedule.slice = LONG;
    while (BOOT_PHASES.indexOf(boot.phases.phase) < BOOT_PHASES.indexOf(phase)) run(LONG);
    const begin = machine.retired;
    for (const wait of later) {
      schedule.slice = LONG;
      if (machine.retired < begin + wait) run(begin + wait - machine.retired);
      for (const [slice, turns] of SHORT) {
        schedule.slice = slice;
        for (let turn = 0; turn < turns; turn++) {
          run(1); // one turn: it ends behind the first instruction
          const cpus = machine.processors.map((cpu) => stateHash(cpu)).join(' ');
          lines.push(`${slice} ${machine.retired} ${machine.clock.now()} ${cpus} trace ${hasher.hex}`);
        }
      }
      lines.push(`memory ${memoryHash(boot)} in ${boot.phases.phase}`);
    }
  }
  return lines;
}

describe.runIf(wanted)(
  `OVMF under every tier${wanted ? '' : ' (skipped: needs SMM_FIRMWARE_FULL=1)'}`,
  () => {
    it.each(RUNS)('%s %o to %s: %o', { timeout: 600_000 }, (architecture, options, goal, variant) => {
      const expected = course(architecture, { ...options, tier: 'interpreter' }, goal);
      expect(expected.at(-1)).toContain(` ${goal}: `);
      const seen = course(architecture, { ...options, ...variant }, goal);
      const at = seen.findIndex((line, i) => line !== expected[i]);
      expect([at, seen[at]]).toEqual([-1, undefined]);
      expect(seen.length).toBe(expected.length);
    });

    it.each([
      ['x64', { cpus: 2 }, 0, { tier: 'translator' }],
      ['ia32', { cpus: 2 }, 5, THRESHOLD(50)],
    ] as const)(
      '%s %o in short turns, seed %i: %o',
      { timeout: 600_000 },
      (architecture, options, seed, variant) => {
        const expected = shortTurns(architecture, { ...options, tier: 'interpreter' }, seed);
        const seen = shortTurns(architecture, { ...options, ...variant }, seed);
        const at = seen.findIndex((line, i) => line !== expected[i]);
        expect([at, seen[at], seen.length]).toEqual([-1, undefined, expected.length]);
      },
    );
  },
);
