/**
 * Random programs under every tier: equal states, devices, walks and events at the end of every slice (issue 4). A
 * program that shows a difference is printed in its smallest form found, with its seed. The full form runs thousands.
 */
import { describe, expect, test } from 'vitest';
import { FULL, seedOf } from '../../../tests/support/form.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { Comparison, EVALUATOR, INTERPRETER, VARIANTS } from './support/tier-compare.ts';
import type { CaseShape } from './support/tier-generator.ts';
import type { Variant } from './support/tier-world.ts';

const interpreter = new Interpreter();
const FIRST = seedOf(1);
/**
 * From 256 on, regions are translated several at a time. By default few programs of this length are translated at all.
 */
const BATCHES: Variant = {
  name: 'translator, threshold 300',
  tier: 'translator',
  translator: { threshold: 300 },
};
const TRANSLATORS = [BATCHES, ...VARIANTS.filter(({ translator }) => FULL || translator !== undefined)];

/** Cases by kind of run: in CI, and in `npm test`. */
const RUNS: readonly (readonly [
  name: string,
  full: number,
  quick: number,
  instructions: number,
  hot: boolean,
])[] = [
  ['short', 300, 6, 1200, false],
  ['longer', 12, 2, 12_000, false],
  ['hot', 25, 2, 60_000, true],
];

describe.each([16, 32, 64] as const)('%i-bit programs', (bits) => {
  describe.each([1, 2] as const)('%i processors', (processors) => {
    test.each(RUNS)(
      'the translator does what the interpreter does: %s',
      (_name, full, quick, instructions, hot) => {
        const comparison = new Comparison(INTERPRETER, TRANSLATORS, interpreter);
        run(comparison, FULL ? full : quick, { bits, processors, instructions, hot });
      },
      600_000,
    );

    test('the interpreter does what the evaluator does', () => {
      const comparison = new Comparison(EVALUATOR, [INTERPRETER], interpreter);
      run(comparison, FULL ? 100 : 3, { bits, processors, instructions: 1500 });
    });
  });
});

function run(comparison: Comparison, cases: number, shape: CaseShape): void {
  const base = FIRST + (shape.bits * 4 + shape.processors) * 100_000 + (shape.instructions % 997) * 1000;
  for (let n = 0; n < cases; n++) comparison.check(base + n, shape);
  const { tally, translations } = comparison;
  expect(tally.cases).toBe(cases);
  // A program that shut down compares little: handlers let nearly all go on.
  expect(tally.ended).toBeLessThanOrEqual(Math.floor(cases * 0.05));
  // What was not translated was not compared.
  const needed = shape.hot ? /threshold/ : /threshold [18] /;
  for (const [variant, { compiled }] of Object.entries(translations))
    if (needed.test(variant)) expect(compiled, variant).toBeGreaterThan(0);
}
