/** What of floating point runs in generated code: an evaluator that is asked is right but a hundred times slower. */
import { describe, expect, test, vi } from 'vitest';
import { GeneratedTier } from '../src/engine/generated-tier.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import * as L from '../src/layout.ts';
import { FLOAT_SHAPES, floatLoop, RECORD, runHere } from './native/float-records.ts';
import { FlatMachine } from './support/flat-machine.ts';
import { Random } from './support/random.ts';

const COUNT = 40;
const interpreter = new Interpreter();
/** Shapes whose operands are integers. */
const INTEGER_OPERANDS = /^(cvt\w*dq2|cvtsi2)/;

/** Records with operands of a kind in all lanes. */
function recordsOf(lane: 0 | 4 | 8, mxcsr: number, value: () => number): Uint8Array {
  const bytes = new Uint8Array(COUNT * RECORD);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += RECORD) {
    for (let n = 0; n < 32; n += lane || 4) {
      if (lane === 0) view.setInt32(at + n, Math.trunc(value()), true);
      else if (lane === 4) view.setFloat32(at + n, value(), true);
      else view.setFloat64(at + n, value(), true);
    }
    view.setBigInt64(at + 48, BigInt(Math.trunc(value())), true);
    view.setUint32(at + 64, mxcsr, true);
  }
  return bytes;
}

/** How often generated code asks TypeScript, apart from PUSHFQ and POP to memory in each round. */
function leaves(m: FlatMachine, run: () => void): number {
  const spies = [
    vi.spyOn(GeneratedTier.prototype, 'abort'),
    vi.spyOn(GeneratedTier.prototype, 'regionAbort'),
    vi.spyOn(GeneratedTier.prototype, 'execute'),
    vi.spyOn(GeneratedTier.prototype, 'regionExecute'),
  ];
  run();
  const calls = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
  for (const spy of spies) spy.mockRestore();
  expect(m.cpu.state.get32(L.ST_EXIT)).toBe(L.EXIT_BUDGET);
  return calls - 2 * COUNT;
}

describe.each(['interpreter', 'translator'] as const)('%s', (tier) => {
  const random = new Random(7);
  const kinds: readonly (readonly [name: string, mxcsr: number, value: () => number])[] = [
    ['fractions, PE set', 0x1fa0, () => (random.next() / 2 ** 20 + 0.1) * 1.7],
    ['fractions, PE set, DAZ and FTZ', 0x9fe0, () => random.next() / 2 ** 24 + 0.1],
    ['fractions, PE clear', 0x1f80, () => (random.next() / 2 ** 20 + 0.1) * 1.7],
    ['fractions, only PE masked', 0x1000, () => (random.next() / 2 ** 20 + 0.1) * 1.7],
    ['whole numbers, PE clear', 0x1f80, () => 1 + random.below(100)],
    ['squares of two, rounding up', 0x5f80, () => 4 ** (1 + random.below(6))],
  ];
  test.each(kinds)('%s: the evaluator is not asked', (_name, mxcsr, value) => {
    const asked: string[] = [];
    const m = new FlatMachine({ tier, translator: { threshold: 1 }, interpreter });
    for (const shape of FLOAT_SHAPES) {
      const lane = INTEGER_OPERANDS.test(shape.name) ? 0 : shape.lane;
      const records = recordsOf(lane, mxcsr, value);
      const calls = leaves(m, () => runHere(m, floatLoop(shape, false), records));
      if (calls !== 0) asked.push(`${shape.name}: ${calls}`);
    }
    expect(asked).toEqual([]);
  });
});
