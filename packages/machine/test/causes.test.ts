/** The search for causes, with runs that are told how they end. */
import { describe, expect, it } from 'vitest';
import { QUIRKS, type Quirk } from '../src/index.ts';
import { singleCauses, smallestCause } from '../src/scenario/causes.ts';
import { finish } from '../src/scenario/run.ts';

const ALL = QUIRKS.slice(0, 4);
const ids = (quirks: readonly Quirk[]): string => quirks.map(({ id }) => id).join(' ');

/** A guest that relocates without any of these sets; what was tried is noted. */
function guest(...enough: readonly string[]) {
  const tried: string[] = [];
  return {
    tried,
    *relocatesWithout(quirks: readonly Quirk[]): Generator<string, boolean> {
      tried.push(ids(quirks));
      yield ids(quirks);
      return enough.some((set) => set.split(' ').every((id) => quirks.some((quirk) => quirk.id === id)));
    },
  };
}

describe('the smallest cause', () => {
  it.each([
    [['Q2'], 'Q2', 2],
    [['Q3', 'Q1'], 'Q1', 1],
    [['Q2 Q4'], 'Q2 Q4', 9],
    [['Q1 Q2', 'Q3 Q4'], 'Q3 Q4', 9],
    [[], '', 5],
  ])('of %j is %s, after %i runs', (enough, expected, runs) => {
    const { tried, relocatesWithout } = guest(...enough);
    expect(ids(finish(smallestCause(ALL, relocatesWithout)))).toBe(expected);
    expect(tried).toHaveLength(runs);
  });

  it('is not looked for in a set of one that does not suffice', () => {
    const { tried, relocatesWithout } = guest();
    expect(finish(smallestCause(ALL.slice(0, 1), relocatesWithout))).toEqual([]);
    expect(tried).toEqual(['Q1']);
  });
});

it('single causes are all that suffice alone, or the first so many', () => {
  const { tried, relocatesWithout } = guest('Q1', 'Q2 Q3', 'Q4');
  expect(ids(finish(singleCauses(ALL, relocatesWithout)))).toBe('Q1 Q4');
  expect(tried).toEqual(['Q1', 'Q2', 'Q3', 'Q4']);
  expect(ids(finish(singleCauses(ALL, relocatesWithout, 1)))).toBe('Q1');
  expect(tried.slice(4)).toEqual(['Q1']);
});
