/**
 * RSM from a save state with one field changed, beside QEMU's TCG: the guest prints all registers that it can see
 * afterwards, and both print the same. Fields whose change both leave open (reserved bits, paging, breakpoints) are
 * `rsm-fuzz.test.ts`'s.
 */
import { assemble } from '@smm/asm';
import { cpuModel } from '@smm/cpu-core';
import { SAVE_STATE_AMD64, type SaveStateFieldName } from '@smm/x86-defs';
import { beforeAll, describe, expect, it } from 'vitest';
import { missingTools, runQemu } from '../../../tests/support/qemu.ts';
import { DEFAULT_KVM_OPTIONS, DEFAULT_SCHEDULE, Machine, resolveSwitches } from '../src/index.ts';
import { parts } from './runs.ts';

/**
 * Field, and 32 bits that are written there: a selector with its attributes. RIP stays, so that the guest goes on in
 * its dump.
 */
const CHANGES: readonly (readonly [SaveStateFieldName, number])[] = [
  ...(['rax', 'rcx', 'rdx', 'rbx', 'rsp', 'rbp', 'rsi', 'rdi'] as const).map(
    (name, n) => [name, 0x8765_4320 + n] as const,
  ),
  ...[0x1, 0x4, 0x10, 0x40, 0x80, 0x400, 0x800, 0x3000, 0x4000, 0x4_0000, 0x20_0000, 0x24_7cd5].map(
    (flags) => ['rflags', flags | 2] as const,
  ),
  ...[0x1, 0x3, 0x5, 0x9, 0x21, 0x1_0001, 0x4_0001, 0x4000_0001, 0x6000_0001].map(
    (cr0) => ['cr0', cr0 | 0x10] as const,
  ),
  ...[0x4, 0x8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x6f8].map((cr4) => ['cr4', cr4] as const),
  ['cr3', 0x1234_5000],
  ['cr3', 0x1234_5018],
  ['dr6', 0xffff_0ff1],
  ['dr6', 0xffff_eff0],
  ['dr7', 0x700],
  ['dr7', 0x500], // not GD: QEMU does not know it
  ...(['es', 'ds', 'fs', 'gs', 'ss'] as const).map((name) => [`${name}.selector`, 0xc093_1234] as const),
  ['ldtr.selector', 0x82_0028],
  ['tr.selector', 0x8b_0030],
  ['gdtr.limit', 0x7f],
  ['gdtr.base', 0x8765_4321],
  ['idtr.limit', 0x123],
  ['idtr.base', 0xfedc_ba98],
];

const WORDS = 27;

function image(): Uint8Array {
  const at = (name: SaveStateFieldName): number =>
    SAVE_STATE_AMD64.fields.find((field) => field.name === name)!.offset + 0x3_8000;
  const registers = ['eax', 'ecx', 'edx', 'ebx', 'esp', 'ebp', 'esi', 'edi'];
  const seen = ['cr0', 'cr3', 'cr4', 'dr6', 'dr7', 'es', 'cs', 'ss', 'ds', 'fs', 'gs'];
  const source = `bits 16
    xor ax, ax
    mov ss, ax
    mov sp, 0x7000
    cld
    o32 lgdt [cs:gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp dword 8:(0xf0000 + flat)
  align 8
  gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
  gdtr: dw 23
    dd 0xf0000 + gdt
  idtr: dw 0x3ff
    dd 0
  handler:
    mov eax, [dword 0x6000]
    mov ebx, [dword 0x6004]
    mov [eax], ebx
    rsm
  handlerEnd:
  bits 32
  flat: call segments
    mov eax, 0x8000f840
    mov ecx, 0x601
    call pci
    mov eax, 0x8000f844
    mov ecx, 0x80
    call pci
    mov dx, 0x630
    mov eax, 0x21
    out dx, eax
    mov esi, 0xf0000 + handler
    mov edi, 0x38000
    mov ecx, handlerEnd - handler
    rep movsb
    mov dword [0x6008], 0xf0000 + changes
  next: mov esi, [0x6008]
    mov eax, [esi]
    or eax, eax
    jz over
    mov ebx, [esi + 4]
    mov [0x6000], eax
    mov [0x6004], ebx
    add dword [0x6008], 8
    mov eax, 0x11111111
    mov ecx, 0x22222222
    mov edx, 0x33333333
    mov ebx, 0x44444444
    mov esi, 0x55555555
    mov edi, 0x66666666
    mov ebp, 0x77777777
    out 0xb2, al
    jmp $ + 2
    jmp $ + 2
    jmp $ + 2
    ${registers.map((name, n) => `mov [${0x5000 + n * 4}], ${name}`).join('\n')}
    mov esp, 0x7000
    pushfd
    pop dword [0x5020]
    ${seen.map((name, n) => `mov eax, ${name}\nmov [${0x5024 + n * 4}], eax`).join('\n')}
    sgdt [0x5050]
    sidt [0x5058]
    ${['str', 'sldt'].map((name, n) => `${name} eax\nmov [${0x5060 + n * 4}], eax`).join('\n')}
    mov eax, 0x11
    mov cr0, eax
    xor eax, eax
    mov cr4, eax
    mov eax, 0x400
    mov dr7, eax
    mov eax, 0xffff0ff0
    mov dr6, eax
    push 2
    popfd
    call segments
    mov esi, 0x5000
    mov ecx, ${WORDS - 1}
  nextWord: lodsd
    mov edi, 8
    mov ebx, eax
  digit: rol ebx, 4
    mov al, bl
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe .low
    add al, 39
  .low: mov dx, 0x402
    out dx, al
    dec edi
    jnz digit
    mov al, ' '
    out dx, al
    loop nextWord
    mov al, 10
    out dx, al
    jmp next
  over: cli
    hlt
  segments: lgdt [cs:0xf0000 + gdtr]
    lidt [cs:0xf0000 + idtr]
    mov eax, 0x10
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    ret
  pci: mov dx, 0xcf8
    out dx, eax
    mov dx, 0xcfc
    mov eax, ecx
    out dx, eax
    ret
  align 4
  changes: ${CHANGES.map(([name, value]) => `dd ${at(name)}, ${value}`).join('\n')}
    dd 0`;
  const bytes = new Uint8Array(0x1_0000);
  bytes.set(assemble(source, { bits: 16, org: 0 }).bytes);
  bytes.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return bytes;
}

const missing = missingTools('qemu-system-x86_64');

describe.skipIf(missing !== undefined)(`RSM with one changed field ${missing ?? ''}`, () => {
  let qemu: readonly string[] = [];
  beforeAll(async () => {
    const result = await runQemu({
      program: 'qemu-system-x86_64',
      image: image(),
      cpus: 1,
      memoryMiB: 32,
      cpu: 'qemu64',
      until: (log) => log.split('\n').length > CHANGES.length,
      timeoutMs: 20_000,
    });
    result.dispose();
    qemu = result.log.split('\n').slice(0, -1);
  }, 30_000);

  it.each(['tcg', 'kvm', 'kvm,ept=0'])('%s prints what QEMU prints', (accelerator) => {
    const kvm = accelerator !== 'tcg';
    const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg' });
    const machine = new Machine({
      cpus: 1,
      memoryMiB: 32,
      model: cpuModel('qemu64'),
      flash: image(),
      saveState: SAVE_STATE_AMD64,
      accelerator: kvm
        ? { options: { ...DEFAULT_KVM_OPTIONS, ept: accelerator === 'kvm' }, switches: switches.kvm }
        : 'tcg',
      behaviour: switches.behaviour,
      schedule: DEFAULT_SCHEDULE,
      comm: 'test',
      interpreter: parts.interpreter,
    });
    expect(machine.run({ instructions: 2_000_000 })).toBe('idle');
    const named = (lines: readonly string[]): string[] =>
      CHANGES.map(([name, value], line) => `${name} ${value.toString(16)}: ${lines[line]}`);
    expect(named(machine.log)).toEqual(named(qemu));
    expect(machine.smmEntries[0]).toBe(CHANGES.length);
  });
});
