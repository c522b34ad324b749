/** Same options, same run: over machines, resets, snapshots, tiers, with and without a trace. */
import { stateHash } from '@smm/cpu-core';
import { TraceHasher } from '@smm/trace';
import { describe, expect, it } from 'vitest';
import {
  type MachineSnapshot,
  prepareRelocation,
  type Relocation,
  type RelocationOptions,
  type RelocationReport,
  runRelocation,
} from '../src/index.ts';
import { MAIL, parts } from './runs.ts';

/** A relocation whose trace goes to a hasher that can be exchanged. */
class Hashed {
  hasher = new TraceHasher();
  readonly relocation: Relocation;

  constructor(options: RelocationOptions) {
    this.relocation = prepareRelocation({ parts, ...options, trace: (event) => this.hasher.add(event) });
  }

  /** Runs to the end; what came of it, as plain data to compare. */
  finish() {
    this.hasher = new TraceHasher();
    return {
      ...endOf(this.relocation, runRelocation(this.relocation)),
      trace: this.hasher.hex,
      events: this.hasher.count,
    };
  }

  restore(snapshot: MachineSnapshot) {
    this.relocation.machine.restore(snapshot);
    return this.finish();
  }
}

function endOf({ machine }: Relocation, report: RelocationReport) {
  return {
    outcome: report.outcome,
    log: report.log,
    instructions: report.instructions,
    exits: [...report.exits],
    time: report.virtualNs,
    state: machine.processors.map((processor) => stateHash(processor)),
    // The tiles with what CPUs saved there, and the variables of the relocation.
    memory: fnv(machine.peek(0x7ff8_0000, 0x8_0000, true)),
  };
}

function fnv(bytes: Uint8Array): number {
  let hash = 0x811c_9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return hash >>> 0;
}

const CONFIGURATIONS: [string, RelocationOptions][] = [
  ['tcg', { cpus: 3, bitness: 64, schedule: { seed: 7, slice: 50 } }],
  [
    'kvm with EPT',
    { cpus: 3, bitness: 64, accelerator: 'kvm', edk2: '2024', schedule: { seed: 0, slice: 60 } },
  ],
  ['kvm without EPT', { ...MAIL, quirks: ['-Q1'], kvm: { ept: false }, schedule: { seed: 3, slice: 40 } }],
  ['kvm with an identity map', { ...MAIL, quirks: ['-Q1'], kvm: { unrestrictedGuest: false } }],
  ["the mail's host", { ...MAIL, schedule: { seed: 1, slice: 30 } }],
];

describe.each(CONFIGURATIONS)('%s', (_name, options) => {
  const whole = new Hashed(options).finish();

  it('runs the same again on a new machine', () => {
    expect(new Hashed(options).finish()).toEqual(whole);
    expect(whole.events).toBeGreaterThan(20);
  });

  it('runs the same after a reset, and another schedule differs', () => {
    const machine = new Hashed({ ...options, schedule: { seed: 99, slice: 13 } });
    expect(machine.finish().trace).not.toBe(whole.trace);
    machine.relocation.machine.reset(options.schedule ?? { seed: 0, slice: 10_000 });
    expect(machine.finish()).toEqual(whole);
  });

  it('continues a snapshot the same, in the same machine and in a new one', () => {
    const original = new Hashed(options);
    const { machine } = original.relocation;
    const points: { snapshot: MachineSnapshot; smm: boolean }[] = [];
    const take = (): void => {
      points.push({
        snapshot: structuredClone(machine.save()),
        smm: machine.processors.some(({ state }) => state.smm),
      });
    };
    take();
    for (let more = 0; more < 3; more++) {
      machine.run({ instructions: 9_001 });
      take();
    }
    const inSmm = (): boolean => machine.processors.some(({ state }) => state.smm);
    machine.restore(points[0]!.snapshot);
    machine.run({ instructions: 200_000, until: inSmm });
    if (inSmm()) take();
    const rest = new Hashed(options);
    for (const { snapshot } of points) {
      const here = original.restore(snapshot);
      expect(rest.restore(structuredClone(snapshot))).toEqual(here);
      const { trace: _t, events: _e, ...end } = whole;
      expect(here).toMatchObject(end);
    }
    expect(points[0]!.smm).toBe(false);
    if ((options.schedule?.slice ?? 10_000) < 100) expect(points.at(-1)!.smm).toBe(true);
  });

  it('is not seen by another machine that runs in between', () => {
    const a = new Hashed(options);
    const b = new Hashed({ cpus: 2, bitness: 32, schedule: { seed: 5, slice: 17 } });
    const alone = new Hashed({ cpus: 2, bitness: 32, schedule: { seed: 5, slice: 17 } }).finish();
    for (let i = 0; i < 10; i++) {
      a.relocation.machine.run({ instructions: 1_777 });
      b.relocation.machine.run({ instructions: 2_333 });
    }
    const { trace: _a, events: _b, ...end } = whole;
    const { trace: _c, events: _d, ...aloneEnd } = alone;
    expect(a.finish()).toMatchObject(end);
    expect(b.finish()).toMatchObject(aloneEnd);
  });

  it('does not depend on being traced', () => {
    const silent = prepareRelocation({ parts, ...options });
    const { trace: _t, events: _e, ...end } = whole;
    expect(endOf(silent, runRelocation(silent))).toEqual(end);
  });
});

describe.each([1, 7, 113])('slices of %i instructions', (slice) => {
  it.each<RelocationOptions>([
    { cpus: 2, bitness: 32 },
    { cpus: 2, bitness: 64, edk2: '2024', accelerator: 'kvm' },
    { ...MAIL, kvm: { ept: false } },
    { ...MAIL, quirks: ['-Q1'], kvm: { unrestrictedGuest: false } },
  ])(
    'both tiers agree on every event and on the end: %o',
    (options) => {
      const scheduled = { ...options, schedule: { seed: slice, slice } };
      const fast = new Hashed({ ...scheduled, tier: 'interpreter' }).finish();
      expect(new Hashed({ ...scheduled, tier: 'evaluator' }).finish()).toEqual(fast);
    },
    60_000,
  );
});

it('refuses the snapshot of a machine with another number of processors', () => {
  const one = prepareRelocation({ cpus: 1, parts }).machine;
  const two = prepareRelocation({ cpus: 2, parts }).machine;
  expect(() => two.restore(one.save())).toThrow(expect.objectContaining({ code: 'SNAPSHOT_MACHINE' }));
});
