/**
 * RSM from save states with one field changed, and with all of them changed at random, beside QEMU's TCG: the guest
 * prints all registers that it can see afterwards, and both print the same. Fields whose change both leave open
 * (reserved bits, paging, breakpoints) are `rsm-fuzz.test.ts`'s.
 */
import { assemble } from '@smm/asm';
import { cpuModel } from '@smm/cpu-core';
import { SAVE_STATE_AMD64, type SaveStateFieldName } from '@smm/x86-defs';
import { beforeAll, describe, expect, it } from 'vitest';
import { seedOf, sized } from '../../../tests/support/form.ts';
import { missingTools, runQemu } from '../../../tests/support/qemu.ts';
import { DEFAULT_KVM_OPTIONS, DEFAULT_SCHEDULE, Machine, resolveSwitches } from '../src/index.ts';
import { parts } from './runs.ts';

/**
 * Field, and 32 bits that are written there: a selector with its attributes. RIP stays, so that the guest goes on in
 * its dump.
 */
type Change = readonly [field: SaveStateFieldName, value: number];

const CHANGES: readonly Change[] = [
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

/** Each of {@link CHANGES} alone. */
const ALONE: readonly (readonly Change[])[] = CHANGES.map((change) => [change]);
/** Save states of one image. */
const STATES = 150;
/** Images of random states. */
const IMAGES = sized(1, 40);

/**
 * All fields of {@link CHANGES} at once: of those that are sets of bits any of the bits, of those that are numbers any
 * number, of the others any of the values.
 */
function randomStates(seed: number): Change[][] {
  let state = seed >>> 0;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const fields = [...new Set(CHANGES.map(([name]) => name))];
  const chosen = (name: SaveStateFieldName): number => {
    const values = CHANGES.flatMap(([field, value]) => (field === name ? [value] : []));
    const one = values[random(values.length)]!;
    if (name === 'rflags' || name === 'cr0' || name === 'cr4')
      return values.reduce((set, value) => (random(2) === 0 ? set : set | value), one) >>> 0;
    if (/^r[a-ds]|^.dtr.base/.test(name)) return random(2 ** 32);
    if (/^[e-s]s.sel/.test(name)) return ((one & 0xffff_0000) | random(0x1_0000)) >>> 0;
    return one;
  };
  return Array.from({ length: STATES }, () => fields.map((name): Change => [name, chosen(name)]));
}

const WORDS = 27;

function image(states: readonly (readonly Change[])[]): Uint8Array {
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
    mov esi, [dword 0x6000]
    xor edi, edi
  .more: mov eax, [esi + edi * 8]
    or eax, eax
    jz .done
    mov ebx, [esi + edi * 8 + 4]
    mov [eax], ebx
    inc edi
    jmp .more
  .done: rsm
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
    mov dword [0x6000], 0xf0000 + changes
  next: mov esi, [0x6000]
    cmp dword [esi], 0
    je over
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
    mov esi, [0x6000]
  skip: mov eax, [esi]
    add esi, 8
    or eax, eax
    jnz skip
    mov [0x6000], esi
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
  changes: ${states
    .map((changes) => [...changes.map(([name, value]) => `dd ${at(name)}, ${value}`), 'dd 0, 0'].join('\n'))
    .join('\n')}
    dd 0`;
  const bytes = new Uint8Array(0x1_0000);
  bytes.set(assemble(source, { bits: 16, org: 0 }).bytes);
  bytes.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return bytes;
}

const missing = missingTools('qemu-system-x86_64');

/** What QEMU prints, a line for each state. */
async function printedByQemu(states: readonly (readonly Change[])[]): Promise<string[]> {
  const result = await runQemu({
    program: 'qemu-system-x86_64',
    image: image(states),
    cpus: 1,
    memoryMiB: 32,
    cpu: 'qemu64',
    until: (log) => log.split('\n').length > states.length,
  });
  result.dispose();
  return result.log.split('\n').slice(0, -1);
}

/** What our machine prints. */
function printedByUs(accelerator: string, states: readonly (readonly Change[])[]): readonly string[] {
  const kvm = accelerator !== 'tcg';
  const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg' });
  const machine = new Machine({
    cpus: 1,
    memoryMiB: 32,
    model: cpuModel('qemu64'),
    flash: image(states),
    saveState: SAVE_STATE_AMD64,
    accelerator: kvm
      ? { options: { ...DEFAULT_KVM_OPTIONS, ept: accelerator === 'kvm' }, switches: switches.kvm }
      : 'tcg',
    behaviour: switches.behaviour,
    schedule: DEFAULT_SCHEDULE,
    comm: 'test',
    interpreter: parts.interpreter,
  });
  expect(machine.run({ instructions: 5_000_000 })).toBe('idle');
  expect(machine.smmEntries[0]).toBe(states.length);
  return machine.log;
}

/** The lines, each with what was changed before it. */
function named(states: readonly (readonly Change[])[], lines: readonly string[]): string[] {
  return states.map((changes, line) => {
    const change = changes.map(([name, value]) => `${name}=${value.toString(16)}`).join(' ');
    return `${change}: ${lines[line]}`;
  });
}

describe.skipIf(missing !== undefined)(`RSM from a changed save state ${missing ?? ''}`, () => {
  const images = [ALONE, ...Array.from({ length: IMAGES }, (_, n) => randomStates(seedOf(0x25a1 + n)))];
  const qemu: string[][] = [];
  beforeAll(async () => {
    for (const states of images) qemu.push(await printedByQemu(states));
  });

  it.each(['tcg', 'kvm', 'kvm,ept=0'])('%s prints what QEMU prints', (accelerator) => {
    images.forEach((states, n) => {
      expect(named(states, printedByUs(accelerator, states))).toEqual(named(states, qemu[n]!));
    });
  });
});
