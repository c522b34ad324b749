/** One configuration is one machine, whatever runs on it. */
import { assemble } from '@smm/asm';
import { describe, expect, it } from 'vitest';
import {
  Boot,
  type MachineConfig,
  NS_PER_INSTRUCTION,
  prepareRelocation,
  RelocationParts,
} from '../src/index.ts';

const parts = new RelocationParts();
const rom = new Uint8Array(0x2_0000).fill(0xf4);
const half = rom.slice(0, rom.length / 2);

/** Everything that scenarios have defaults of their own for. */
const common: MachineConfig = {
  memoryMiB: 64,
  cpu: 'qemu64',
  nsPerInstruction: NS_PER_INSTRUCTION,
  schedule: { seed: 3, slice: 777 },
};

const configs: Record<string, MachineConfig> = {
  'no more said': {},
  'three processors': { cpus: 3 },
  'a processor without long mode': { cpu: 'coreduo' },
  "kvm with the mail's host": { accelerator: 'kvm', host: 'rhel7-3.10.0-323', cpus: 2 },
  'kvm without long mode, EPT and kernel_irqchip': {
    accelerator: 'kvm',
    cpu: 'coreduo,-nx',
    kvm: { ept: false, kernelIrqchip: false },
  },
  'kvm without a quirk of its host': { accelerator: 'kvm', host: 'rhel7-3.10.0-323', quirks: ['-Q1'] },
  'an empty CPUID leaf 0Bh': { quirks: ['+Q5'] },
  'another speed': { nsPerInstruction: 64 },
  'the interpreter': { tier: 'interpreter' },
};

describe('a relocation and a boot of one configuration', () => {
  it.each(Object.entries(configs))('are the same machine: %s', (_, config) => {
    const relocation = prepareRelocation({ ...common, ...config, rom, parts }).machine;
    const boot = new Boot({ ...common, ...config, vars: half, code: half }).machine;
    expect(boot.save().machine).toEqual(relocation.save().machine);
    expect(boot.save().driver).toEqual(relocation.save().driver);
  });

  it('reads an empty CPUID leaf 0Bh only where the quirk is', () => {
    const code = half.slice();
    const bits = 16;
    code.set(assemble('mov eax, 0xb\nxor ecx, ecx\ncpuid\nagain:\njmp again', { bits, org: 0 }).bytes);
    code.set(assemble('jmp 0xf000:0', { bits, org: 0xfff0 }).bytes, code.length - 16);
    const threadsPerCore = (quirks: string[]): number => {
      const { machine } = new Boot({ ...common, quirks, vars: half, code });
      machine.run({ instructions: 1000 });
      return machine.processors[0]!.state.gpr32(3);
    };
    expect(threadsPerCore([])).toBe(1);
    expect(threadsPerCore(['+Q5'])).toBe(0);
  });

  it.each([
    [{ accelerator: 'hvf' }, 'OPTION_VALUE'],
    [{ cpu: 'i486' }, 'CPU_MODEL_UNKNOWN'],
    [{ accelerator: 'kvm', host: 'linux-1' }, 'HOST_UNKNOWN'],
    [{ quirks: ['Q1'] }, 'QUIRK_SYNTAX'],
    [{ cpus: 0 }, undefined],
    [{ nsPerInstruction: 0 }, 'OPTION_VALUE'],
    [{ schedule: { seed: -1, slice: 0 } }, undefined],
  ] as const)('are refused alike: %o', (bad, code) => {
    const config = { ...common, ...bad } as MachineConfig;
    const refusal = (build: () => unknown): unknown => {
      try {
        build();
        return 'built';
      } catch (error) {
        return error;
      }
    };
    const ofRelocation = refusal(() => prepareRelocation({ ...config, rom, parts }));
    const ofBoot = refusal(() => new Boot({ ...config, vars: half, code: half }));
    expect(ofRelocation).toHaveProperty('name', 'SmmError');
    if (code !== undefined) expect(ofRelocation).toHaveProperty('code', code);
    expect(String(ofBoot)).toBe(String(ofRelocation));
  });
});
