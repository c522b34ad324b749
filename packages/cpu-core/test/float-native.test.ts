/** SSE floating point against the CPU that the tests run on, on every tier. */
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import {
  difference,
  FLOAT_SHAPES,
  type FloatLoop,
  floatLoop,
  NativeFloat,
  randomRecords,
  runHere,
} from './native/float-records.ts';
import { nativeSkip } from './native/x87-harness.ts';
import { FlatMachine, type FlatMachineOptions } from './support/flat-machine.ts';
import { Random } from './support/random.ts';

/** Records of each shape. */
const COUNT = sized(1_000, 30_000);
/** The evaluator sees the first of them. */
const EVALUATED = sized(200, 5_000);

const TIERS: readonly FlatMachineOptions[] = [
  { tier: 'evaluator' },
  { tier: 'interpreter' },
  { tier: 'translator', translator: { threshold: 1 } },
];

describe('native floating point', () => {
  const skip = nativeSkip();
  test.skipIf(skip !== undefined)(
    `${COUNT * FLOAT_SHAPES.length} vectors${skip ? `: skipped, ${skip}` : ''}`,
    () => {
      using native = new NativeFloat();
      const random = new Random(seedOf(19850326));
      const cases = FLOAT_SHAPES.map((shape, n) => {
        const loop: FloatLoop = floatLoop(shape, (n & 1) === 1);
        return { shape, loop, records: randomRecords(random, shape, COUNT) };
      });
      const there = native.run(cases);
      const wrong: string[] = [];
      for (const options of TIERS) {
        const m = new FlatMachine(options);
        cases.forEach(({ shape, loop, records }, n) => {
          const mine = options.tier === 'evaluator' ? records.subarray(0, EVALUATED * 80) : records;
          const text = difference(mine, runHere(m, loop, mine), there[n]!);
          if (text) wrong.push(`${shape.name} ${options.tier}: ${text}`);
        });
        if (options.tier === 'translator') expect(m.engine.translations!.compiled).toBeGreaterThan(100);
      }
      expect(wrong).toEqual([]);
    },
  );
});
