/**
 * Debian's OVMF goes on from any instruction as if nothing had been, whatever it did in between: under either tier and
 * in another process. Like `snapshots.test.ts`, with firmware that we did not write: decompression, page tables, SMIs,
 * variables in flash, timers.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FULL, seedOf, sized } from '../../../tests/support/form.ts';
import { decodeSnapshot, encodeSnapshot } from '../src/index.ts';
import { type Errand, endsElsewhere } from './another-process.ts';
import { DETOURS, detour } from './detours.ts';
import { ovmfMissing } from './ovmf.ts';
import { hashOf, machineOf, type Recipe } from './recipes.ts';

const missing = ovmfMissing();
/** Instructions from a snapshot to where the ways are compared. */
const ON = 300_000;

interface Course {
  readonly name: string;
  readonly recipe: Recipe;
  /** How many points are tried. */
  readonly points: number;
  /** The points' range, instructions since power-on. */
  readonly from: number;
  readonly to: number;
}

/** Up to 450 million instructions unpack volumes; PEI ends at 520, DXE and SMM come to 1,000, then the shell. */
const COURSES: readonly Course[] = [
  {
    name: 'tcg',
    recipe: { ovmf: 'x64', options: { cpus: 2 } },
    points: sized(4, 40),
    from: sized(480e6, 1),
    to: sized(860e6, 1200e6),
  },
  {
    name: 'kvm',
    recipe: { ovmf: 'x64', options: { cpus: 2, accelerator: 'kvm' } },
    points: sized(3, 30),
    from: 1,
    to: sized(540e6, 1200e6),
  },
  {
    name: 'kvm without EPT, 32 bit',
    recipe: { ovmf: 'ia32', options: { cpus: 3, accelerator: 'kvm', kvm: { ept: false } } },
    points: 20,
    from: 1,
    to: 1000e6,
  },
];

describe.skipIf(missing !== undefined)(`Debian's OVMF ${missing ?? ''}`, () => {
  it.each(COURSES.filter((_, index) => FULL || index < 2))(
    '$name: goes on from any instruction',
    ({ recipe, points, from, to }) => {
      const slow = machineOf(recipe, 'interpreter');
      const fast = machineOf(recipe, 'translator');
      const straight = FULL ? machineOf(recipe, 'translator') : undefined;
      const leaving = fc.record({
        at: fc.integer({ min: from, max: to }),
        away: fc.integer({ min: 1, max: 100_000 }),
        elsewhere: fc.boolean(),
      });
      const kinds = Object.keys(DETOURS);
      const errands: Errand[] = [];
      const ends: string[] = [];
      const drawn = fc.sample(leaving, { numRuns: points, seed: seedOf(points) }).sort((a, b) => a.at - b.at);
      for (const [index, { at, away, elsewhere }] of drawn.entries()) {
        fast.runTo(Math.max(at, fast.retired));
        const snapshot = encodeSnapshot(fast.save());
        const end = fast.retired + ON;
        fast.runTo(end);
        const hash = hashOf(fast);
        for (const [nth, machine] of [slow, fast].entries()) {
          const kind = kinds[(index + nth * 4 + points) % kinds.length]!;
          detour(machine, kind, away);
          machine.restore(decodeSnapshot(snapshot));
          machine.runTo(end);
          expect([at, kind, hashOf(machine)]).toEqual([at, kind, hash]);
        }
        if (!(FULL && elsewhere) && index + 1 < drawn.length) continue;
        errands.push({ recipe, tier: index % 2 === 0 ? 'interpreter' : 'translator', snapshot, to: end });
        ends.push(hash);
      }
      expect(endsElsewhere(errands)).toEqual(ends);
      if (straight === undefined) return;
      straight.runTo(fast.retired);
      expect(hashOf(straight)).toBe(hashOf(fast));
    },
    sized(120_000, 1_200_000),
  );
});
