/**
 * Who leaves and comes back has never been away: at any instruction a machine is saved, does anything, is restored and
 * goes on as if nothing had been; here, under the other tier, and in another process.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FULL, seedOf, sized } from '../../../tests/support/form.ts';
import { encodeSnapshot, type Machine, type RelocationOptions } from '../src/index.ts';
import { type Errand, endsElsewhere } from './another-process.ts';
import { DETOURS, detour } from './detours.ts';
import { hashOf, machineOf } from './recipes.ts';
import { MAIL } from './runs.ts';

const TIERS = ['interpreter', 'translator'] as const;
const common = { memoryMiB: 64, translator: { threshold: 2 } } as const;
const CONFIGURATIONS: readonly (readonly [string, RelocationOptions])[] = [
  ['tcg, 1 CPU', { ...common, cpus: 1 }],
  ['tcg, 3 CPUs', { ...common, cpus: 3, edk2: '2024', schedule: { seed: 11, slice: 70 } }],
  ['tcg, 32 bit', { ...common, cpus: 2, bitness: 32, schedule: { seed: 2, slice: 300 } }],
  ['kvm, 2 CPUs', { ...common, cpus: 2, accelerator: 'kvm', schedule: { seed: 5, slice: 90 } }],
  ["kvm on the mail's host", { ...common, ...MAIL }],
  ['kvm,ept=0, 3 CPUs', { ...common, cpus: 3, accelerator: 'kvm', kvm: { ept: false } }],
  [
    'kvm with its local APICs in user space',
    {
      ...common,
      cpus: 2,
      accelerator: 'kvm',
      kvm: { kernelIrqchip: false },
      schedule: { seed: 1, slice: 33 },
    },
  ],
];
/** Instructions since power-on at which courses end, unless the guest has ended before. */
const END = sized(30_000, 1_000_000);

describe.each(CONFIGURATIONS)('%s', (name, options) => {
  it('goes on from any instruction, whatever it did in between, under either tier', () => {
    const tiers = TIERS.map((tier) => machineOf({ relocation: options }, tier));
    const [straight] = tiers as [Machine, Machine];
    const start = straight.save();
    straight.runTo(END);
    const end = hashOf(straight);
    const length = straight.retired;
    expect(length).toBeGreaterThan(2000);
    const leaving = fc.record({
      at: fc.integer({ min: 0, max: length }),
      kind: fc.constantFrom(...Object.keys(DETOURS)),
      away: fc.integer({ min: 1, max: 3000 }),
      from: fc.nat(1),
      to: fc.nat(1),
    });
    fc.assert(
      fc.property(leaving, ({ at, kind, away, from, to }) => {
        const [left, entered] = [tiers[from]!, tiers[to]!];
        left.restore(start);
        left.runTo(at);
        const snapshot = left.save();
        const saved = hashOf(left);
        detour(entered, kind, away);
        entered.restore(snapshot);
        expect(hashOf(entered)).toBe(saved);
        entered.runTo(END);
        expect(hashOf(entered)).toBe(end);
      }),
      { numRuns: sized(4, 60), seed: seedOf(CONFIGURATIONS.findIndex(([each]) => each === name)) },
    );
    expect(tiers[1]!.translations!.compiled).toBeGreaterThan(0);
  });
});

it('goes on in another process from a file, under the other tier', () => {
  const ends: string[] = [];
  const some = CONFIGURATIONS.filter((_, index) => FULL || index % 2 === 1);
  const errands = some.map(([_name, relocation], index): Errand => {
    const recipe = { relocation };
    const machine = machineOf(recipe, TIERS[index % 2]!);
    machine.runTo(7001 + 1009 * index);
    const snapshot = encodeSnapshot(machine.save());
    machine.runTo(END);
    ends.push(hashOf(machine));
    return { recipe, tier: TIERS[1 - (index % 2)]!, snapshot, to: END };
  });
  expect(endsElsewhere(errands)).toEqual(ends);
});
