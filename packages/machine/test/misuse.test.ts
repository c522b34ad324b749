/** Option values and arguments that make no sense: each is refused by a sentence that names it, and nothing hangs. */
import { CpuHotplug } from '@smm/chipset-q35';
import { cpuModel, createWindow, Engine } from '@smm/cpu-core';
import { FlatMemory } from '@smm/mmu-ept';
import { SAVE_STATE_AMD64, SmmError } from '@smm/x86-defs';
import { ApicBus, LocalApic } from '@smm/xapic';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Boot,
  bootInPieces,
  Machine,
  type MachineOptions,
  prepareRelocation,
  type RelocationOptions,
} from '../src/index.ts';
import { flat, rom } from './flat-rom.ts';
import { parts } from './runs.ts';

const OPTIONS: MachineOptions = {
  cpus: 1,
  memoryMiB: 32,
  model: cpuModel('qemu64'),
  flash: rom('hlt'),
  saveState: SAVE_STATE_AMD64,
  accelerator: 'tcg',
  behaviour: {},
  schedule: { seed: 0, slice: 100 },
  comm: 'test',
  interpreter: parts.interpreter,
};

/** What is no count, or no count that anything has so many of. */
const NO_COUNTS: readonly unknown[] = [
  Number.NaN,
  -1,
  -0.5,
  0.5,
  Number.NEGATIVE_INFINITY,
  2 ** 60,
  '7',
  null,
  {},
];

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (SmmError.isInstance(error) && error.fix.length > 10) return error.message;
    throw error;
  }
  return 'nothing was refused';
}

describe('a machine', () => {
  const numbers: (readonly [option: string, build: (value: never) => unknown])[] = [
    ['cpus', (cpus) => new Machine({ ...OPTIONS, cpus })],
    ['memoryMiB', (memoryMiB) => new Machine({ ...OPTIONS, memoryMiB })],
    ['decodedMiB', (decodedMiB) => new Machine({ ...OPTIONS, decodedMiB })],
    ['slice', (slice) => new Machine({ ...OPTIONS, schedule: { seed: 0, slice } })],
    ['threshold', (threshold) => new Machine({ ...OPTIONS, translator: { threshold } })],
    ['codeBudget', (codeBudget) => new Machine({ ...OPTIONS, translator: { codeBudget } })],
  ];
  it.each(numbers)('%s is a count', (_option, build) => {
    for (const value of NO_COUNTS) expect(refusal(() => build(value as never))).toContain(String(value));
  });

  it('time passes forwards', () => {
    for (const ns of [Number.NaN, 0, -8, Number.POSITIVE_INFINITY, '8'] as number[])
      expect(refusal(() => new Machine({ ...OPTIONS, nsPerInstruction: ns }))).toContain('nsPerInstruction');
    new Machine({ ...OPTIONS, nsPerInstruction: 0.5 }).run({ instructions: 100 });
  });

  it('names are known names, and flash is bytes', () => {
    expect(refusal(() => new Machine({ ...OPTIONS, tier: 'jit' as never }))).toContain('"jit"');
    expect(refusal(() => new Machine({ ...OPTIONS, accelerator: 'hvf' as never }))).toContain('"hvf"');
    expect(refusal(() => new Machine({ ...OPTIONS, flash: new Uint8Array() }))).toContain('flash');
    expect(refusal(() => new Machine({ ...OPTIONS, flash: 'rom' as never }))).toContain('flash');
    expect(refusal(() => new Machine({ ...OPTIONS, comm: 'a name of more than 15' }))).toContain('comm');
  });

  it('runs, steps and looks only where there is something', () => {
    const machine = flat('jmp $');
    const before = JSON.stringify(machine.save().driver);
    const bad = NO_COUNTS.filter((value) => value !== 2 ** 60) as number[];
    for (const n of bad) {
      refusal(() => machine.run({ instructions: n }));
      for (const act of [
        () => machine.run({ instructions: n }),
        () => machine.runTo(n),
        () => machine.runTurn(n),
        () => machine.step(n),
        () => machine.peek(n, 4),
        () => machine.peek(0, n),
        () => machine.processors[0]!.run(n),
      ])
        expect(refusal(act)).not.toBe('nothing was refused');
    }
    expect(refusal(() => machine.step(1))).toContain('from 0 to 0');
    expect(JSON.stringify(machine.save().driver)).toBe(before);
    expect(machine.peek(2 ** 63, 4)).toEqual(new Uint8Array(4).fill(0xff));
  });
});

it('relocations and boots', () => {
  const options: [keyof RelocationOptions, unknown][] = [
    ['bitness', 16],
    ['accelerator', 'hvf'],
    ['edk2', '2030'],
    ['tsegMb', 3],
    ['budget', Number.NaN],
    ['budget', -1],
  ];
  for (const [name, value] of options)
    expect(refusal(() => prepareRelocation({ parts, [name]: value }))).toMatch(name);
  const flash = { code: rom('hlt'), vars: new Uint8Array(0x1000) };
  expect(refusal(() => new Boot({ ...flash, smiFeatures: 8 }))).toContain('smiFeatures');
  expect(refusal(() => new Boot({ ...flash, lookEvery: 0 }))).toContain('lookEvery');
  const boot = new Boot({ ...flash, memoryMiB: 32 });
  for (const limits of [{ budget: Number.NaN }, { piece: 0 }, { pieceNs: -1 }, { until: { text: '' } }])
    expect(refusal(() => bootInPieces(boot, limits).next())).not.toBe('nothing was refused');
});

it('local APICs and engines of one’s own', () => {
  const processor = { smi: () => {}, nmi: () => {}, init: () => {}, sipi: () => {} };
  const clock = { now: () => 0, createAlarm: () => ({ set: () => {}, cancel: () => {} }) };
  const apic = (more: object) => () =>
    new LocalApic({ apicId: 0, bus: new ApicBus(), clock, processor, ...more });
  for (const more of [{ apicId: -1 }, { apicId: 0.5 }, { busHz: 0 }, { busHz: Number.NaN }, { lvtCount: 9 }])
    expect(refusal(apic(more))).toContain(Object.keys(more)[0]);
  expect(refusal(apic({ physicalAddressBits: 64 }))).toContain('32 to 52');
  expect(refusal(() => new ApicBus({ flavour: 'amd' as never }))).toContain('"amd"');
  const window = createWindow(0x100_0000);
  for (const cacheSize of [Number.NaN, -1, 0, 2 ** 40, 0.5])
    expect(refusal(() => new Engine({ window, cacheOffset: 0, cacheSize }))).toContain(String(cacheSize));
});

it('parts of one’s own', () => {
  for (const many of NO_COUNTS) {
    expect(refusal(() => new CpuHotplug(many as number))).toContain('cpuCount');
    expect(refusal(() => new FlatMemory(many as number))).toContain('sizeBytes');
    expect(refusal(() => new FlatMemory(0x1000, many as number))).toContain('poolStart');
  }
});

it('no number whatever makes a machine hang or fail otherwise', () => {
  const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(Number.NaN, 0, -0, 1e300, 5e-324));
  fc.assert(
    fc.property(number, number, number, number, (nsPerInstruction, slice, seed, instructions) => {
      try {
        const machine = new Machine({ ...OPTIONS, nsPerInstruction, schedule: { seed, slice } });
        let asked = 0;
        machine.run({ instructions, until: () => ++asked > 3, interrupt: () => ++asked > 3 });
      } catch (error) {
        expect(SmmError.isInstance(error)).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});
