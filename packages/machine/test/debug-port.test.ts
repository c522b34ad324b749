/** The debug port under every accelerator and table format: right, and without any effect on the guest. */
import { cpuModel } from '@smm/cpu-core';
import type { TraceEvent } from '@smm/trace';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_KVM_OPTIONS,
  DEFAULT_SCHEDULE,
  encodeSnapshot,
  Machine,
  type MachineOptions,
  resolveSwitches,
} from '../src/index.ts';
import {
  P,
  PAGING_FORMATS,
  type PagingFormat,
  pagingRom,
  REGION,
  RW,
  type Steps,
  TABLE,
  US,
  WINDOW,
} from './paging/world.ts';
import { parts } from './runs.ts';

const ACCELERATORS = ['tcg', 'kvm', 'kvm,ept=0'] as const;
const PLAIN = P | RW | US;
const APIC_PAGE = 0xfee0_0000;
const APIC_VERSION = 0x30;
const SMRAM = 0xa_0000;

function machineOf(
  accelerator: (typeof ACCELERATORS)[number],
  format: PagingFormat,
  steps: (guest: Steps) => readonly string[],
  more: Partial<MachineOptions> = {},
): Machine {
  const kvm = accelerator !== 'tcg';
  const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg' });
  return new Machine({
    cpus: 1,
    memoryMiB: 64,
    model: cpuModel('qemu64'),
    flash: pagingRom(format, [{ format, steps }]),
    saveState: SAVE_STATE_AMD64,
    accelerator: kvm
      ? { options: { ...DEFAULT_KVM_OPTIONS, ept: accelerator === 'kvm' }, switches: switches.kvm }
      : 'tcg',
    behaviour: switches.behaviour,
    schedule: DEFAULT_SCHEDULE,
    comm: 'test',
    interpreter: parts.interpreter,
    translator: { threshold: 2 },
    ...more,
  });
}

/** The window: page 0 is in region A, page 1 in C, page 2 the local APIC, which was read, page 3 nothing. */
const mapped = (g: Steps): string[] => [
  g.set(g.entry(TABLE.spare, 0), REGION.A + PLAIN),
  g.set(g.entry(TABLE.spare, 1), REGION.C + PLAIN),
  g.set(g.entry(TABLE.spare, 2), APIC_PAGE + PLAIN),
  g.set(g.large(), TABLE.spare + PLAIN),
  g.read(WINDOW + 0x2000),
];

describe.each(ACCELERATORS)('under %s', (accelerator) => {
  describe.each<PagingFormat>(PAGING_FORMATS)('with %s paging', (format) => {
    const events: TraceEvent[] = [];
    const machine = machineOf(accelerator, format, mapped, {
      trace: (event) => void events.push(event),
    });
    const { debug } = machine;
    machine.run({ instructions: 10_000_000 });

    it('reads through the page tables, and nobody notices', () => {
      const before = encodeSnapshot(machine.save());
      const told = events.length;
      const accesses = machine.deviceAccesses;
      expect(debug.physicalOf(0, WINDOW + 0x123)).toBe(REGION.A + 0x123);
      expect(debug.physicalOf(0, WINDOW + 0x1123)).toBe(REGION.C + 0x123);
      expect(debug.physicalOf(0, WINDOW + 0x2030)).toBe(APIC_PAGE + APIC_VERSION);
      expect(debug.physicalOf(0, WINDOW + 0x3000)).toBeUndefined();
      const across = debug.readLinear(0, WINDOW + 0xff8, 16);
      expect(across).toEqual(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 0x43, 0, 0, 0, 0, 0, 0, 0]));
      expect(debug.readLinear(0, BigInt(WINDOW), 1)).toEqual(new Uint8Array([0x41]));
      expect(debug.readLinear(0, WINDOW + 0x2030, 1)).toEqual(
        debug.readPhysical(APIC_PAGE + APIC_VERSION, 1),
      );
      expect(debug.readLinear(0, WINDOW + 0x2030, 1)[0]).toBeGreaterThanOrEqual(0x10);
      expect(() => debug.readLinear(0, WINDOW + 0x2ffc, 8)).toThrow(
        expect.objectContaining({ code: 'LINEAR_UNMAPPED' }) as Error,
      );
      expect(Buffer.compare(encodeSnapshot(machine.save()), before)).toBe(0);
      expect(events.length).toBe(told);
      expect(machine.deviceAccesses).toBe(accesses);
    });

    it('writes memory, all of it or nothing', () => {
      debug.writeLinear(0, WINDOW + 0xffe, new Uint8Array([1, 2, 3, 4]));
      expect(debug.readPhysical(REGION.A + 0xffe, 2)).toEqual(new Uint8Array([1, 2]));
      expect(debug.readPhysical(REGION.C, 2)).toEqual(new Uint8Array([3, 4]));
      for (const [at, code] of [
        [0x1ffe, 'DEBUG_NO_MEMORY'],
        [0x2ffe, 'DEBUG_NO_MEMORY'],
        [0x3000, 'LINEAR_UNMAPPED'],
      ] as const) {
        expect(() => debug.writeLinear(0, WINDOW + at, new Uint8Array(4).fill(9))).toThrow(
          expect.objectContaining({ code }) as Error,
        );
      }
      expect(debug.readPhysical(REGION.C + 0xffe, 2)).toEqual(new Uint8Array(2));
      debug.writePhysical(0xffff_fff0, new Uint8Array([0x90]));
      expect(debug.readPhysical(0xffff_fff0, 1)).toEqual(new Uint8Array([0x90]));
    });

    it('sees SMRAM in the view of SMM alone', () => {
      machine.ports.out(0xcf8, 4, 0x8000_009c, 0);
      machine.ports.out(0xcfd, 1, 0x0a, 0);
      debug.writeLinear(0, SMRAM + 4, new Uint8Array([0x5a]), 'smm');
      expect(debug.readLinear(0, SMRAM + 4, 1, 'smm')).toEqual(new Uint8Array([0x5a]));
      expect(debug.readPhysical(SMRAM + 4, 1, 'smm')).toEqual(new Uint8Array([0x5a]));
      expect(debug.readLinear(0, SMRAM + 4, 1)).toEqual(new Uint8Array([0xff]));
      expect(() => debug.writePhysical(SMRAM, new Uint8Array(1))).toThrow(
        expect.objectContaining({ code: 'DEBUG_NO_MEMORY' }) as Error,
      );
    });
  });

  it.each(['interpreter', 'translator'] as const)('drops code that tier %s had decoded', (tier) => {
    const steps = (g: Steps): string[] => [...mapped(g), g.hot(WINDOW, 100_000), g.call(WINDOW)];
    const machine = machineOf(accelerator, '4-level', steps, { tier });
    machine.runTo(150_000);
    expect(machine.retired).toBe(150_000);
    machine.debug.writeLinear(0, WINDOW + 0x11, new Uint8Array([0x5a]));
    machine.run({ instructions: 10_000_000 });
    expect(machine.log).toEqual(['\0Z']);
  });
});
