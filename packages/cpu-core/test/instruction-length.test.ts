/**
 * Instructions of 15 bytes run, longer ones are #GP(0): Intel SDM Vol. 3, "General-Protection Exception", and the
 * processor at hand.
 */
import { describe, expect, test } from 'vitest';
import { NativeFpu, nativeSkip } from './native/x87-harness.ts';
import { FlatMachine } from './support/flat-machine.ts';

const GP_VECTOR = 13;
const UD_VECTOR = 6;
const SIGILL = 4;
const SIGSEGV = 11;

const prefixed = (count: number, ...opcode: number[]): Uint8Array =>
  Uint8Array.of(...new Array<number>(count).fill(0x66), ...opcode);

/** Code, and the vector of its first fault: -1 for none. */
const CASES: readonly (readonly [name: string, code: Uint8Array, vector: number])[] = [
  ['NOP of 15 bytes', prefixed(14, 0x90), -1],
  ['NOP of 16 bytes', prefixed(15, 0x90), GP_VECTOR],
  ['UD2 of 15 bytes', prefixed(13, 0x0f, 0x0b), UD_VECTOR],
  ['UD2 of 16 bytes', prefixed(14, 0x0f, 0x0b), GP_VECTOR],
  ['15 prefixes', prefixed(15), GP_VECTOR],
  ['an immediate that reaches over 15 bytes', prefixed(12, 0x05, 1, 2), -1],
  ['the same, one longer', prefixed(13, 0x05, 1, 2), GP_VECTOR],
];

describe.each(['evaluator', 'interpreter', 'translator'] as const)('%s', (tier) => {
  test.each(CASES)('%s', (_name, code, vector) => {
    for (const bits of [32, 64] as const) {
      // In the middle of a page, and over its end.
      for (const at of [0x2000, 0x2ff8]) {
        const m = new FlatMachine({ tier });
        const faults: number[] = [];
        m.onFault = (number) => faults.push(number);
        m.load(at, Uint8Array.of(...code, 0xeb, 0xfe));
        m.start(bits, at);
        m.cpu.run(1);
        expect(faults[0] ?? -1, `${bits}-bit at ${at.toString(16)}h`).toBe(vector);
      }
    }
  });
});

const skip = nativeSkip();
test.skipIf(skip !== undefined)(`so does the processor at hand${skip ? `: skipped, ${skip}` : ''}`, () => {
  using fpu = new NativeFpu();
  const image = new Uint8Array(112);
  new DataView(image.buffer).setUint32(0, 0x37f, true);
  const memory = new Uint8Array(112);
  const signals = fpu
    .run(CASES.map(([, code]) => ({ image, flags: 0x202, code, memory })))
    .map(({ signal }) => signal);
  const expected = CASES.map(([, , vector]) => (vector === -1 ? 0 : vector === GP_VECTOR ? SIGSEGV : SIGILL));
  expect(signals).toEqual(expected);
});
