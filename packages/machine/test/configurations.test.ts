/**
 * Other memory sizes, processor counts and TSEG sizes; the tile arithmetic is checked against numbers worked out by
 * hand.
 */
import { buildFirmware, expectedLog } from '@smm/edk2-relocation';
import { SAVE_STATE_AMD64, SAVE_STATE_LEGACY32_KVM, SAVE_STATE_LEGACY32_QEMU } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { prepareRelocation, type RelocationOptions, runRelocation } from '../src/index.ts';
import { MAIL, parts, run } from './runs.ts';

const MIB = 0x10_0000;

describe.each<RelocationOptions>([
  { memoryMiB: 512, cpus: 3, bitness: 32 },
  { memoryMiB: 1024, cpus: 5, bitness: 64, tsegMb: 2 },
  { memoryMiB: 2048, cpus: 8, bitness: 32, tsegMb: 1, accelerator: 'kvm' },
  { memoryMiB: 3072, cpus: 3, bitness: 64, accelerator: 'kvm' },
  { memoryMiB: 128, cpus: 2, bitness: 64, edk2: '2024', tsegMb: 1 },
  { memoryMiB: 1024, cpus: 8, bitness: 32, edk2: '2024', tsegMb: 2, accelerator: 'kvm' },
])('%o', (options) => {
  const { memoryMiB = 2048, cpus = 1, bitness = 64, tsegMb = 8, edk2 = '2015' } = options;
  // q35 puts RAM from 2 GiB on above 4 GiB once it does not fit below B0000000h.
  const tolud = memoryMiB >= 2816 ? 0x8000_0000 : memoryMiB * MIB;

  it('relocates to the SMBASEs of the arithmetic', () => {
    const { report } = run(options);
    expect(report).toMatchObject({ outcome: 'relocated', firstSmi: { entered: cpus, of: cpus } });
    const smbases =
      edk2 === '2015'
        ? Array.from(
            { length: cpus },
            (_, i) =>
              tolud - 0x2_e000 - Math.ceil((0x8000 + 0x800 * (cpus - 1)) / 4096) * 4096 + i * 0x800 - 0x8000,
          )
        : Array.from({ length: cpus }, (_, i) => tolud - tsegMb * MIB + 0x1000 + i * 0x2000 - 0x8000);
    expect(report.cpus.map(({ smbase }) => smbase)).toEqual(smbases);
    expect(report.cpus.map(({ smmEntries }) => smmEntries)).toEqual(smbases.map(() => 2));
  });

  it('prints the log of a good boot', () => {
    const firmware = buildFirmware({ bitness, shape: edk2, tsegMb, tolud });
    const { handlerSize, symbols } = firmware;
    const stacks = { smmStacks: symbols.get('SmmStacks') ?? 0, smmStackSize: 0x1000 };
    expect(`${run(options).report.log.join('\n')}\n`).toBe(
      expectedLog({ tolud, cpus, shape: edk2, handlerSize, tsegMb, ...stacks }),
    );
  });
});

it.each([
  { ...MAIL, memoryMiB: 512, cpus: 3, tsegMb: 1 },
  { ...MAIL, memoryMiB: 3072, cpus: 8, bitness: 64 },
] as RelocationOptions[])(
  'the mail’s host fails the same way with %o: CPU 1 takes the SMBASE of CPU 0',
  (options) => {
    const { report } = run(options);
    expect(report.outcome).toBe('stuck');
    expect(report.cpus[1]!.smbase).toBe(report.cpus[0]!.planned);
    expect(report.cpus.filter(({ id }) => id !== 1).every(({ smbase }) => smbase === 0x3_0000)).toBe(true);
  },
);

describe('the save state in each tile', () => {
  it.each([
    { accelerator: 'tcg', bitness: 64, layout: SAVE_STATE_AMD64 },
    { accelerator: 'tcg', bitness: 32, layout: SAVE_STATE_LEGACY32_QEMU },
    { accelerator: 'kvm', bitness: 64, layout: SAVE_STATE_AMD64 },
    { accelerator: 'kvm', bitness: 32, layout: SAVE_STATE_LEGACY32_KVM },
  ] as const)(
    'is $layout.name under $accelerator, $bitness-bit, and holds its own SMBASE',
    ({ layout, ...options }) => {
      const relocation = prepareRelocation({ cpus: 3, parts, ...options });
      const { cpus } = runRelocation(relocation);
      const offset = (name: string): number =>
        0x8000 + layout.fields.find((field) => field.name === name)!.offset;
      for (const { smbase } of cpus) {
        const word = (name: string): number =>
          new DataView(relocation.machine.peek(smbase + offset(name), 4, true).buffer).getUint32(0, true);
        expect(word('smbase')).toBe(smbase);
      }
    },
  );
});
