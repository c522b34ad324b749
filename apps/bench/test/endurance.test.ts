/**
 * The endurance suite: its guest does what it is for, and is computed alike by both tiers; a short run of the suite
 * itself.
 */
import { readFileSync } from 'node:fs';
import { stateHash } from '@smm/cpu-core';
import type { Machine } from '@smm/machine';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { reportOf } from '../src/bench.ts';
import { everNew32 } from '../src/kernels/ever-new.ts';
import { machineWith } from '../src/peers/our-machine.ts';
import { renderReport } from '../src/render-text.ts';
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

it('the table tells the parts of a run apart', () => {
  const look = (percent: number, resident: number): EnduranceLook => ({
    ...{ instructions: percent * 1e9, seconds: percent, resident: resident << 20, heap: 20 << 20 },
    ...{ regions: 7, bytes: 1000, compiled: percent * 10, evicted: 1, invalidated: 2 },
  });
  const looks = [look(0, 70), look(5, 100), look(10, 90), look(60, 130), look(70, 120), look(100, 125)];
  const most = { resident: 140 << 20, heap: 30 << 20 };
  const endurance = [{ name: 'ever-new32', peer: 'smm-tier1', looks, most }];
  const report = reportOf({ samples: 1, seconds: 1 }, [], [], [], endurance);
  const text = renderReport(report);
  expect(text).toMatch(/start +0 +0 +0 +7 +1 +2 +70\.0 - 70\.0 /);
  expect(text).toMatch(/0 - 10 % +10000 +10 +100 +7 +1 +2 +90\.0 - 100 /);
  expect(text).toMatch(/50 - 75 % +70000 +70 +700 +7 +1 +2 +120 - 130 /);
  expect(text).toMatch(/maximum +140 +30\.0/);
  const schema = JSON.parse(readFileSync(new URL('../schema/bench.schema.json', import.meta.url), 'utf8'));
  const fits = new Ajv2020().compile(schema);
  expect(fits(JSON.parse(JSON.stringify(report))), JSON.stringify(fits.errors)).toBe(true);
});
