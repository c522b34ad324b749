/** Interprocessor interrupts: one processor to itself, and there and back between two that sleep in HLT meanwhile. */
import { DATA_BASE, type Kernel } from './kernel.ts';
import { periodicKernels } from './periodic.ts';

const IDT = DATA_BASE;
const IDT_POINTER = DATA_BASE + 0x1000;
const COUNTER = DATA_BASE + 0x1010;
/** Below 64 KiB, for real mode reads it. */
const GDT_POINTER = 0xb800;
const AP_IS_UP = DATA_BASE + 0x1030;
const APIC = 0xfee0_0000;
const VECTOR = 0x40;
const AP_VECTOR = 0x41;
const CODE_SELECTOR = { 32: 8, 64: 24 } as const;
/** Offsets of local APIC registers, and of the ICR's fields. */
const [EOI, SVR, ICR, ICR_HIGH] = [0xb0, 0xf0, 0x300, 0x310];
const [ASSERT, TO_SELF, TO_OTHERS] = [0x4000, 0x4_0000, 0xc_0000];
/** IPIs of a round. */
export const IPIS_PER_ROUND = 200;

/** An interrupt gate for a handler in the code segment of the mode. */
function gate(bits: 32 | 64, vector: number, handler: string): string {
  const at = IDT + vector * (bits / 4);
  return `
        mov     eax, ${handler}
        mov     word [${at}], ax
        mov     word [${at + 2}], ${CODE_SELECTOR[bits]}
        mov     word [${at + 4}], 8e00h
        shr     eax, 16
        mov     [${at + 6}], ax
        ${bits === 64 ? `mov     qword [${at + 8}], 0` : ''}`;
}

const loadIdt = (bits: 32 | 64): string => `
        mov     word [${IDT_POINTER}], ${256 * (bits / 4) - 1}
        mov     dword [${IDT_POINTER + 2}], ${IDT}
        mov     dword [${IDT_POINTER + 6}], 0
        lidt    [${IDT_POINTER}]
        mov     ebx, ${APIC}
        mov     dword [@bx + ${SVR}], 1ffh`;

/** Self-IPIs: send, open the window of one instruction, handler with EOI, IRET. */
export const selfIpiKernels = periodicKernels({
  name: 'ipi-self',
  title: `${IPIS_PER_ROUND} interrupts to itself through the local APIC`,
  needs: ['apic'],
  setup: ({ bits }) => `${gate(bits, VECTOR, 'handler')}${loadIdt(bits)}`,
  body: () => `
        mov     dword [${COUNTER}], 0
        xor     eax, eax
        mov     ebx, ${APIC}
        mov     ecx, ${IPIS_PER_ROUND}
again:  mov     dword [@bx + ${ICR}], ${TO_SELF + ASSERT + VECTOR}
        sti
        nop
        cli
        rol     @ax, 1
        add     eax, [${COUNTER}]
        dec     ecx
        jnz     again`,
  tail: ({ bits }) => `
handler: inc    dword [${COUNTER}]
        mov     dword [@bx + ${EOI}], 0
        ${bits === 64 ? 'iretq' : 'iretd'}`,
  round: ({ rol }) => {
    let acc = 0n;
    for (let i = 1; i <= IPIS_PER_ROUND; i++) acc = BigInt.asUintN(32, rol(acc, 1) + BigInt(i));
    return { digest: acc, instructions: 4 + (8 + 3) * IPIS_PER_ROUND };
  },
});

const TRAMPOLINE = 0xb000;
const AP_STACK = 0xf000;

/** The other processor starts at {@link TRAMPOLINE}, takes over tables and segments, and answers every IPI with one. */
const pairSource = `
kernel: mov     esi, trampoline
        mov     edi, ${TRAMPOLINE}
        mov     ecx, trampoline_end - trampoline
        cld
        rep movsb
        sgdt    [${GDT_POINTER}]
        mov     dword [${COUNTER}], 0
        mov     dword [${AP_IS_UP}], 0
${gate(32, VECTOR, 'reply')}
${gate(32, AP_VECTOR, 'request')}
${loadIdt(32).replaceAll('@bx', 'ebx')}
        mov     dword [ebx + ${ICR}], ${TO_OTHERS + ASSERT + 0x500}
        mov     dword [ebx + ${ICR}], ${TO_OTHERS + ASSERT + 0x600 + (TRAMPOLINE >>> 12)}
waking: pause
        cmp     dword [${AP_IS_UP}], 0
        je      waking
        mov     dword [ebx + ${ICR_HIGH}], ${1 << 24}
        xor     edx, edx
round:  mov     ecx, ${IPIS_PER_ROUND}
again:  inc     edx
        mov     dword [ebx + ${ICR}], ${ASSERT + AP_VECTOR}
answer: sti
        hlt
        cli
        cmp     [${COUNTER}], edx
        jne     answer
        dec     ecx
        jnz     again
        dec     dword [iterations]
        jnz     round
        mov     eax, edx
        ret
        align   16
reply:  inc     dword [${COUNTER}]
        mov     dword [${APIC + EOI}], 0
        iretd
request: mov    dword [${APIC + EOI}], 0
        mov     dword [${APIC + ICR}], ${ASSERT + VECTOR}
        iretd
        align   16
trampoline:
bits 16
        cli
        xor     ax, ax
        mov     ds, ax
        o32 lgdt [${GDT_POINTER}]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 8:ap
trampoline_end:
bits 32
ap:     mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, ${AP_STACK}
        mov     eax, ${0x10_0000}
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        lidt    [${IDT_POINTER}]
        mov     dword [${APIC + SVR}], 1ffh
        mov     dword [${APIC + ICR_HIGH}], 0
        mov     dword [${AP_IS_UP}], 1
sleep:  sti
        hlt
        jmp     sleep
`;

/** Round trips between two processors. */
export const pairIpi: Kernel = {
  name: 'ipi-pair32',
  bits: 32,
  title: `${IPIS_PER_ROUND} interrupts to a second processor and back, both in HLT between them`,
  source: pairSource,
  processors: 2,
  needs: ['apic', 'smp'],
  waits: true,
  reference: (rounds) => ({ result: BigInt(rounds * IPIS_PER_ROUND), instructions: 0, repeats: 0 }),
};
