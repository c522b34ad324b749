/** Normal SMIs: the entry code in each tile, and the rendezvous behind it. */
import type { FirmwareVariant } from '../variant.ts';
import type { Width } from './width.ts';

/** The template that is copied to each SMBASE + 8000h and patched there. */
export function smiEntry(variant: FirmwareVariant): string {
  return `
; ---------------------------------------------------------------------------
; SMI entry of one tile. Runs at SMBASE + 8000h in big real mode with CS base SMBASE.
; ---------------------------------------------------------------------------
bits 16
gcSmiHandlerTemplate:
        mov     bx, SmiGdtr - gcSmiHandlerTemplate + 8000h
        mov     ax, [cs:PSD_OFFSET + 38h]       ; PSD: SmmGdtSize
        dec     ax
        mov     [cs:bx], ax
        mov     eax, [cs:PSD_OFFSET + 30h]      ; PSD: SmmGdtPtr
        mov     [cs:bx + 2], eax
        o32 lgdt [cs:bx]
        mov     edi, strict dword 0             ; SMBASE of this tile
SmiPatchSmBase  equ $ - 4 - gcSmiHandlerTemplate
        lea     eax, [edi + (SmiProtected - gcSmiHandlerTemplate + 8000h)]
        mov     [cs:SmiFarJump - gcSmiHandlerTemplate + 8000h + 2], eax
        mov     ebx, cr0
        and     ebx, 9FFAFFF3h
        or      ebx, 23h
        mov     cr0, ebx
SmiFarJump:
        jmp     dword CODE32:0
SmiGdtr:
        dw      0
        dd      0
bits 32
SmiProtected:
        mov     eax, DATA32
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     esp, strict dword 0             ; top of this CPU's stack, where its index is
SmiPatchStack   equ $ - 4 - gcSmiHandlerTemplate
        mov     eax, SmiPageTables
        mov     cr3, eax
${variant.bitness === 32 ? entry32() : entry64()}
gcSmiHandlerTemplateEnd:
`;
}

function entry32(): string {
  // CR4 takes what CPUID has: DE, PAE, MCE, OSFXSR, OSXMMEXCPT.
  const features: readonly (readonly [number, string])[] = [
    [1 << 2, '8'],
    [1 << 6, '20h'],
    [1 << 7, '40h'],
    [1 << 24, '200h'],
    [1 << 25, '400h'],
  ];
  const tests = features.map(
    ([bit, cr4]) => `        test    edx, ${bit}
        jz      .no${cr4}
        or      esi, ${cr4}
.no${cr4}:`,
  );
  return `        mov     eax, 1
        cpuid
        xor     esi, esi
${tests.join('\n')}
        mov     cr4, esi
        mov     ebx, cr0
        or      ebx, 80010000h                  ; PG, WP
        mov     cr0, ebx
        lidt    [gcSmiIdtr]
        mov     ebx, [esp]
        mov     eax, SmiRendezvous
        call    eax
        rsm
`;
}

function entry64(): string {
  return `        mov     eax, 668h                       ; DE, PAE, MCE, OSFXSR, OSXMMEXCPT
        mov     cr4, eax
        sub     esp, 8
        sgdt    [esp]
        mov     eax, [esp + 2]
        add     esp, 8
        mov     byte [eax + TSS + 5], 89h       ; clear the busy flag
        mov     eax, TSS
        ltr     ax
        push    CODE64
        lea     eax, [edi + (SmiLong - gcSmiHandlerTemplate + 8000h)]
        push    eax
        mov     ecx, IA32_EFER
        rdmsr
        or      ah, 1                           ; LME
        wrmsr
        mov     ebx, cr0
        or      ebx, 80010000h                  ; PG, WP
        mov     cr0, ebx
        retf
bits 64
SmiLong:
        mov     eax, gcSmiIdtr
        lidt    [rax]
        mov     ebx, [rsp]
        mov     eax, SmiRendezvous
        call    rax
        rsm
`;
}

/** SmiRendezvous(ebx = index): check in; the first CPU gathers the others; all leave together. */
export function smiRendezvous(width: Width, variant: FirmwareVariant): string {
  const { bx, dx } = width;
  const pause = variant.has('Q24') ? '' : '        pause\n';
  const callOthers = variant.has('Q10')
    ? ''
    : `        xor     edx, edx
        mov     eax, ICR_SMI_OTHERS
        call    SendIpi
`;
  return `
; ---------------------------------------------------------------------------
; Rendezvous of a normal SMI
; ---------------------------------------------------------------------------
SmiRendezvous:
        cmp     byte [mAllCpusInSync], 0
        jne     .leave                  ; this SMI is over already
        call    GetInitialApicId        ; CPUID: also right where the APIC page is not
        mov     edx, mCheckInApicId
        mov     [${dx} + ${bx}], al
        mov     edx, mCheckIn
        mov     al, 1
        xchg    [${dx} + ${bx}], al
        test    al, al
        jnz     .elect
        lock inc dword [mCheckInCount]
.elect:
        mov     eax, 0FFFFFFFFh
        lock cmpxchg [mGatherer], ebx
        jne     .waitForAllCpusInSync

; First to come: call the others and wait until nobody new has come for a while.
        cmp     dword [mNumberOfCpus], 1
        je      .gathered
${callOthers}        xor     edi, edi                ; arrivals seen
        xor     esi, esi                ; polls without a new one
.waitForCheckIn:
        mov     eax, [mCheckInCount]
        cmp     eax, [mNumberOfCpus]
        jae     .gathered
        cmp     eax, edi
        je      .samePoll
        mov     edi, eax
        xor     esi, esi
.samePoll:
${pause}        inc     esi
        cmp     esi, ${variant.gatherPolls}
        jb      .waitForCheckIn
.waitForCheckInEnd:
.gathered:
        mov     eax, [mCheckInCount]
        mov     [abs gCheckInCount], eax
        mov     esi, mCheckIn
        mov     edi, gCheckIn
        mov     ecx, 200h               ; both tables
        rep movsb
        mov     byte [mAllCpusInSync], 1
        mov     dword [abs gFirstSmiDone], 1
.leave:
        ret

; The others wait in SMM for the one that gathers.
.waitForAllCpusInSync:
${pause}        mov     al, [mAllCpusInSync]
        test    al, al
        jz      .waitForAllCpusInSync
.waitForAllCpusInSyncEnd:
        ret

align 4, db 0
mGatherer:
        dd      0FFFFFFFFh
mCheckInCount:
        dd      0
mAllCpusInSync:
        db      0
`;
}
