/**
 * Random programs under hooks of every kind: all tiers tell the same of the same, and a guest does what it does without
 * any, wherever hooks stop it.
 */
import { describe, expect, test } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { Comparison, EVALUATOR, INTERPRETER } from './support/tier-compare.ts';
import type { CaseShape } from './support/tier-generator.ts';
import type { Variant } from './support/tier-world.ts';

const interpreter = new Interpreter();
const FIRST = seedOf(31);
const TRANSLATORS: readonly Variant[] = [1, 8].map((threshold) => ({
  name: `translator, threshold ${threshold}`,
  tier: 'translator',
  translator: { threshold },
}));

function hooked(variant: Variant, hooks: 'told' | 'quiet'): Variant {
  return { ...variant, name: `${variant.name}, ${hooks}`, hooks };
}

function run(comparison: Comparison, bits: 16 | 32 | 64, cases: number, instructions: number): void {
  const shape: CaseShape = { bits, processors: bits === 16 ? 1 : 2, instructions };
  for (let n = 0; n < cases; n++) comparison.check(FIRST + bits * 100_000 + n, shape);
  expect(comparison.told).toBeGreaterThan(cases * 10);
}

describe.each([16, 32, 64] as const)('%i-bit programs', (bits) => {
  test('every tier tells hooks the same', () => {
    const others = [INTERPRETER, ...TRANSLATORS].map((variant) => hooked(variant, 'told'));
    run(new Comparison(hooked(EVALUATOR, 'told'), others, interpreter), bits, sized(4, 200), 1500);
  }, 600_000);

  test('a guest does the same with hooks that stop it and without any', () => {
    const others = [EVALUATOR, INTERPRETER, ...TRANSLATORS].map((variant) => hooked(variant, 'quiet'));
    run(new Comparison(INTERPRETER, others, interpreter), bits, sized(4, 200), 1500);
  }, 600_000);
});
