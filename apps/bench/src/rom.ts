/**
 * A 64 KiB ROM that takes a processor from the reset vector into paged 32- or 64-bit code, runs a kernel and reports.
 * The same bytes run in every emulator. Nothing of a PC is needed but RAM, the ROM's alias below 1 MiB, and an output
 * port.
 */
import { assemble } from '@smm/asm';
import { KERNEL_BASE, type Kernel, MAPPED_BYTES, PAGE_TABLES, ROUNDS_TO_GO } from './kernels/kernel.ts';

/** Bytes of a ROM. */
export const ROM_SIZE = 0x1_0000;
const ROM_ALIAS = 0xf_0000;
/** Offset of the kernel's code in the ROM. */
const KERNEL_OFFSET = 0x400;
const TABLES = 0x10_0000;
const STACK_TOP = 0xa000;
const APIC_PAGE = 0xfee0_0000;

const FILL_TABLES = `
        mov     edi, ${TABLES}
        mov     ecx, ${0x8_0000 / 4}
        xor     eax, eax
        cld
        rep stosd`;

/** Two levels: page directory, then tables; the local APIC's page has a table of its own. */
const PAGING_32 = `
PT equ ${PAGE_TABLES[32]}
        mov     dword [${TABLES} + ${(APIC_PAGE >>> 22) * 4}], ${TABLES + 0x1003}
        mov     dword [${TABLES + 0x1000} + ${((APIC_PAGE >>> 12) & 0x3ff) * 4}], ${APIC_PAGE} + 13h
        mov     edi, ${TABLES}
        mov     eax, PT + 3
        mov     ecx, ${MAPPED_BYTES >>> 22}
pde:    mov     [edi], eax
        add     edi, 4
        add     eax, 1000h
        dec     ecx
        jnz     pde
        mov     edi, PT
        mov     eax, 3
        mov     ecx, ${MAPPED_BYTES >>> 12}
pte:    mov     [edi], eax
        add     edi, 4
        add     eax, 1000h
        dec     ecx
        jnz     pte
        mov     eax, ${TABLES}
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax`;

/** Four levels, then long mode. */
const PAGING_64 = `
PT equ ${PAGE_TABLES[64]}
        mov     dword [${TABLES}], ${TABLES + 0x1003}
        mov     dword [${TABLES + 0x1000}], ${TABLES + 0x2003}
        mov     dword [${TABLES + 0x1000} + 24], ${TABLES + 0x3003}
        mov     dword [${TABLES + 0x3000} + ${((APIC_PAGE >>> 21) & 0x1ff) * 8}], ${TABLES + 0x4003}
        mov     dword [${TABLES + 0x4000} + ${((APIC_PAGE >>> 12) & 0x1ff) * 8}], ${APIC_PAGE} + 13h
        mov     edi, ${TABLES + 0x2000}
        mov     eax, PT + 3
        mov     ecx, ${MAPPED_BYTES >>> 21}
pde:    mov     [edi], eax
        add     edi, 8
        add     eax, 1000h
        dec     ecx
        jnz     pde
        mov     edi, PT
        mov     eax, 3
        mov     ecx, ${MAPPED_BYTES >>> 12}
pte:    mov     [edi], eax
        add     edi, 8
        add     eax, 1000h
        dec     ecx
        jnz     pte
        mov     eax, ${TABLES}
        mov     cr3, eax
        mov     eax, cr4
        or      eax, 20h
        mov     cr4, eax
        mov     ecx, 0c0000080h
        rdmsr
        or      eax, 100h
        wrmsr
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        jmp     24:long
bits 64
long:   mov     esp, ${STACK_TOP}`;

/** Prints "R=" and the accumulator in hexadecimal, then ends the emulator as each one allows. */
function report(bits: 32 | 64): string {
  const acc = bits === 64 ? 'rbx' : 'ebx';
  return `
        mov     ${acc}, ${bits === 64 ? 'rax' : 'eax'}
        mov     al, 'R'
        call    put
        mov     al, '='
        call    put
        mov     ecx, ${bits / 4}
digit:  rol     ${acc}, 4
        movzx   eax, bl
        and     eax, 15
        mov     al, [${bits === 64 ? 'rax' : 'eax'} + digits]
        call    put
        dec     ecx
        jnz     digit
        mov     al, 10
        call    put
        mov     dx, 0f4h
        mov     al, 0
        out     dx, al
        mov     esi, goodbye
        mov     ecx, 8
        mov     dx, 8900h
farewell: mov   al, [${bits === 64 ? 'rsi' : 'esi'}]
        out     dx, al
        inc     esi
        dec     ecx
        jnz     farewell
idle:   cli
        hlt
        jmp     idle
put:    mov     dx, 402h
        out     dx, al
        mov     dx, 0e9h
        out     dx, al
        mov     dx, 3f8h
        out     dx, al
        ret
goodbye: db 'Shutdown'
digits: db '0123456789abcdef'`;
}

/** What of a kernel goes into a ROM. */
type RomKernel = Pick<Kernel, 'name' | 'bits' | 'source'>;

function bootSource(kernel: RomKernel, kernelBytes: number): string {
  return `
bits 16
boot:   cli
        o32 lgdt [cs:gdtr - ${ROM_ALIAS}]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword 8:protected
bits 32
protected:
        mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, ${STACK_TOP}
${FILL_TABLES}
        mov     esi, ${ROM_ALIAS + KERNEL_OFFSET}
        mov     edi, ${KERNEL_BASE}
        mov     ecx, ${Math.ceil(kernelBytes / 4)}
        rep movsd
${kernel.bits === 64 ? PAGING_64 : PAGING_32}
        mov     eax, ${KERNEL_BASE}
        call    ${kernel.bits === 64 ? 'rax' : 'eax'}
${report(kernel.bits)}
        align   8
gdt:    dq 0
        dq 0x00cf9b000000ffff
        dq 0x00cf93000000ffff
        dq 0x00af9b000000ffff
gdtr:   dw 31
        dd gdt`;
}

/** Builds the ROM of a kernel for a number of rounds. */
export function buildRom(kernel: RomKernel, rounds: number): Uint8Array {
  const code = assemble(
    `iterations equ ${ROUNDS_TO_GO}
        jmp     start
        align   16
rounds: dd ${rounds}
start:  mov     eax, [rounds]
        mov     [iterations], eax
        jmp     kernel
        align   16
${kernel.source}`,
    { bits: kernel.bits, org: KERNEL_BASE },
  ).bytes;
  const boot = assemble(bootSource(kernel, code.length), { bits: 16, org: ROM_ALIAS }).bytes;
  if (boot.length > KERNEL_OFFSET || KERNEL_OFFSET + code.length > ROM_SIZE - 16) {
    throw new Error(`kernel ${kernel.name} does not fit: ${boot.length} and ${code.length} bytes`);
  }
  const rom = new Uint8Array(ROM_SIZE);
  rom.set(boot);
  rom.set(code, KERNEL_OFFSET);
  rom.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return rom;
}
