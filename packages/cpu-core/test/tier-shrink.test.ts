/**
 * The tier comparison can fail: instructions that are wrong in one tier are found, and what is shown of them is small.
 */
import { describe, expect, test } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import type { Insn } from '../src/insn.ts';
import { OP, type OpName } from '../src/ops.ts';
import * as arith from '../src/semantics/arith.ts';
import { SEMANTICS, type Semantics } from '../src/semantics/semantics.ts';
import type { Bits } from './support/flat-machine.ts';
import { Comparison, EVALUATOR, INTERPRETER, VARIANTS } from './support/tier-compare.ts';
import { SMM_HANDLER } from './support/tier-surroundings.ts';

/** The interpreter's code, made now. */
function generated(): Interpreter {
  const interpreter = new Interpreter();
  for (const translator of [false, true]) interpreter.forMemory(false, translator);
  return interpreter;
}

/** What `f` gives while one operation is described wrongly. */
function whileWrong<T>(name: OpName, wrong: Semantics, f: () => T): T {
  const table = SEMANTICS as Map<number, Semantics>;
  const right = table.get(OP[name])!;
  table.set(OP[name], wrong);
  try {
    return f();
  } finally {
    table.set(OP[name], right);
  }
}

/** The first difference that is found, and its seed. */
function search(comparison: Comparison, bits: Bits): { seed: number; message: string } {
  for (let seed = 1; seed < 60; seed++) {
    try {
      comparison.check(seed, shape(bits));
    } catch (error) {
      return { seed, message: (error as Error).message };
    }
  }
  return { seed: 0, message: '' };
}

function shape(bits: Bits): Parameters<Comparison['check']>[1] {
  return { bits, processors: 1, instructions: 1500 };
}

/**
 * It is short, and names the operation or calls a subroutine: the fixed ones have one, and others may be entered in the
 * middle of an instruction, where a displacement of 110h is an ADC. An SMI will do if its handler has the operation.
 */
function expectSmall(message: string, name: OpName): void {
  const program = /--- program.*?\n(.*)\n--- slices\n(.*)\n--- difference\n/s.exec(message)!;
  expect(program[1]!.split('\n').length).toBeLessThanOrEqual(16);
  expect(program[2]!.split('\n').length).toBeLessThanOrEqual(3);
  const named = new RegExp(`\\b${name}\\b`, 'i');
  const byHandler = named.test(SMM_HANDLER) && program[2]!.includes('"kind":"smi"');
  if (!byHandler) expect(program[1]).toMatch(new RegExp(`${named.source}|call \\w`, 'i'));
}

function as(name: OpName, semantics: Semantics): Semantics {
  return (b, insn) => semantics(b, Object.assign(Object.create(insn) as Insn, { op: OP[name] }));
}

describe.each<[OpName, string, Semantics]>([
  ['ADC', 'leaves the carry out', as('ADD', arith.addSub)],
  ['DEC', 'increments', as('INC', arith.incDec)],
  ['SBB', 'adds', as('ADC', arith.addSubCarry)],
  ['LAHF', 'does nothing', () => {}],
])('%s that %s', (name, _what, wrong) => {
  const [, translator] = VARIANTS;

  test.each(FULL ? ([32, 64] as const) : ([32] as const))(
    'in the interpreter is found in %i-bit code and shown in a few lines',
    (bits) => {
      // The evaluator looks the descriptions up as it goes: it stays right.
      const interpreter = whileWrong(name, wrong, generated);
      const { seed, message } = search(new Comparison(EVALUATOR, [INTERPRETER], interpreter), bits);
      expectSmall(message, name);
      // The same program without the mistake shows no difference: it is the mistake that was found.
      new Comparison(EVALUATOR, [INTERPRETER], generated()).check(seed, shape(bits));
    },
  );

  test.each(FULL ? ([32, 64] as const) : ([64] as const))(
    'in translated code is found in %i-bit code and shown in a few lines',
    (bits) => {
      // The interpreter's code is made before: only what is translated is wrong.
      const interpreter = generated();
      const { seed, message } = whileWrong(name, wrong, () =>
        search(new Comparison(INTERPRETER, [translator!], interpreter), bits),
      );
      expectSmall(message, name);
      new Comparison(INTERPRETER, [translator!], interpreter).check(seed, shape(bits));
    },
  );
});
