/** Any text is assembled, or refused with the line that is wrong. */
import { type AssembleOptions, assemble } from '@smm/asm';
import { expect, it } from 'vitest';
import { corpus } from '../../packages/asm/test/corpus.ts';
import type { Random } from '../../packages/cpu-core/test/support/random.ts';
import { fuzz } from '../support/fuzz.ts';

type Input = readonly [bits: 16 | 32 | 64, source: string];

const WORDS =
  'mov add jmp call lock rep times db dw dd dq equ bits org align %define section global [ ] + - * , : $ $$ short near far word ptr dword qword byte rel eax rax ax al st0 xmm0 cr0 gs fs 0 1 -1 0x7fffffff 0xffffffffffffffffff 1e9 a b .a "x" \' ( ) << >> ~ ! ; \t \\ 0b 0o 0h 10h'.split(
    ' ',
  );

const LINES = { 16: corpus(16).split('\n'), 32: corpus(32).split('\n'), 64: corpus(64).split('\n') };

/** Found once: stack and time without end. */
const FOUND: readonly Input[] = [
  [16, `db ${'('.repeat(20_000)}1`],
  [32, `dd ${'~-'.repeat(20_000)}1`],
  [64, `db '${'x'.repeat(200_000)}'`],
  [16, `${'times 1 '.repeat(20_000)}nop`],
  [16, 'times 4000000 times 4000000 bits 16'],
];

function line(random: Random, bits: 16 | 32 | 64): string {
  const text = random.pick(LINES[bits]);
  const words = random.below(3) ? text.split(/(?<=[ ,[\]+*])/) : [];
  if (random.below(20) === 0) words.push(random.pick(WORDS).repeat(random.below(3000)));
  for (let n = random.below(4); n >= 0; n--) {
    const at = random.below(words.length + 1);
    if (random.below(2)) words.splice(at, random.below(2), random.pick(WORDS));
    else words.splice(at, 1, String.fromCharCode(random.below(random.below(4) ? 128 : 0x1_0000)));
  }
  return words.join(random.below(2) ? '' : ' ');
}

it('assembles, or says what is wrong', () => {
  const { taken, refused } = fuzz<Input>({
    runs: [6000, 1_000_000],
    corpus: FOUND,
    make: (random) => {
      const bits = random.pick([16, 32, 64] as const);
      return [bits, Array.from({ length: 1 + random.below(5) }, () => line(random, bits)).join('\n')];
    },
    use: ([bits, source]) => {
      const options: AssembleOptions = { bits, org: 0x1000 };
      assemble(source, options);
    },
    show: (input) => JSON.stringify(input),
  });
  expect(taken).toBeGreaterThan(10);
  expect(refused.size).toBeGreaterThan(3);
});
