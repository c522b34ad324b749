/** The endurance suite: its guest does what it is for, and is computed alike by both tiers; a short run of the suite itself. */
import { stateHash } from '@smm/cpu-core';
import type { Machine } from '@smm/machine';
import { describe, expect, it } from 'vitest';
import { everNew32 } from '../src/kernels/ever-new.ts';
import { machineWith } from '../src/peers/our-machine.ts';
import { buildRom } from '../src/rom.ts';
import { type EnduranceLook, endure } from '../src/suites/endurance.ts';

const rom = buildRom(everNew32, 0xffff_ffff);
const CODE_BUDGET = 32 << 10;
const STEP = 2_000_000;
const STEPS = 40;

/** Processor and data after every step. */
function course(machine: Machine, each: () => void = () => {}): string[] {
  const { plan } = machine;
  return Array.from({ length: STEPS }, () => {
    machine.run({ instructions: STEP });
    each();
    return stateHash(machine.processors[0]!, [[plan.ramOffset + 0x20_0000, 0x1000]]);
  });
}

describe('ever new code', () => {
  it('is translated, evicted and invalidated, within the budget, and computes what tier 0 computes', () => {
    const expected = course(machineWith(rom, { tier: 'interpreter', accelerator: 'tcg' }, 1));
    expect(new Set(expected).size).toBe(STEPS);
    const machine = machineWith(rom, { tier: 'translator', accelerator: 'tcg' }, 1, {
      translator: { codeBudget: CODE_BUDGET },
      decodedMiB: 1,
    });
    let most = 0;
    const seen = course(machine, () => {
      const { bytes, regions } = machine.translations!;
      expect(bytes).toBeLessThanOrEqual(CODE_BUDGET);
      most = Math.max(most, regions);
    });
    expect(seen).toEqual(expected);
    const { compiled, evicted, invalidated } = machine.translations!;
    // Most of it was given up again: some for want of space, some because the guest wrote over it.
    expect(compiled).toBeGreaterThan(3 * most);
    expect(evicted).toBeGreaterThan(most);
    expect(invalidated).toBeGreaterThan(10);
  });

  it('the suite looks at it before, on the way and at the end', () => {
    const looks: EnduranceLook[] = [];
    const most = endure(
      rom,
      50_000_000,
      () => 1,
      (look) => {
        looks.push(look);
      },
    );
    expect(looks[0]).toMatchObject({ instructions: 0, compiled: 0 });
    expect(looks.length).toBeGreaterThan(2);
    expect(looks.at(-1)!.instructions).toBeGreaterThanOrEqual(50_000_000);
    expect(looks.at(-1)!.compiled).toBeGreaterThan(50);
    expect(most.resident).toBeGreaterThanOrEqual(Math.max(...looks.map(({ resident }) => resident)));
  });
});
