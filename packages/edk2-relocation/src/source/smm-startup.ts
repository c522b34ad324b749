/** From the first SMI at 38000h to the C-like code: template, SmmStartup, and their patches. */
import type { FirmwareVariant } from '../variant.ts';

/** Selects NX in EFER as the edk2 of 2018 does: with a branch (Q8) or, as here by default, not at all. */
function nxeWithBranch(): string {
  return `
        mov     eax, 80000001h
        cpuid
        mov     ebx, edx
        mov     ecx, IA32_EFER
        rdmsr
        test    ebx, 1 << 20            ; no-execute supported?
        jz      short SmmStartupNoNx    ; Q8: 16-bit, so a taken jump truncates EIP
        or      ah, 8                   ; NXE
        wrmsr
SmmStartupNoNx:
`;
}

/**
 * The template that is copied to 38000h and SmmStartup, which runs with CS base 30000h and EIP above 64 KiB: until the
 * far jump it must not branch.
 */
export function smmStartup(variant: FirmwareVariant): string {
  return variant.bitness === 32 ? startup32(variant) : startup64(variant);
}

function startup32(variant: FirmwareVariant): string {
  return `
; ---------------------------------------------------------------------------
; First SMI, big real mode: CS base 30000h, EIP 8000h
; ---------------------------------------------------------------------------
bits 16
SmmInitTemplate:
        mov     ebp, SmmStartup
        sub     ebp, SMM_DEFAULT_SMBASE
        jmp     ebp
SmmInitTemplateEnd:

; QEMU 7.2 truncates EIP to 16 bits where a translation block ends for want of room, as at a page boundary: stay in one page.
align 128, db 0
SmmStartup:
        mov     eax, strict dword 0
gSmmCr3 equ $ - 4
        mov     cr3, eax
        o32 lgdt [cs:ebp + (gcSmiInitGdtr - SmmStartup)]
        mov     eax, strict dword 0
gSmmCr4 equ $ - 4
        mov     cr4, eax
${variant.has('Q8') ? nxeWithBranch() : ''}
        mov     eax, strict dword 0
gSmmCr0 equ $ - 4
        mov     di, DATA32
        mov     cr0, eax
        jmp     dword CODE32:SmmStartup32
SmmStartup16End:
bits 32
SmmStartup32:
        movzx   edi, di
        mov     ds, edi
        mov     es, edi
        mov     fs, edi
        mov     gs, edi
        mov     ss, edi
        mov     esp, SmmInitStackTop
        call    SmmInitHandler
        rsm
`;
}

function startup64(variant: FirmwareVariant): string {
  const saved = [0, 1, 2, 3, 4, 5];
  return `
; ---------------------------------------------------------------------------
; First SMI, big real mode: CS base 30000h, EIP 8000h. Goes to 64 bit directly.
; ---------------------------------------------------------------------------
bits 16
SmmInitTemplate:
        mov     ebp, [cs:8000h + (SmmInitTemplateTarget - SmmInitTemplate)]
        sub     ebp, SMM_DEFAULT_SMBASE
        jmp     ebp
SmmInitTemplateTarget:
        dq      SmmStartup
SmmInitTemplateEnd:

; QEMU 7.2 truncates EIP to 16 bits where a translation block ends for want of room, as at a page boundary: stay in one page.
align 128, db 0
SmmStartup:
        mov     eax, strict dword 0
gSmmCr3 equ $ - 4
        mov     cr3, eax
        o32 lgdt [cs:ebp + (gcSmiInitGdtr - SmmStartup)]
        mov     eax, strict dword 0
gSmmCr4 equ $ - 4
        or      ax, 200h                ; OSFXSR: the handler saves xmm registers
        mov     cr4, eax
${variant.has('Q8') ? nxeWithBranch() : ''}
        mov     ecx, IA32_EFER
        rdmsr
        or      ah, 1                   ; LME
        wrmsr
        mov     eax, strict dword 0
gSmmCr0 equ $ - 4
        mov     cr0, eax                ; PE and PG together
        jmp     dword CODE64:SmmStartup64
SmmStartup16End:
bits 64
SmmStartup64:
        mov     esp, SmmInitStackTop
        and     sp, 0FFF0h
        sub     rsp, 60h
${saved.map((n) => `        movdqa  [rsp + ${n * 16}], xmm${n}`).join('\n')}
        sub     rsp, 20h
        call    SmmInitHandler
        add     rsp, 20h
${saved.map((n) => `        movdqa  xmm${n}, [rsp + ${n * 16}]`).join('\n')}
        rsm
`;
}
