/** Pages whose size changes. */
import {
  everyFormat,
  INVALIDATE,
  LARGE,
  largeSize,
  type PagingRule,
  PLAIN,
  RECOMMENDED,
  small,
} from './rule.ts';
import { REGION, TABLE, WINDOW } from './world.ts';

export const pageSizes: readonly PagingRule[] = [
  ...everyFormat((format) => ({
    name: 'a large page that becomes small ones, after INVLPG in another part of it',
    source: RECOMMENDED,
    expected: 'AAB',
    steps: (g) => [
      g.set(g.large(), REGION.A + LARGE),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
      small(g, REGION.B),
      g.invlpg(WINDOW + largeSize(format) - 0x1000),
      g.read(WINDOW),
    ],
  })),
  ...everyFormat(() => ({
    name: 'small pages that become a large one, after INVLPG of each',
    source: RECOMMENDED,
    expected: 'ABCC',
    steps: (g) => [
      small(g, REGION.A),
      g.set(g.entry(TABLE.spare, 1), REGION.B + PLAIN),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
      g.set(g.large(), REGION.C + LARGE),
      g.invlpg(WINDOW),
      g.invlpg(WINDOW + 0x1000),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
    ],
  })),
  ...everyFormat(() => ({
    name: 'another table under a directory entry, after INVLPG: no cache of paging structures keeps the old one',
    source: INVALIDATE,
    expected: 'ABBA',
    steps: (g) => [
      small(g, REGION.A),
      g.set(g.entry(TABLE.spare, 1), REGION.B + PLAIN),
      g.set(g.entry(TABLE.spare2, 0), REGION.B + PLAIN),
      g.set(g.entry(TABLE.spare2, 1), REGION.A + PLAIN),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
      g.set(g.large(), TABLE.spare2 + PLAIN),
      g.invlpg(WINDOW),
      g.invlpg(WINDOW + 0x1000),
      g.read(WINDOW),
      g.read(WINDOW + 0x1000),
    ],
  })),
];
