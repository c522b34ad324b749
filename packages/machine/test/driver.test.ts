/** Where a run stops is nobody's business: whatever cuts it, the machine takes the same course. */
import { cpuModel, type ProcessorObserver } from '@smm/cpu-core';
import { SAVE_STATE_AMD64, SmmError } from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import {
  DEFAULT_KVM_OPTIONS,
  decodeSnapshot,
  encodeSnapshot,
  Machine,
  type MachineOptions,
  type MachineSnapshot,
  type MachineStop,
  prepareRelocation,
  type RelocationOptions,
  resolveSwitches,
} from '../src/index.ts';
import { rom } from './flat-rom.ts';
import { MAIL, parts } from './runs.ts';

const CONFIGURATIONS: [string, RelocationOptions][] = [
  ['tcg', { cpus: 3, memoryMiB: 64, schedule: { seed: 7, slice: 50 } }],
  ['kvm with EPT', { cpus: 2, memoryMiB: 64, accelerator: 'kvm', schedule: { seed: 0, slice: 1000 } }],
  ['kvm without EPT', { ...MAIL, memoryMiB: 64, kvm: { ept: false }, schedule: { seed: 3, slice: 40 } }],
];
/** Instructions of a course: nearly the whole relocation. */
const COURSE = 50_000;

const machineOf = (options: RelocationOptions): Machine => prepareRelocation({ parts, ...options }).machine;
/** The bytes of a snapshot, which are the same for the same state. */
const bytesOf = (machine: Machine): string => Buffer.from(encodeSnapshot(machine.save())).toString('latin1');

describe.each(CONFIGURATIONS)('%s', (_name, options) => {
  const straight = machineOf(options);
  if (straight.runTo(COURSE) !== 'budget') throw new Error('the course is too long');
  const end = bytesOf(straight);

  it('stops exactly where it is told to', () => {
    const machine = machineOf(options);
    for (const at of [1, 2, 17, 4999, 5000, 5001]) {
      expect(machine.runTo(at)).toBe('budget');
      expect(machine.retired).toBe(at);
    }
    expect(() => machine.runTo(5000)).toThrow(expect.objectContaining({ code: 'RUN_BACKWARDS' }));
  });

  it('takes the same course however it is cut: by counts, turns, interrupts, snapshots, into other tiers and machines', () => {
    const tiers = (['translator', 'interpreter'] as const).map((tier) =>
      machineOf({ ...options, tier, translator: { threshold: 2 } }),
    );
    const start = tiers[0]!.save();
    const cut = fc.record({
      kind: fc.constantFrom('count', 'turn', 'interrupt', 'save', 'detour', 'move'),
      length: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 9000 })),
    });
    fc.assert(
      fc.property(fc.array(cut, { minLength: 3, maxLength: 30 }), (cuts) => {
        let machine = tiers[0]!;
        machine.restore(start);
        for (const { kind, length } of cuts) {
          const to = Math.min(COURSE, machine.retired + length);
          if (kind === 'turn') machine.runTurn(Math.min(length, COURSE - machine.retired) || 1);
          else if (kind === 'interrupt') machine.runTo(to, () => true);
          else if (kind === 'count') machine.runTo(to);
          else {
            const snapshot = machine.save();
            if (kind === 'detour') machine.run({ instructions: length });
            if (kind === 'move') machine = tiers[1 - tiers.indexOf(machine)]!;
            machine.restore(kind === 'save' ? decodeSnapshot(encodeSnapshot(snapshot)) : snapshot);
          }
          if (machine.retired >= COURSE) break;
        }
        if (machine.retired < COURSE) machine.runTo(COURSE);
        expect(machine.retired).toBe(COURSE);
        expect(bytesOf(machine) === end).toBe(true);
      }),
      { numRuns: FULL ? 200 : 6 },
    );
  });
});

/** A small machine with a device of the test's own at port 500h. */
function withDevice(
  source: string,
  access: (machine: () => Machine) => number,
  more: Partial<MachineOptions> = {},
): Machine {
  const machine: Machine = new Machine({
    cpus: 1,
    memoryMiB: 32,
    model: cpuModel('qemu64'),
    flash: rom(source),
    saveState: SAVE_STATE_AMD64,
    accelerator: 'tcg',
    behaviour: {},
    schedule: { seed: 0, slice: 100 },
    comm: 'test',
    interpreter: parts.interpreter,
    ...more,
  });
  const read = (): number => access(() => machine);
  machine.ports.add({ name: 'test', first: 0x500, count: 1, device: { name: 'test', in: read, out: read } });
  return machine;
}

const READS =
  'mov dx, 0x500\n xor bx, bx\n again: inc bx\n in al, dx\n add cl, al\n cmp bx, 200\n jne again\n hlt';

describe('a device that throws', () => {
  const kvm = { options: DEFAULT_KVM_OPTIONS, switches: resolveSwitches({ accelerator: 'kvm' }).kvm };
  it.each([
    ['tcg', 'translator', {}],
    ['tcg', 'evaluator', { tier: 'evaluator' }],
    ['kvm', 'translator', { accelerator: kvm }],
  ] as const)('leaves the machine as it was before the access: %s, %s', (name, _tier, more) => {
    const quiet = withDevice(READS, () => 3, more);
    expect(quiet.run({ instructions: 5000 })).toBe('idle');
    let calls = 0;
    const loud = withDevice(
      READS,
      () => {
        if (++calls % 3 !== 0) throw new Error('broken');
        return 3;
      },
      more,
    );
    let stop: MachineStop | undefined;
    let thrown = 0;
    while (stop === undefined) {
      try {
        stop = loud.run({ instructions: 5000 });
      } catch (error) {
        expect((error as Error).message).toBe('broken');
        thrown++;
      }
    }
    expect([stop, thrown]).toEqual(['idle', 400]);
    // Every try is an exit under kvm: those are counted, and nothing else differs.
    const state = (m: Machine): MachineSnapshot => ({
      ...m.save(),
      ...(name === 'kvm' && { accelerator: 0 }),
    });
    expect(state(loud)).toEqual(state(quiet));
  });

  it('or an alarm that throws, which comes again', () => {
    let broken = 3;
    const build = (throws: boolean): Machine => {
      const m = withDevice('again: inc bx\n jmp again', () => 0);
      const alarm = m.clock.createAlarm('test', () => {
        if (throws && broken-- > 0) throw new Error('broken');
        m.processors[0]!.raiseNmi();
      });
      alarm.set(1000);
      return m;
    };
    const quiet = build(false);
    const loud = build(true);
    for (let i = 0; i < 3; i++) expect(() => loud.run({ instructions: 500 })).toThrow('broken');
    loud.runTo(700);
    quiet.runTo(700);
    expect(encodeSnapshot(loud.save())).toEqual(encodeSnapshot(quiet.save()));
  });
});

describe('inside a device', () => {
  const calls: [string, (machine: Machine) => void][] = [
    ['run', (m) => m.run({ instructions: 10 })],
    ['run', (m) => m.runTo(1e9)],
    ['runTurn', (m) => m.runTurn()],
    ['step', (m) => m.step(0)],
    ['save', (m) => m.save()],
    ['reset', (m) => m.reset()],
  ];
  it.each(calls)('%s is refused and nothing happens', (call, act) => {
    let code: unknown;
    const machine = withDevice(READS, (get) => {
      try {
        act(get());
      } catch (error) {
        code = SmmError.isInstance(error) && [error.code, error.details['call']];
      }
      return 3;
    });
    expect(machine.run({ instructions: 5000 })).toBe('idle');
    expect(code).toEqual(['MACHINE_BUSY', call]);
    const quiet = withDevice(READS, () => 3);
    quiet.run({ instructions: 5000 });
    expect(encodeSnapshot(machine.save())).toEqual(encodeSnapshot(quiet.save()));
  });

  it('a system reset happens when the instruction is done', () => {
    let left = 3;
    const machine = withDevice('mov dx, 0x500\n in al, dx\n mov bl, al\n hlt', (get) => {
      if (left-- > 0) get().systemReset();
      return 7;
    });
    expect(machine.run({ instructions: 5000 })).toBe('idle');
    expect(left).toBe(-1);
    expect(machine.retired).toBe(3 * 3 + 5); // far jump, MOV, IN each time; in the end MOV and HLT too
  });
});

describe('observers', () => {
  it('may be instances of classes', () => {
    class Counter implements ProcessorObserver {
      halts = 0;
      halted(): void {
        this.halts++;
      }
    }
    const counter = new Counter();
    withDevice('cli\n hlt', () => 0, { observer: counter }).run({ instructions: 100 });
    expect(counter.halts).toBe(1);
  });
});
