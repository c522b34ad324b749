/** Accessed and dirty flags, and what a page fault drops. */
import { everyFormat, INVALIDATE, LARGE, largeSize, type PagingRule, PLAIN, small, WP } from './rule.ts';
import { P, PS, REGION, RW, TABLE, US, WINDOW } from './world.ts';

export const flagsAndFaults: readonly PagingRule[] = [
  ...everyFormat(() => ({
    name: 'a read sets the accessed flag, the first write the dirty flag, through a translation that is known already',
    source: 'Accessed and Dirty Flags',
    expected: '--Aa-A-wad--a-ad',
    steps: (g) => {
      const pte = g.entry(TABLE.spare, 0);
      return [
        small(g, REGION.A),
        g.flags(pte),
        g.read(WINDOW),
        g.flags(pte),
        g.hot(WINDOW),
        g.call(WINDOW),
        `mov al, '-'\ncall show`,
        g.write(WINDOW),
        g.flags(pte),
        g.set(pte, REGION.A + PLAIN),
        g.invlpg(WINDOW),
        g.flags(pte),
        g.user(g.read(WINDOW)).replaceAll('call show', 'nop'),
        g.flags(pte),
        g.write(WINDOW).replaceAll('call show', 'nop'),
        g.flags(pte),
      ];
    },
  })),
  ...everyFormat((format) => ({
    name: 'of a large page too: every part writes the one dirty flag',
    source: 'Accessed and Dirty Flags',
    expected: '--Aa-wadAa-wad',
    steps: (g) => {
      const far = WINDOW + largeSize(format) - 0x1000;
      return [
        g.set(g.large(), REGION.A + LARGE),
        g.flags(g.large()),
        g.read(WINDOW),
        g.flags(g.large()),
        g.write(far),
        g.flags(g.large()),
        g.set(g.large(), REGION.A + LARGE),
        g.invlpg(WINDOW + 0x8000),
        g.read(far),
        g.flags(g.large()),
        g.write(far),
        g.flags(g.large()),
      ];
    },
  })),
  ...everyFormat(() => ({
    name: 'more rights without INVLPG count after a fault, at the latest',
    source: 'Delayed Invalidation, Optional Invalidation',
    expected: 'A#3wA#7w#5A',
    steps: (g) => {
      const pte = g.entry(TABLE.spare, 0);
      return [
        g.control('cr0', WP),
        small(g, REGION.A, P | US),
        g.read(WINDOW),
        g.write(WINDOW),
        g.set(pte, REGION.A + PLAIN),
        g.write(WINDOW),
        g.set(pte, REGION.A + P + US),
        g.invlpg(WINDOW),
        g.user(g.read(WINDOW), g.write(WINDOW)),
        g.set(pte, REGION.A + PLAIN),
        g.user(g.write(WINDOW)),
        g.set(pte, REGION.A + P + RW),
        g.invlpg(WINDOW),
        g.user(g.read(WINDOW)),
        g.set(pte, REGION.A + PLAIN),
        g.user(g.read(WINDOW)),
      ];
    },
  })),
  ...everyFormat(() => ({
    name: 'what was not present is not remembered',
    source: 'Optional Invalidation',
    expected: '#0AB#2w',
    steps: (g) => [
      small(g, 0, 0),
      g.read(WINDOW),
      g.set(g.entry(TABLE.spare, 0), REGION.A + PLAIN),
      g.read(WINDOW),
      g.set(g.large(1), 0),
      g.set(g.large(1), REGION.B + LARGE),
      g.read(WINDOW + largeSize(g.format)),
      g.write(WINDOW + 0x1000),
      g.set(g.entry(TABLE.spare, 1), REGION.A + PLAIN),
      g.write(WINDOW + 0x1000),
    ],
  })),
  ...everyFormat(() => ({
    name: 'a page fault drops what was remembered of its page, for reads, calls and user mode',
    source: INVALIDATE,
    expected: 'AAA#2#0#0#4',
    qemu: {
      prints: 'AAA#2AAA',
      why: 'TCG keeps the read and fetch rights of a page whose write faults: its own deviation from the SDM',
    },
    steps: (g) => [
      g.control('cr0', WP),
      small(g, REGION.A, P | US),
      g.read(WINDOW),
      g.call(WINDOW),
      g.user(g.read(WINDOW)),
      g.set(g.entry(TABLE.spare, 0), 0),
      g.write(WINDOW),
      g.read(WINDOW),
      g.call(WINDOW),
      g.user(g.read(WINDOW)),
    ],
  })),
  ...everyFormat((format) => ({
    name: 'a page fault in one part of a large page drops all of it',
    source: INVALIDATE,
    expected: 'AA#2#0#0',
    qemu: { prints: 'AA#2AA', why: 'as above' },
    steps: (g) => [
      g.control('cr0', WP),
      g.set(g.large(), REGION.A + P + US + PS),
      g.read(WINDOW),
      g.call(WINDOW + 0x9000),
      g.set(g.large(), 0),
      g.write(WINDOW + largeSize(format) - 0x1000),
      g.read(WINDOW),
      g.call(WINDOW + 0x9000),
    ],
  })),
];
