/** The same image in real QEMU and here under `tcg`: debug log byte for byte, and what each CPU saved in its tile. */
import { SAVE_STATE_AMD64, SAVE_STATE_LEGACY32_QEMU } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { FULL } from '../../../tests/support/form.ts';
import { missingTools, runQemu } from '../../../tests/support/qemu.ts';
import { prepareRelocation, type RelocationOptions, runRelocation } from '../src/index.ts';
import { flat, rom } from './flat-rom.ts';
import { parts } from './runs.ts';

const missing = missingTools('qemu-system-i386', 'qemu-system-x86_64');

type Case = Required<Pick<RelocationOptions, 'bitness' | 'edk2' | 'cpus' | 'memoryMiB'>>;

const FAST: Case[] = [
  { bitness: 32, edk2: '2015', cpus: 2, memoryMiB: 2048 },
  { bitness: 64, edk2: '2015', cpus: 3, memoryMiB: 512 },
  { bitness: 64, edk2: '2024', cpus: 2, memoryMiB: 512 },
];

const ALL: Case[] = ([32, 64] as const).flatMap((bitness) =>
  (['2015', '2024'] as const).flatMap((edk2) =>
    [512, 2048].flatMap((memoryMiB) =>
      [1, 2, 3, 5, 8, 255].map((cpus) => ({ bitness, edk2, cpus, memoryMiB })),
    ),
  ),
);

describe.skipIf(missing !== undefined)(`real QEMU ${missing ?? ''}`, () => {
  it.each(FULL ? ALL : FAST)(
    'and this machine agree: $bitness-bit, $edk2, $cpus CPUs, $memoryMiB MiB',
    async (options) => {
      const { bitness, cpus, memoryMiB } = options;
      const relocation = prepareRelocation({ ...options, accelerator: 'tcg', parts });
      const report = runRelocation(relocation);
      const log = `${report.log.join('\n')}\n`;
      const run = await runQemu({
        program: bitness === 32 ? 'qemu-system-i386' : 'qemu-system-x86_64',
        cpus,
        memoryMiB,
        image: relocation.firmware!.image,
        cpu: bitness === 32 ? 'coreduo,-nx' : 'qemu64',
        until: (text) => text.endsWith('Firmware done\n'),
      });
      try {
        expect(run.log).toBe(log);
        const layout = bitness === 64 ? SAVE_STATE_AMD64 : SAVE_STATE_LEGACY32_QEMU;
        const at = (name: string): number =>
          0x8000 + layout.fields.find((field) => field.name === name)!.offset;
        const same = [
          'smbase',
          'revision',
          'cr0',
          'cr4',
          'cr3',
          'cs.selector',
          'cs.limit',
          'gdtr.limit',
        ] as const;
        for (const { smbase } of report.cpus) {
          const theirs = new DataView(run.read(smbase, 0x1_0000).buffer);
          const ours = new DataView(relocation.machine.peek(smbase, 0x1_0000, true).buffer);
          expect(theirs.getUint32(at('smbase'), true)).toBe(smbase);
          const fields = (view: DataView) =>
            Object.fromEntries(same.map((name) => [name, view.getUint32(at(name), true)]));
          expect(fields(ours)).toEqual(fields(theirs));
        }
      } finally {
        run.dispose();
      }
    },
    150_000,
  );

  it.each([
    ['Q9', 'setting CR0.PG with bad PDPTEs is not noticed', 'First SMI: 2 of 2 CPUs checked in'],
    ['Q10', 'the first normal SMI reaches one CPU', 'First SMI: 1 of 2 CPUs checked in'],
    ['Q24', 'without PAUSE', 'First SMI: 2 of 2 CPUs checked in'],
  ])(
    'and this machine with Q31 agree on firmware with %s: %s',
    async (quirk, _what, says) => {
      const relocation = prepareRelocation({
        cpus: 2,
        bitness: 32,
        quirks: [`+${quirk}`, '+Q31'],
        parts,
      });
      const log = `${runRelocation(relocation).log.join('\n')}\n`;
      expect(log).toContain(says);
      const { image } = relocation.firmware!;
      const until = (text: string): boolean => text.endsWith('Firmware done\n');
      const run = await runQemu({
        program: 'qemu-system-i386',
        cpus: 2,
        memoryMiB: 2048,
        image,
        cpu: 'coreduo,-nx',
        until,
      });
      run.dispose();
      expect(run.log).toBe(log);
    },
    60_000,
  );

  // The BSP sends an AP that was never started one SMI. QEMU's AP then runs the reset vector, and prints.
  const smiToWaitingAp = `
    mov ax, 0
    mov ds, ax
    mov ecx, 1bh
    rdmsr
    test ah, 1            ; BSP?
    jz .ap
    cli
    lgdt [cs:gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov ds, bx
    and al, 0feh
    mov cr0, eax
    mov edi, 0fee00300h
    mov dword [edi + 10h], 01000000h
    mov dword [edi], 00004200h
    mov al, 'B'
    mov dx, 402h
    out dx, al
    mov ecx, 200000
.wait:
    dec ecx
    jnz .wait
    mov al, 10
    out dx, al
    hlt
.ap:
    mov al, 'A'
    mov dx, 402h
    out dx, al
    cli
    hlt
gdt: dq 0
    dq 00cf93000000ffffh
gdtr: dw 15
    dd 0f0000h + gdt
  `;

  it('runs the reset vector on a waiting AP that gets an SMI, as we do with Q31 and not without', async () => {
    // RSM at the default SMBASE: the BSP puts it there first.
    const source = `mov ax, 3800h\n mov es, ax\n mov word [es:0], 0aa0fh\n ${smiToWaitingAp}`;
    const theirs = await runQemu({
      program: 'qemu-system-x86_64',
      image: rom(source),
      cpus: 2,
      memoryMiB: 64,
      cpu: 'qemu64',
      until: (text) => text.includes('\n') && text.includes('A'),
    });
    theirs.dispose();
    const logOf = (quirks: readonly string[]): string | undefined => {
      const machine = flat(source, { cpus: 2, quirks });
      machine.run({ instructions: 2_000_000 });
      return machine.log[0];
    };
    expect([...theirs.log].sort().join('').trim()).toBe('AB');
    expect([...(logOf(['+Q31']) ?? '')].sort().join('')).toBe('AB');
    expect(logOf([])).toBe('B');
  });
});
