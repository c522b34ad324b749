/**
 * Lazy flags against the SDM's definitions of CF, AF and OF: carries out of the last bit and out of bit 3, and a result
 * that has not its sign.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { evaluateFlags } from '../src/flags.ts';
import * as L from '../src/layout.ts';

const CF = 1;
const PF = 4;
const AF = 0x10;
const ZF = 0x40;
const SF = 0x80;
const OF = 0x800;

function resultFlags(result: bigint, bits: number): number {
  const ones = [...(result & 0xffn).toString(2)].filter((digit) => digit === '1').length;
  return (result === 0n ? ZF : 0) | (result >> BigInt(bits - 1) ? SF : 0) | (ones % 2 === 0 ? PF : 0);
}

/** `a + sign * (b + carry)` at a width: the result, and the flags by definition. */
function compute(a: bigint, b: bigint, carry: bigint, subtract: boolean, bits: number) {
  const exact = subtract ? a - b - carry : a + b + carry;
  const result = BigInt.asUintN(bits, exact);
  const nibble = subtract ? (a & 15n) - (b & 15n) - carry : (a & 15n) + (b & 15n) + carry;
  const [sa, sb] = [BigInt.asIntN(bits, a), BigInt.asIntN(bits, b)];
  const signed = subtract ? sa - sb - carry : sa + sb + carry;
  const flags =
    (exact === result ? 0 : CF) |
    (nibble < 0n || nibble > 15n ? AF : 0) |
    (signed === BigInt.asIntN(bits, signed) ? 0 : OF);
  return { result, flags: flags | resultFlags(result, bits) };
}

function lazy(kind: number, log: number, result: bigint, source: bigint, shiftSource = true): number {
  const shift = BigInt(64 - (8 << log));
  const res = result << shift;
  const src = shiftSource ? source << shift : source;
  const halves = (x: bigint): [number, number] => [Number(x & 0xffff_ffffn), Number(x >> 32n)];
  return evaluateFlags(kind | (log << 8), ...halves(res), ...halves(src), 0);
}

const edges = [0n, 1n, 0xfn, 0x10n, 0x7fn, 0x80n, 0xffn, 0x7fff_ffffn, 0x8000_0000n, 0xffff_ffffn, 1n << 32n];
const value = fc.oneof(
  fc.constantFrom(...edges, ...edges.map((x) => BigInt.asUintN(64, -x))),
  fc.constantFrom((1n << 63n) - 1n, 1n << 63n, 0x7fffn, 0x8000n, 0xffffn),
  fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
);

it.each([0, 1, 2, 3])('operands of 2^%i bytes', (log) => {
  const bits = 8 << log;
  fc.assert(
    fc.property(
      value,
      value,
      fc.boolean(),
      fc.boolean(),
      fc.nat(0xfff),
      (x, y, subtract, withCarry, given) => {
        const a = BigInt.asUintN(bits, x);
        const b = BigInt.asUintN(bits, y);
        const sum = compute(a, b, withCarry ? 1n : 0n, subtract, bits);
        const kinds = subtract ? [L.CC_SUB, L.CC_SBB] : [L.CC_ADD, L.CC_ADC];
        expect(lazy(kinds[withCarry ? 1 : 0]!, log, sum.result, b)).toBe(sum.flags);
        const step = compute(a, 1n, 0n, subtract, bits);
        const kept = withCarry ? CF : 0;
        expect(lazy(subtract ? L.CC_DEC : L.CC_INC, log, step.result, BigInt(kept), false)).toBe(
          (step.flags & ~CF) | kept,
        );
        expect(lazy(L.CC_LOGIC, log, a, b)).toBe(resultFlags(a, bits));
        expect(lazy(L.CC_GIVEN, log, a, BigInt(given), false)).toBe(
          resultFlags(a, bits) | (given & (CF | AF | OF)),
        );
      },
    ),
    { numRuns: 3000, seed: 5 },
  );
});

it('eager flags are those of RFLAGS', () => {
  expect(evaluateFlags(L.CC_EAGER, 0, 0, 0, 0, 0xfff)).toBe(CF | PF | AF | ZF | SF | OF);
});

it('CF and OF may be apart, in RFLAGS', () => {
  const lowest = [1, 0x8000_0000] as const; // SF, odd parity
  const op = L.CC_ADD | (3 << 8);
  const all = evaluateFlags(op, 0, 0x8000_0000, 0xffff_ffff, 0xffff_ffff, 0);
  expect(evaluateFlags(op | L.CC_CF_APART, 0, 0x8000_0000, 0xffff_ffff, 0xffff_ffff, 0)).toBe(all & ~CF);
  expect(evaluateFlags(op | L.CC_CF_APART, ...lowest, 0, 0, CF | OF | ZF)).toBe(SF | CF);
  expect(evaluateFlags(op | L.CC_CF_APART | L.CC_OF_APART, ...lowest, 0, 0, CF | OF | ZF)).toBe(SF | CF | OF);
});
