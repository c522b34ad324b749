/** Hooks of a machine's processors: a relocation takes the same course under them, traced by KVM's events or not. */
import { stateHash } from '@smm/cpu-core';
import { TraceHasher } from '@smm/trace';
import { describe, expect, test } from 'vitest';
import { type Machine, prepareRelocation, type RelocationOptions, runRelocation } from '../src/index.ts';
import { parts } from './runs.ts';

const CONFIGURATIONS: readonly (readonly [string, RelocationOptions])[] = [
  ['tcg', { cpus: 2, bitness: 32 }],
  ['tcg, one after another', { cpus: 3, bitness: 64, schedule: { seed: 7, slice: 50 } }],
  ['kvm', { cpus: 2, bitness: 64, accelerator: 'kvm' }],
];

/** What comes of a relocation, and where it passed SMM's entry point. */
function courseOf(options: RelocationOptions, hook: (machine: Machine) => void) {
  const hasher = new TraceHasher();
  const relocation = prepareRelocation({ parts, ...options, trace: (event) => hasher.add(event) });
  const { machine } = relocation;
  hook(machine);
  const { outcome, log, virtualNs } = runRelocation(relocation);
  const states = machine.processors.map((processor) => stateHash(processor));
  return {
    outcome,
    log,
    virtualNs,
    retired: machine.retired,
    states,
    trace: hasher.hex,
    accesses: machine.deviceAccesses,
  };
}

describe.each(CONFIGURATIONS)('%s', (_name, options) => {
  const plain = courseOf(options, () => {});

  test('hooks of all kinds, stops among them, change nothing', () => {
    let smis = 0;
    let handlers = 0;
    let pushes = 0;
    let ports = 0;
    const hooked = courseOf(options, (machine) => {
      for (const { hooks } of machine.processors) {
        hooks.observe({ smiEntered: () => void smis++ });
        hooks.code({ at: 0x3_8000 }, () => {
          handlers++;
          hooks.stop();
        });
        hooks.memory({ at: 0x3_8000, size: 0x8000, reads: false }, () => {
          pushes++;
          hooks.stop();
        });
        hooks.port({ at: 0xb0, size: 4 }, () => void ports++);
      }
    });
    expect(hooked).toEqual(plain);
    expect(plain.outcome).toBe('relocated');
    expect(smis).toBeGreaterThanOrEqual(options.cpus!);
    expect(handlers).toBe(options.cpus);
    expect(pushes).toBeGreaterThan(0);
    expect(ports).toBeGreaterThan(0);
  });

  test('a breakpoint ends the run, names its processor, and is stepped over', () => {
    const { machine } = prepareRelocation({ parts, ...options });
    const found: number[] = [];
    for (const { hooks, index } of machine.processors)
      hooks.breakpoint(0x3_8000, (cpu) => {
        found.push(machine.retired);
        return cpu.index === index;
      });
    for (let n = 0; n < options.cpus!; n++) {
      expect(machine.run({ instructions: 1e9 })).toBe('stopped');
      const cpu = machine.processors[machine.stoppedBy!]!;
      expect(cpu.state.smm).toBe(true);
      expect(cpu.registers['cs.base'] + cpu.registers.rip).toBe(0x3_8000n);
      const before = machine.retired;
      expect(found[n]).toBe(before);
      machine.step(cpu.index);
      expect(machine.retired).toBe(before + 1);
    }
  });
});
