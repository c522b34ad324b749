/** The tier comparison can fail: instructions that are wrong in one tier are found, and what is shown of them is small. */
import { describe, expect, test } from 'vitest';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import type { Insn } from '../src/insn.ts';
import { OP, type OpName } from '../src/ops.ts';
import * as arith from '../src/semantics/arith.ts';
import { SEMANTICS, type Semantics } from '../src/semantics/semantics.ts';
import { Comparison, EVALUATOR } from './support/tier-compare.ts';

/** Generated code in which one operation does something else. The evaluator looks the descriptions up as it goes: it stays right. */
function broken(name: OpName, wrong: Semantics): Interpreter {
  const table = SEMANTICS as Map<number, Semantics>;
  const right = table.get(OP[name])!;
  table.set(OP[name], wrong);
  try {
    const interpreter = new Interpreter();
    for (const translator of [false, true]) interpreter.forMemory(false, translator);
    return interpreter;
  } finally {
    table.set(OP[name], right);
  }
}

function as(name: OpName, semantics: Semantics): Semantics {
  return (b, insn) => semantics(b, Object.assign(Object.create(insn) as Insn, { op: OP[name] }));
}

const FULL = process.env['SMM_ORACLE_FULL'] === '1';

describe.each<[OpName, string, Semantics]>([
  ['ADC', 'leaves the carry out', as('ADD', arith.addSub)],
  ['DEC', 'increments', as('INC', arith.incDec)],
  ['SBB', 'adds', as('ADC', arith.addSubCarry)],
  ['LAHF', 'does nothing', () => {}],
])('%s that %s', (name, _what, wrong) => {
  test.each(FULL ? ([32, 64] as const) : ([32] as const))(
    'is found in %i-bit code and shown in a few lines',
    (bits) => {
      const comparison = new Comparison(
        EVALUATOR,
        [{ name: 'broken', tier: 'interpreter' }],
        broken(name, wrong),
      );
      let message = '';
      for (let seed = 1; message === '' && seed < 60; seed++) {
        try {
          comparison.check(seed, { bits, processors: 1, instructions: 1500 });
        } catch (error) {
          message = (error as Error).message;
        }
      }
      const program = /--- program.*?\n(.*)\n--- slices\n(.*)\n--- difference\n/s.exec(message)!;
      expect(program[1]!.split('\n').length).toBeLessThanOrEqual(16);
      expect(program[2]!.split('\n').length).toBeLessThanOrEqual(2);
      // Or what calls one of the fixed subroutines, which have one.
      expect(program[1]).toMatch(new RegExp(`\\b${name}\\b|call \\d`, 'i'));
    },
  );
});
