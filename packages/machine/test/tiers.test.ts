/**
 * The relocation matrix under every tier: the same trace, log and machine at the end, registers and memory included,
 * and the same processors at the end of every turn (issue 4). The full form runs the whole matrix.
 */
import { stateHash, type TierName, type TranslatorOptions } from '@smm/cpu-core';
import { TraceHasher } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import {
  type Machine,
  memoryHash,
  prepareRelocation,
  type RelocationOptions,
  runRelocation,
  type Schedule,
} from '../src/index.ts';
import { MAIL, parts } from './runs.ts';

interface Variant {
  readonly tier: TierName;
  readonly translator?: TranslatorOptions;
}

const INTERPRETER: Variant = { tier: 'interpreter' };
const TRANSLATORS: readonly Variant[] = [
  { tier: 'translator' },
  { tier: 'translator', translator: { threshold: 1 } },
];

/** The whole machine as plain data, memory as a hash. */
function wholeState(machine: Machine) {
  const { memory: _, ...rest } = machine.save();
  return { ...rest, memory: memoryHash(machine) };
}

function wholeRun(options: RelocationOptions, variant: Variant) {
  const hasher = new TraceHasher();
  const relocation = prepareRelocation({ parts, ...options, ...variant, trace: hasher.sink });
  const { outcome, log, instructions, virtualNs } = runRelocation(relocation);
  return {
    outcome,
    log,
    instructions,
    virtualNs,
    trace: hasher.hex,
    events: hasher.count,
    state: wholeState(relocation.machine),
  };
}

/** Hashes of all processors at the end of each turn. */
function turns(options: RelocationOptions, variant: Variant, many: number): string[] {
  const hasher = new TraceHasher();
  const { machine } = prepareRelocation({ parts, ...options, ...variant, trace: hasher.sink });
  const list: string[] = [];
  let at = 0;
  while (list.length < many) {
    // One turn: it ends behind the first instruction.
    if (machine.run({ instructions: 1 }) !== 'budget') break;
    at = machine.retired;
    list.push(`${at} ${hasher.hex} ${machine.processors.map((cpu) => stateHash(cpu)).join(' ')}`);
  }
  return list;
}

const HOSTS = ['linux-current', 'rhel7-3.10.0-323'] as const;

const ALL: RelocationOptions[] = ([32, 64] as const).flatMap((bitness) =>
  [1, 2, 4].flatMap((cpus) => [
    { bitness, cpus },
    ...HOSTS.flatMap((host) =>
      [true, false].map((ept) => ({ bitness, cpus, accelerator: 'kvm' as const, host, kvm: { ept } })),
    ),
  ]),
);
const SOME: RelocationOptions[] = [
  { bitness: 64, cpus: 2 },
  { ...MAIL },
  { bitness: 64, cpus: 2, accelerator: 'kvm', edk2: '2024', kvm: { ept: false } },
];

const SCHEDULES: readonly Schedule[] = [
  { seed: 0, slice: 10_000 },
  { seed: 3, slice: 113 },
];

describe.each(FULL ? ALL : SOME)('%o', (options) => {
  it.each(FULL ? SCHEDULES : SCHEDULES.slice(1))(
    'a whole run is the same under every tier: %o',
    (schedule) => {
      const expected = wholeRun({ ...options, schedule }, INTERPRETER);
      expect(expected.events).toBeGreaterThan(5);
      for (const variant of TRANSLATORS)
        expect(wholeRun({ ...options, schedule }, variant), JSON.stringify(variant)).toEqual(expected);
    },
    120_000,
  );

  it.each([
    [1, FULL ? 4000 : 1500],
    [7, FULL ? 4000 : 1500],
    [113, FULL ? 2000 : 700],
  ])(
    'every turn ends the same under every tier: slices of %i',
    (slice, many) => {
      const scheduled = { ...options, schedule: { seed: slice === 7 ? 0 : slice, slice } };
      const expected = turns(scheduled, INTERPRETER, many);
      for (const variant of TRANSLATORS) {
        const seen = turns(scheduled, variant, many);
        const at = seen.findIndex((hash, i) => hash !== expected[i]);
        expect([at, seen[at], seen.length], JSON.stringify(variant)).toEqual([
          -1,
          undefined,
          expected.length,
        ]);
      }
    },
    120_000,
  );
});
