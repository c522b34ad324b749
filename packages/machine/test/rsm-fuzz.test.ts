/**
 * RSM from save states that hold any bytes: the guest goes on or shuts down, or what is not modelled stops with an
 * error that says so. Nothing else. SMM_FULL=1: 100,000 states.
 */
import { UnmodelledError } from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { BENCHES, type RsmCase, rsmBench } from './rsm/bench.ts';
import { RSM_CORPUS } from './rsm/corpus.ts';

const RUNS = sized(600, 100_000);

/** Words that are at a border of something. */
const BORDERS: readonly bigint[] = [
  0n,
  1n,
  0x7fffn,
  0x8000n,
  0xffffn,
  0xffff_0000n,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_ffffn,
  0x1_0000_0000n,
  0x7fff_ffff_ffffn,
  0x8000_0000_0000n,
  0x8000_0000_0000_0000n,
  0xffff_8000_0000_0000n,
  0xffff_7fff_ffff_ffffn,
  0x7fff_ffff_ffff_ffffn,
  0x0010_0000_0000_0000n,
  0x0020_0000_0000_0001n,
  0xffff_ffff_ffff_ffffn,
];

function caseOf(bench: number): fc.Arbitrary<RsmCase> {
  const { layout } = BENCHES[bench]!;
  const value = fc.oneof(
    fc.constantFrom(...BORDERS),
    fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn }),
    fc.nat(63).map((bit) => 1n << BigInt(bit)),
  );
  const field = fc
    .tuple(fc.constantFrom(...layout.fields), fc.constantFrom(0, 4), value)
    .map(([{ offset, width }, half, bits]) =>
      width === 8 && half === 4
        ? ([offset - layout.areaOffset + 4, 4, bits & 0xffff_ffffn] as const)
        : ([offset - layout.areaOffset, width, BigInt.asUintN(width * 8, bits)] as const),
    );
  const raw = fc
    .tuple(fc.nat(504), fc.constantFrom(1, 2, 4, 8), value)
    .map(([offset, width, bits]) => [offset, width, BigInt.asUintN(width * 8, bits)] as const);
  const edits = fc.array(fc.oneof({ weight: 4, arbitrary: field }, { weight: 1, arbitrary: raw }), {
    minLength: 1,
    maxLength: 6,
  });
  return edits.map((list) => ({ bench: BENCHES[bench]!.name, edits: list }));
}

function checked(one: RsmCase): void {
  const bench = rsmBench(one.bench);
  try {
    bench.run(one.edits);
  } catch (error) {
    if (!(error instanceof UnmodelledError)) throw error;
  }
}

describe.each(BENCHES.map(({ name }, index) => ({ name, index })))('$name', ({ name, index }) => {
  it('the state as it was saved goes on where it was', () => {
    const bench = rsmBench(name);
    expect(bench.run([])).toBe('budget');
    expect(bench.processor.state.smm).toBe(false);
    expect(bench.reason).toBeUndefined();
  });

  it('any save state gives a guest that goes on or shuts down, or a named error', () => {
    fc.assert(fc.property(caseOf(index), checked), {
      numRuns: Math.ceil(RUNS / BENCHES.length),
      seed: seedOf(index + 1),
    });
  });
});

describe('what was found once', () => {
  it.each(RSM_CORPUS)('$why', (one) => {
    const benches = BENCHES.filter(({ mode }) => mode === one.mode);
    expect(benches.length).toBeGreaterThan(0);
    for (const { name } of benches) checked({ bench: name, edits: one.edits });
  });
});
