/**
 * Every kind of lazy flags, CF or CF and OF put apart or not, seen by all that reads flags: tier 0 against the
 * evaluator.
 */
import { expect, test } from 'vitest';
import type { TierName } from '../src/engine/engine.ts';
import { stateHash } from '../src/engine/state-hash.ts';
import { Interpreter } from '../src/engine/wasm/interpreter.ts';
import { assemble } from './support/assemble.ts';
import { type Bits, FlatMachine } from './support/flat-machine.ts';
import { Random } from './support/random.ts';
import { PROGRAM } from './support/random-program.ts';

const INTERPRETER = new Interpreter();

const MAKERS = [
  ...['add', 'sub', 'adc', 'sbb', 'and', 'xor', 'cmp', 'test'].map((op) => `${op} @1, @2`),
  ...['inc', 'dec', 'neg'].map((op) => `${op} @1`),
  'imul @1, @2',
  'shl @1, 3',
  'sahf',
];
const CHANGERS = [
  '',
  'clc',
  'stc',
  'cmc',
  'rol @3, 5',
  'ror @3, 1',
  'rcl @3, 1',
  'rcr @3, 7',
  'bt @3, 4',
  'btr @3, 2',
  'cld',
  // A masked count of 0 changes no flag.
  'shl @3, 64',
  'sar edx, 32',
  'mov ecx, 0x40\n shr @3, cl',
];
const READERS = [
  'adc @3, @2',
  'sbb @3, @2',
  'sbb @3, -1',
  'adc [M], @3',
  'sbb @3, [M]',
  'inc @3',
  'dec @3',
  'rcr @3, 1',
  'lahf',
  'cmc',
  ...['o', 'no', 'b', 'ae', 'e', 'ne', 'be', 'a', 's', 'ns', 'p', 'np', 'l', 'ge', 'le', 'g'].flatMap(
    (cc) => [`set${cc} dl`, `cmov${cc} @3, @2`, `j${cc} $ + 4\n xor dl, dh`],
  ),
];

const NAMES = {
  1: ['al', 'ax', 'eax', 'rax'],
  2: ['bl', 'bx', 'ebx', 'rbx'],
  3: ['', '', 'esi', 'rsi'],
} as const;

/** All of them in one program, in an order of its own, with a width for each; the readers' results go into memory. */
function program(random: Random, bits: Bits): string {
  const wide = bits === 64 ? 3 : 2;
  const lines: string[] = ['M equ 8000h'];
  for (const maker of MAKERS) {
    for (const changer of CHANGERS) {
      for (let n = 0; n < 3; n++) {
        const reader = READERS[random.below(READERS.length)]!;
        const log = maker.startsWith('imul') ? wide : random.below(wide + 1);
        const name = (line: string, width: number): string =>
          line.replace(/@([12])/g, (_, k: '1' | '2') => NAMES[k][width]!).replace(/@3/g, NAMES[3][wide]);
        lines.push(name(maker, log), name(changer, wide), name(reader, wide));
        lines.push(bits === 64 ? 'pushfq\n pop rcx' : 'pushfd\n pop ecx');
        lines.push(
          `add ${bits === 64 ? 'rdi, rcx' : 'edi, ecx'}`,
          `rol ${NAMES[3][wide]}, 3`,
          `add ${NAMES[2][wide]}, ${NAMES[3][wide]}`,
        );
      }
    }
  }
  return `${lines.join('\n')}\nhlt`;
}

function run(tier: TierName, code: Uint8Array, bits: Bits, seed: number): string {
  const m = new FlatMachine({ tier, processors: 1, interpreter: INTERPRETER });
  m.load(PROGRAM, code);
  const [cpu] = m.cpus;
  m.start(bits, PROGRAM, 0x7800, cpu!);
  const random = new Random(seed);
  for (const register of [0, 2, 3, 6, 7])
    cpu!.state.setGpr64(register, bits === 64 ? random.value() : BigInt(random.next()));
  expect(cpu!.run(100_000).reason).toBe('halted');
  return stateHash(cpu!, [[0x7000, 0x2000]]);
}

test.each([32, 64] as const)('%i bit', (bits) => {
  for (let seed = 0; seed < 10; seed++) {
    const code = assemble(program(new Random(seed), bits), { bits, org: PROGRAM });
    expect(run('interpreter', code, bits, seed), `seed ${seed}`).toBe(run('evaluator', code, bits, seed));
  }
});
