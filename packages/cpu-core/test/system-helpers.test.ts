/** Every operation is executed by the engine's semantics or by a helper, and every one of these has its operation. */
import { expect, it } from 'vitest';
import { OP_NAMES, OPERATIONS } from '../src/ops.ts';
import { DESCRIPTIONS, SEMANTICS } from '../src/semantics/semantics.ts';
import { HELPER_NAMES, HELPERS } from '../src/system/helpers.ts';

it('leaves no operation without an implementation', () => {
  const missing = OP_NAMES.filter((_name, op) => !SEMANTICS.get(op) && !HELPERS[op]);
  expect(missing).toEqual([]);
});

it('names only what there is, and all of it', () => {
  expect([...SEMANTICS.values()].every((semantics) => typeof semantics === 'function')).toBe(true);
  expect(HELPERS.every((helper) => helper === undefined || typeof helper === 'function')).toBe(true);
  const used = new Set<string | undefined>(OPERATIONS.flatMap(({ does, helper }) => [does, helper]));
  // What two back ends do alike, told once.
  const shared = ['arith.productFlags', 'arith.divideNarrow'];
  expect(DESCRIPTIONS.filter((name) => !used.has(name))).toEqual(shared);
  expect(HELPER_NAMES.filter((name) => !used.has(name))).toEqual([]);
});
