/** SmmRelocateBases: the BSP sends every CPU through its first SMI, one at a time, itself last. */
import type { FirmwareVariant } from '../variant.ts';
import { hex, print } from './debug-print.ts';
import type { Width } from './width.ts';

/** The wait for a flag at `address`, without PAUSE and without time-out, as in edk2. */
function waitFor(label: string, address: string): string {
  return `${label}:
        mov     al, [${address}]
        test    al, al
        jz      ${label}
${label}End:
`;
}

/** The routine and the data that it patches and saves. */
export function smmRelocateBases(width: Width, variant: FirmwareVariant): string {
  const { ax, bx, bp, di, si } = width;
  const is2015 = variant.shape === '2015';
  // 2015: one flag for each CPU. 2024: one flag and one SMBASE for all.
  const flag = is2015 ? `${bx} + ${di}` : bx;
  const announce = (label: string) =>
    is2015
      ? ''
      : `        mov     eax, [${si} + ${di}*4]
        mov     [mSmBase], eax          ; ${label}
        mov     byte [mRebased], 0
`;
  return `
; ---------------------------------------------------------------------------
; SmmRelocateBases
; ---------------------------------------------------------------------------
SmmRelocateBases:
        push    ${bx}
        push    ${bp}
        push    ${si}
        push    ${di}
; Take over the paging and mode that the BSP uses now.
        mov     ${ax}, cr0
        mov     [gSmmCr0], eax
        mov     ${ax}, cr3
        mov     [gSmmCr3], eax
        mov     ${ax}, cr4
${is2015 ? '' : '        and     eax, ~(1 << 23) & 0FFFFFFFFh ; no CET in SMM\n'}        mov     [gSmmCr4], eax
        mov     eax, [gcSmiGdtr]
        mov     [gcSmiInitGdtr], eax
        mov     eax, [gcSmiGdtr + 4]
        mov     [gcSmiInitGdtr + 4], eax
        mov     ax, [gcSmiGdtr + 8]
        mov     [gcSmiInitGdtr + 8], ax
; Save what lies at the power-up entry point and save state, then place the template.
        mov     esi, SMM_INIT_TEMPLATE
        mov     edi, mBackupBuffer
        mov     ecx, BACK_BUF_SIZE
        rep movsb
        mov     esi, SMM_INIT_SAVE_STATE
        mov     ecx, SAVE_STATE_MAP_SIZE
        rep movsb
        mov     esi, SmmInitTemplate
        mov     edi, SMM_INIT_TEMPLATE
        mov     ecx, SmmInitTemplateEnd - SmmInitTemplate
        rep movsb
        call    GetApicId
        mov     ebp, eax                ; the BSP's own
        mov     ebx, mRebased
        mov     esi, mSmBaseTable
        xor     edi, edi                ; Index
.nextCpu:
        cmp     edi, [mNumberOfCpus]
        jae     .bspLast
        mov     byte [${flag}], 0
        push    ${bx}
        mov     ebx, mProcessorId
        mov     eax, [${bx} + ${di}*4]
        pop     ${bx}
        cmp     eax, ebp
        je      .isBsp
${announce('the AP whose turn it is')}
        call    .apicIdOfIndex
${is2015 ? `        push    ${bx}\n        mov     ebx, eax\n        push    ${si}\n${print('SmmRelocateBases: sending SMI IPI to APIC ID 0x', hex('ebx'), '\n')}        pop     ${si}\n        mov     eax, ebx\n        pop     ${bx}\n` : ''}        mov     edx, eax
        mov     eax, ICR_SMI
        call    SendIpi
; Wait for this AP to finish its first SMI.
${variant.waitForRebased ? waitFor('.waitForAp', flag) : ''}
${is2015 ? `        call    .apicIdOfIndex\n        push    ${bx}\n        mov     ebx, eax\n        push    ${si}\n${print('SmmRelocateBases: APIC ID 0x', hex('ebx'), ' has processed its first SMI\n')}        pop     ${si}\n        pop     ${bx}\n` : ''}        jmp     .advance
.isBsp:
        mov     [mBspIndex], edi
.advance:
        inc     edi
        jmp     .nextCpu

.bspLast:
        mov     edi, [mBspIndex]
${announce('the BSP is last')}
        mov     edx, ebp
        mov     eax, ICR_SMI
        call    SendIpi
${waitFor('.waitForBsp', flag)}
; Give back what was borrowed: save-state area first, then the entry point.
        mov     esi, mBackupBuffer + BACK_BUF_SIZE
        mov     edi, SMM_INIT_SAVE_STATE
        mov     ecx, SAVE_STATE_MAP_SIZE
        rep movsb
        mov     esi, mBackupBuffer
        mov     edi, SMM_INIT_TEMPLATE
        mov     ecx, BACK_BUF_SIZE
        rep movsb
        pop     ${di}
        pop     ${si}
        pop     ${bp}
        pop     ${bx}
        ret
; eax = ProcessorInfo[edi].ProcessorId
.apicIdOfIndex:
        push    ${bx}
        mov     ebx, mProcessorId
        mov     eax, [${bx} + ${di}*4]
        pop     ${bx}
        ret

mBspIndex:
        dd      0
`;
}

/** GDT, pseudo-descriptors and exception handlers of the SMM environment. */
export function smmDescriptors(width: Width): string {
  const { bits, data, bx, sp, size } = width;
  const vectors = Array.from({ length: 32 }, (_, vector) => vector);
  const withError = new Set([8, 10, 11, 12, 13, 14, 17, 21, 29, 30]);
  const stubs = vectors.map(
    (vector) =>
      `${withError.has(vector) ? '' : '        push    0\n'}        push    ${vector}\n        jmp     near SmmException`,
  );
  return `
; ---------------------------------------------------------------------------
; Descriptors and exceptions of the SMM environment
; ---------------------------------------------------------------------------
align 16, db 0
gcSmiGdt:
        dq      0
        dq      00CF9B000000FFFFh       ; 08h 32-bit code
        dq      00CF9B000000FFFFh       ; 10h 32-bit code
        dq      00CF93000000FFFFh       ; 18h 32-bit data
        dq      00CF93000000FFFFh       ; 20h 32-bit data
        dq      008F9B000000FFFFh       ; 28h 16-bit code
        dq      008F93000000FFFFh       ; 30h 16-bit data
        dq      00AF9B000000FFFFh       ; 38h 64-bit code
        dq      0, 0                    ; 40h task state segment, filled for each CPU
gcSmiGdtEnd:
gcSmiGdtr:
        dw      gcSmiGdtEnd - gcSmiGdt - 1
        dd      gcSmiGdt
        dd      0
gcSmiInitGdtr:
        dw      0
        dq      0
gcSmiIdtr:
        dw      256 * ${2 * size} - 1
        ${data}      SmmIdt

; InitializeSmmIdt: all vectors lead to a message and a dead loop. Changes eax, ecx, edx, edi.
InitializeSmmIdt:
        push    ${bx}
        mov     edi, SmmIdt
        mov     edx, SmmExceptionTable
        xor     ecx, ecx
.next:
        mov     ebx, ecx
        cmp     ebx, 31
        jbe     .known
        mov     ebx, 31
.known:
        mov     eax, [${width.dx} + ${bx}*4]
        mov     [${width.di}], ax
        mov     word [${width.di} + 2], ${bits === 32 ? 'CODE32' : 'CODE64'}
        mov     word [${width.di} + 4], 8E00h
        shr     eax, 16
        mov     [${width.di} + 6], ax
${bits === 64 ? `        mov     qword [rdi + 8], 0` : ''}
        add     edi, ${2 * size}
        inc     ecx
        cmp     ecx, 256
        jb      .next
        pop     ${bx}
        ret
${stubs.map((stub, vector) => `SmmExceptionStub${vector}:\n${stub}`).join('\n')}
align 4, db 0
SmmExceptionTable:
${vectors.map((vector) => `        dd      SmmExceptionStub${vector}`).join('\n')}

SmmException:
        mov     ebx, [${sp}]
        mov     edi, [${sp} + ${2 * size}]
        mov     ebp, [${sp} + ${size}]
${print('SMM exception ', hex('ebx', 2), ' error ', hex('ebp', 8), ' at ', hex('edi', 8), '\n')}
SmmExceptionDeadLoop:
        cli
        hlt
        jmp     SmmExceptionDeadLoop
SmmExceptionDeadLoopEnd:
`;
}
