/** SSE floating point against the CPU that the tests run on, on every tier. */
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import {
  APPROXIMATIONS,
  difference,
  FLOAT_SHAPES,
  type FloatLoop,
  floatLoop,
  NativeFloat,
  randomRecords,
  runHere,
  singles,
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

  test.skipIf(skip !== undefined)(
    `approximations: zeros, infinities and NaNs as there, the rest within the bound${skip ? `: skipped, ${skip}` : ''}`,
    { timeout: 600_000 },
    () => {
      using native = new NativeFloat();
      const random = new Random(seedOf(19990226));
      const cases = APPROXIMATIONS.map((shape) => {
        return { shape, loop: floatLoop(shape, false), records: randomRecords(random, shape, COUNT) };
      });
      const there = native.run(cases);
      for (const options of TIERS) {
        const m = new FlatMachine(options);
        cases.forEach(({ shape, loop, records }, n) => {
          const here = runHere(m, loop, records);
          for (let record = 0; record < COUNT; record++) {
            const theirs = singles(there[n]!, record);
            singles(here, record).forEach(({ from, to, bits }, lane) => {
              const text = `${shape.name} ${options.tier} of ${from}`;
              const { to: other, bits: otherBits } = theirs[lane]!;
              const exact = 1 / (shape.name.startsWith('rsqrt') ? Math.sqrt(from) : from);
              // SDM, RCPPS: which results near the smallest normal number become zero is the processor's matter.
              const border = Math.abs(exact * 2 ** 126 - Math.sign(exact)) < 2 ** -10;
              const close = Math.abs(to / exact - 1) <= 1.5 * 2 ** -12;
              const special =
                other === 0 || !Number.isFinite(other) || (shape.name.endsWith('ss') && lane > 0);
              if (special && !(border && close)) expect(bits, text).toBe(otherBits);
              else expect(close || (border && to === 0), text).toBe(true);
            });
          }
        });
      }
    },
  );
});
