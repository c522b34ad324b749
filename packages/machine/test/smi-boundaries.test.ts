/**
 * An SMI at every instruction boundary of interrupts, exceptions, traps, shadows and IRETs to both privilege levels:
 * the guest goes on as if nothing had been. Intel SDM Vol. 3, "SMIs and Interrupts Within SMM", "Priority Among
 * Concurrent Events".
 */
import { cpuModel } from '@smm/cpu-core';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { sized } from '../../../tests/support/form.ts';
import { DEFAULT_KVM_OPTIONS, DEFAULT_SCHEDULE, Machine, resolveSwitches } from '../src/index.ts';
import { rom } from './flat-rom.ts';
import { parts } from './runs.ts';

const ALL = (['tcg', 'kvm', 'kvm,ept=0'] as const).flatMap((accelerator) =>
  (['interpreter', 'translator'] as const).flatMap((tier) =>
    ([32, 64] as const).map((bits) => ({ accelerator, tier, bits })),
  ),
);
/** In the short form each configuration takes other boundaries, together all; in the full form each takes all. */
const STEP = sized(ALL.length / 2, 1);
const CONFIGURATIONS = ALL.map((one, number) => ({ ...one, first: Math.floor(number / 2) % STEP }));

/** Registers are thrown away; what the handler leaves in them must not reach the guest. */
// or eax, -1; mov esp, eax; xor ebx, ebx; rsm
const HANDLER = [0x66, 0x83, 0xc8, 0xff, 0x66, 0x89, 0xc4, 0x66, 0x31, 0xdb, 0x0f, 0xaa];
const HANDLER_AT = 0x3_8000;

/** Prints `print` through the debug port; AL and DX are lost. */
const put = (letter: string): string => `mov al, '${letter}'\nmov dx, 0x402\nout dx, al\n`;

/** What the guest prints when it is left alone. */
const EXPECTED = 'audtiram8';

function source(bits: 32 | 64, kvm: boolean): string {
  const wide = bits === 64;
  const r = wide ? 'r' : 'e';
  const iret = wide ? 'iretq' : 'iret';
  const missing = (many: number): string => `times ${many * (wide ? 16 : 8)} db 0\n`;
  const gate = (handler: string, type = 0x8e00): string =>
    `dw ${handler}, 8, ${type}, 0xf${wide ? '\ndd 0, 0' : ''}\n`;
  // The handlers' stacks hold the return address on top; in 64-bit mode entries are 8 bytes.
  const entry = wide ? 8 : 4;
  const skip = (letter: string): string => `push ${r}ax
    push ${r}dx
    ${put(letter)}
    pop ${r}dx
    pop ${r}ax
    add dword [${r}sp], 2
    ${iret}\n`;
  return `xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7000
    cld
    mov es, ax
    mov si, gdt
    mov di, 0x4000
    mov cx, gdtEnd - gdt
    cs rep movsb
    o32 lgdt [cs:gdtr]
    o32 lidt [cs:idtr]
    mov dword [0x8000], 0x9007
    mov dword [0x9000], 0xa007
    mov dword [0xa000], 0x87
    mov dword [0x9018], 0xb007
    mov dword [0xbfb8], 0xfee00087
    mov dword [0x3004], 0x7000
    ${wide ? '' : 'mov dword [0x3008], 0x10'}
    ${
      wide
        ? `mov eax, 0x20
           mov cr4, eax
           mov eax, 0x8000
           mov cr3, eax
           mov ecx, 0xc0000080
           rdmsr
           or eax, 0x100
           wrmsr`
        : ''
    }
    mov eax, ${wide ? '0x80000011' : '0x11'}
    mov cr0, eax
    jmp dword 8:(0xf0000 + here)
  align 8
  gdt: dq 0
    dq ${wide ? '0x00af9b000000ffff' : '0x00cf9b000000ffff'}
    dq 0x00cf93000000ffff
    dq ${wide ? '0x00affb000000ffff' : '0x00cffb000000ffff'}
    dq 0x00cff3000000ffff
    dq 0x0000890030000067
    dq 0
  gdtEnd:
  gdtr: dw gdtEnd - gdt - 1
    dd 0x4000
  idtr: dw idtEnd - idt - 1
    dd 0xf0000 + idt
  align 16
  idt: ${gate('divide')}${gate('trap')}${missing(4)}${gate('undefined')}${missing(0x40 - 7)}${gate('device')}${missing(0x80 - 0x41)}
    ${gate('call80', 0xee00)}${gate('back', 0xee00)}
  idtEnd:
  bits ${bits}
  here: mov eax, 0x23
    mov ds, eax
    mov es, eax
    mov eax, 0x10
    mov ss, eax
    mov ${r}sp, 0x7000
    mov eax, 0x28
    ltr ax
    int 0x80
    ud2
    xor ecx, ecx
    div ecx
    pushf${wide ? 'q' : 'd'}
    or dword [${r}sp], 0x100
    popf${wide ? 'q' : 'd'}
    nop
  stepped: mov ebx, 0xfee000f0
    mov dword [${r}bx], 0x1ff
    mov ebx, 0xfee00310
    mov dword [${r}bx], 0
    mov ebx, 0xfee00300
    mov dword [${r}bx], 0x4040
    sti
    nop
  shadowed: nop
    cli
    push 0x23
    push 0x6800
    push 0x3002
    push 0x1b
    mov eax, 0xf0000 + user
    push ${r}ax
    ${iret}
  user:
    ${put('r')}
    int 0x80
    int 0x81
  returned:
    mov eax, 0x10
    mov ss, ax
    mov ${r}sp, 0x7000
    ${put('m')}
    mov edi, 0x5000
    mov ecx, 8
    mov eax, 1
    rep stosd
    mov ecx, 8
    mov esi, 0x5000
    mov ebx, '0'
  sum: lodsd
    add ebx, eax
    loop sum
    mov al, bl
    mov dx, 0x402
    out dx, al
    mov al, 10
    out dx, al
    cli
    hlt
  divide: ${skip('d')}
  undefined: ${skip('u')}
  trap: push ${r}ax
    push ${r}dx
    mov al, 't'
    cmp dword [${r}sp + ${2 * entry}], 0xf0000 + stepped
    je inTime
    mov al, 'T'
  inTime: mov dx, 0x402
    out dx, al
    pop ${r}dx
    pop ${r}ax
    and dword [${r}sp + ${2 * entry}], 0xfffffeff
    ${iret}
  device: push ${r}ax
    push ${r}dx
    mov al, 'i'
    cmp dword [${r}sp + ${2 * entry}], 0xf0000 + shadowed
    ${kvm ? 'je' : 'jmp'} afterShadow
    mov al, 'I'
  afterShadow: mov dx, 0x402
    out dx, al
    mov eax, 0xfee000b0
    mov dword [${r}ax], 0
    pop ${r}dx
    pop ${r}ax
    ${iret}
  call80: ${put('a')}
    ${iret}
  back: jmp returned`;
}

interface Result {
  readonly log: readonly string[];
  readonly registers: readonly string[];
}

describe.each(CONFIGURATIONS)('$bits bit, $accelerator, $tier', ({ accelerator, tier, bits, first }) => {
  const kvm = accelerator !== 'tcg';
  const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg' });
  const machine = new Machine({
    cpus: 1,
    memoryMiB: 32,
    model: cpuModel('qemu64'),
    flash: rom(source(bits, kvm)),
    saveState: SAVE_STATE_AMD64,
    accelerator: kvm
      ? { options: { ...DEFAULT_KVM_OPTIONS, ept: accelerator === 'kvm' }, switches: switches.kvm }
      : 'tcg',
    behaviour: switches.behaviour,
    schedule: { ...DEFAULT_SCHEDULE, slice: 1 },
    comm: 'test',
    interpreter: parts.interpreter,
    tier,
    translator: { threshold: 1 },
    decodedMiB: 1,
  });
  const handlerAt = machine.plan.ramOffset + HANDLER_AT;
  machine.bytes.set(HANDLER, handlerAt);
  machine.written(handlerAt, HANDLER.length);
  const start = machine.save();
  const cpu = machine.processors[0]!;

  const finish = (): Result => {
    expect(machine.run({ instructions: 10_000 })).toBe('idle');
    const { state } = cpu;
    const registers = Array.from({ length: 16 }, (_, i) => state.gpr64(i).toString(16));
    return { log: machine.log, registers: [...registers, state.rip.toString(16), state.rflags.toString(16)] };
  };

  const undisturbed = finish();
  const { retired } = machine;

  it('prints what it should without an SMI', () => {
    expect(retired).toBeGreaterThan(100);
    expect(undisturbed.log).toEqual([EXPECTED]);
  });

  it('prints the same and ends in the same registers with an SMI at any boundary', () => {
    for (let boundary = first; boundary < retired; boundary += STEP) {
      machine.restore(start);
      if (boundary > 0) machine.run({ instructions: boundary });
      cpu.raiseSmi();
      expect(finish(), `after ${boundary} instructions`).toEqual(undisturbed);
      expect(machine.smmEntries[0]).toBe(1);
    }
  });

  // QEMU's TCG forgets the shadow over an SMI, and so does ours: it is not looked at there.
  if (kvm) {
    it('waits for the end of the shadow of STI after an SMI in it', () => {
      for (let boundary = 120; boundary < 145; boundary++) {
        machine.restore(start);
        machine.run({ instructions: boundary });
        cpu.raiseSmi();
        expect(finish(), `after ${boundary} instructions`).toEqual(undisturbed);
      }
    });
  }

  it('so it does with one more SMI that comes in SMM, which is taken right after RSM', () => {
    for (let boundary = first; boundary < retired; boundary += STEP) {
      machine.restore(start);
      if (boundary > 0) machine.run({ instructions: boundary });
      cpu.raiseSmi();
      while (!cpu.state.smm) machine.run({ instructions: 1 });
      cpu.raiseSmi();
      expect(finish(), `after ${boundary} instructions`).toEqual(undisturbed);
      expect(machine.smmEntries[0]).toBe(2);
    }
  });
});
