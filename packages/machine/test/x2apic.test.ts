/** More processors than xAPIC ids: reached by a broadcast, then each by its x2APIC id. */
import { cpuModel } from '@smm/cpu-core';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { DEFAULT_KVM_OPTIONS, DEFAULT_SCHEDULE, Machine, resolveSwitches } from '../src/index.ts';
import { rom } from './flat-rom.ts';

const CPUS = 300;

/**
 * APs switch to x2APIC, add their ids up and halt; the BSP then sends an SMI to the last one by its id and waits for
 * the handler.
 */
const SOURCE = `
bits 16
start:
  xor ax, ax
  mov ds, ax
  mov ss, ax
  mov sp, 0x7000
  ; flat data segments with 4 GiB limits (big real mode), for the APIC page
  o32 lgdt [cs:gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp short next
next:
  mov bx, 8
  mov es, bx
  and al, 0xfe
  mov cr0, eax
  ; the AP's code to 8000h, the SMI handler to 38000h
  mov si, ap
  mov edi, 0x8000
  mov cx, apEnd - ap
  call copy
  mov si, smi
  mov edi, 0x38000
  mov cx, smiEnd - smi
  call copy
  mov dword [0x6000], 0
  mov dword [0x6004], 0
  mov dword [0x6008], 0
  mov edi, 0xfee00000
  mov dword [es:edi + 0xf0], 0x1ff
  mov dword [es:edi + 0x300], 0x000c4500
  mov dword [es:edi + 0x300], 0x000c4608
waitAps:
  pause
  cmp dword [0x6000], ${CPUS - 1}
  jne waitAps
  mov ecx, 0x1b
  rdmsr
  or eax, 0x400
  wrmsr
  mov ecx, 0x830
  mov edx, ${CPUS - 1}
  mov eax, 0x00004200
  wrmsr
waitSmi:
  pause
  cmp dword [0x6008], 0
  je waitSmi
  cli
  hlt

copy:
  mov al, [cs:si]
  mov [es:edi], al
  inc si
  inc edi
  loop copy
  ret

gdtr: dw 15
  dd gdt + 0xf0000
gdt: dq 0
  dq 0x00cf93000000ffff

ap:
  xor ax, ax
  mov ds, ax
  mov ecx, 0x1b
  rdmsr
  or eax, 0x400
  wrmsr
  mov ecx, 0x802
  rdmsr
  lock add [0x6004], eax
  lock inc dword [0x6000]
park:
  cli
  hlt
  jmp short park
apEnd:

smi:
  xor ax, ax
  mov ds, ax
  mov ecx, 0x802
  rdmsr
  mov [0x6008], eax
  rsm
smiEnd:
`;

describe.each(['tcg', 'kvm'] as const)('300 processors with x2APIC under %s', (accelerator) => {
  it('start by broadcast, know their ids, and the last takes an SMI sent to its id', () => {
    const switches = resolveSwitches({ accelerator });
    const machine = new Machine({
      cpus: CPUS,
      memoryMiB: 64,
      model: cpuModel('qemu64,+x2apic'),
      flash: rom(SOURCE),
      saveState: SAVE_STATE_AMD64,
      accelerator: accelerator === 'tcg' ? 'tcg' : { options: DEFAULT_KVM_OPTIONS, switches: switches.kvm },
      behaviour: switches.behaviour,
      schedule: DEFAULT_SCHEDULE,
      comm: 'test',
    });
    expect(machine.run({ instructions: 50_000_000 })).toBe('idle');
    const words = new Uint32Array(machine.peek(0x6000, 12).buffer);
    expect([...words]).toEqual([CPUS - 1, ((CPUS - 1) * CPUS) / 2, CPUS - 1]);
    expect(machine.smmEntries[CPUS - 1]).toBe(1);
    expect(machine.smmEntries.reduce((sum, n) => sum + n)).toBe(1);
  });
});
