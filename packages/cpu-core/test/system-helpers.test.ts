/** Every operation is executed by the engine's semantics or by a helper. */
import { expect, it } from 'vitest';
import { OP_NAMES } from '../src/ops.ts';
import { SEMANTICS } from '../src/semantics/semantics.ts';
import { HELPERS } from '../src/system/helpers.ts';

it('leaves no operation without an implementation', () => {
  const missing = OP_NAMES.filter((_name, op) => !SEMANTICS.get(op) && !HELPERS[op]);
  expect(missing).toEqual([]);
});
