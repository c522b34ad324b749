/**
 * Whole boots of Debian's OVMF under every tier: all processors' registers, the trace and the serial text are the same
 * every few instructions, and all of memory at coarser points.
 */
import { stateHash, type TierName, type TranslatorOptions } from '@smm/cpu-core';
import { TraceHasher } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { Boot, type BootGoal, type BootOptions, bootInPieces, memoryHash } from '../src/index.ts';
import { expectCourse } from './courses.ts';
import { type Architecture, ovmfMissing, readOvmf } from './ovmf.ts';

const missing = ovmfMissing();

interface Variant {
  readonly tier: TierName;
  readonly translator?: TranslatorOptions;
}

/** Instructions between two looks at the processors, and looks between two at memory. */
const EVERY = 1_000_000;
const MEMORY_EVERY = 40;

/** One line for each look, the last at the goal. */
function course(architecture: Architecture, options: Partial<BootOptions>, goal: BootGoal): string[] {
  const hasher = new TraceHasher();
  let serial = 0;
  const boot = new Boot({
    ...readOvmf(architecture),
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
  const pieces = bootInPieces(boot, { until: goal, budget: 3_000_000_000, piece: EVERY });
  for (;;) {
    const piece = pieces.next();
    look(piece.done === true ? ` ${piece.value.outcome}: ${piece.value.summary}` : undefined);
    if (piece.done === true) return lines;
  }
}

const THRESHOLD = (threshold: number): Variant => ({ tier: 'translator', translator: { threshold } });

/**
 * To the shell with the default threshold, with one that translates all that runs more than a few times, and with 1,
 * which translates all that runs; up to the relocation of SMBASE in odd turns.
 */
const RUNS: readonly (readonly [name: string, Architecture, Partial<BootOptions>, BootGoal, Variant])[] = [
  ['x64-shell', 'x64', { cpus: 2 }, 'shell', { tier: 'translator' }],
  ['ia32-shell', 'ia32', { cpus: 2 }, 'shell', THRESHOLD(50)],
  [
    'x64-kvm-shadow-relocated',
    'x64',
    { cpus: 2, accelerator: 'kvm', kvm: { ept: false } },
    'relocated',
    { tier: 'translator' },
  ],
  [
    'ia32-odd-turns-relocated',
    'ia32',
    { cpus: 4, schedule: { seed: 5, slice: 20_011 } },
    'relocated',
    THRESHOLD(1),
  ],
  ['x64-shell', 'x64', { cpus: 2 }, 'shell', THRESHOLD(1)],
];

describe.skipIf(missing !== undefined)(`OVMF under every tier ${missing ?? ''}`, () => {
  it.each(sized([...RUNS.slice(0, 1), ...RUNS.slice(2, 4)], RUNS))(
    '%s: %s %o to %s: %o',
    async (name, architecture, options, goal, variant) => {
      const seen = course(architecture, { ...options, ...variant }, goal);
      expect(seen.at(-1)).toContain(` ${goal}: `);
      await expectCourse(name, seen, () => course(architecture, { ...options, tier: 'interpreter' }, goal));
    },
  );
});
