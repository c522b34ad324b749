/**
 * Who leaves and comes back has never been away: at any instruction a machine is saved, does anything, is restored and
 * goes on as if nothing had been; here, under the other tier, and in another process.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TierName } from '@smm/cpu-core';
import { SmmError } from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FULL, sized } from '../../../tests/support/form.ts';
import { encodeSnapshot, type Machine, prepareRelocation, type RelocationOptions } from '../src/index.ts';
import { MAIL, parts } from './runs.ts';
import type { ChildJob } from './snapshots-child.ts';

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

const machineOf = (options: RelocationOptions, tier: TierName): Machine =>
  prepareRelocation({ ...options, tier, parts }).machine;
/** Equal for equal states. */
const hashOf = (machine: Machine): string =>
  createHash('sha256').update(encodeSnapshot(machine.save())).digest('hex');

/** What a machine may do that must leave no trace when it is restored. */
const DETOURS: Readonly<Record<string, (machine: Machine, length: number) => void>> = {
  run: (machine, length) => machine.runTo(machine.retired + length),
  turn: (machine, length) => machine.runTurn(length),
  reset: (machine, length) => {
    machine.reset({ seed: length, slice: 1 + (length % 50) });
    machine.runTo(length);
  },
  'the reset line': (machine, length) => {
    machine.systemReset();
    machine.runTo(machine.retired + length);
  },
  steps: (machine, length) => {
    for (let i = 0; i < length % 100; i++) machine.step(i % machine.processors.length);
  },
  'memory written': (machine, length) => {
    for (let gpa = 0; gpa < 0x10_0000; gpa += 0x1000 + length)
      machine.debug.writePhysical(gpa, Uint8Array.of(0xf4, 0xcc));
    machine.runTo(machine.retired + length);
  },
  events: (machine, length) => {
    for (const processor of machine.processors) processor.raiseNmi();
    machine.processors[length % machine.processors.length]!.raiseSmi();
    machine.runTo(machine.retired + length);
    machine.processors[0]!.raiseInit();
    machine.runTo(machine.retired + length);
  },
};

/** Whatever comes of it: a guest may do by then what is not modelled. */
function detour(machine: Machine, kind: string, length: number): void {
  try {
    DETOURS[kind]!(machine, length);
  } catch (error) {
    if (!SmmError.isInstance(error)) throw error;
  }
}

describe.each(CONFIGURATIONS)('%s', (_name, options) => {
  it('goes on from any instruction, whatever it did in between, under either tier', () => {
    const tiers = TIERS.map((tier) => machineOf(options, tier));
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
      { numRuns: sized(4, 60) },
    );
    expect(tiers[1]!.translations!.compiled).toBeGreaterThan(0);
  });
});

/** The child as one file of plain JavaScript. */
function bundle(folder: string): string {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const outfile = join(folder, 'child.mjs');
  execFileSync(join(root, 'node_modules', '.bin', 'esbuild'), [
    fileURLToPath(new URL('snapshots-child.ts', import.meta.url)),
    '--bundle',
    '--platform=node',
    '--format=esm',
    '--conditions=@smm/source',
    '--log-level=error',
    `--outfile=${outfile}`,
  ]);
  return outfile;
}

it('goes on in another process from a file, under the other tier', () => {
  const folder = mkdtempSync(join(tmpdir(), 'smm-snapshots-'));
  try {
    const ends: string[] = [];
    const some = CONFIGURATIONS.filter((_, index) => FULL || index % 2 === 1);
    const jobs = some.map(([_name, options], index): ChildJob => {
      const tier = TIERS[index % 2]!;
      const machine = machineOf(options, tier);
      machine.runTo(7001 + 1009 * index);
      const snapshot = join(folder, `${index}.snapshot`);
      writeFileSync(snapshot, encodeSnapshot(machine.save()));
      machine.runTo(END);
      ends.push(hashOf(machine));
      return { options: { ...options, tier: TIERS[1 - (index % 2)]! }, snapshot, to: END };
    });
    writeFileSync(join(folder, 'jobs.json'), JSON.stringify(jobs));
    const printed = execFileSync(process.execPath, [bundle(folder), join(folder, 'jobs.json')], {
      encoding: 'utf8',
    });
    expect(JSON.parse(printed)).toEqual(ends);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
