/** Local APIC helpers after edk2's BaseXApicLib, linked into each image. */
import type { FirmwareVariant } from '../variant.ts';
import type { Width } from './width.ts';

/** GetInitialApicId, GetApicId and SendIpi. */
export function apicLibrary({ bx, cx, si }: Width, variant: FirmwareVariant): string {
  // Before edk2 4af3ae1463 leaf 0Bh was believed even when it is empty (EBX[15:0] = 0).
  const checkLeaf = variant.has('Q5')
    ? ''
    : `        test    ebx, 0FFFFh             ; no logical processors at this level: the leaf is empty
        jz      .leaf1
`;
  return `
; ---------------------------------------------------------------------------
; Local APIC in xAPIC mode
; ---------------------------------------------------------------------------
; eax = initial APIC id from CPUID. Changes ecx, edx.
GetInitialApicId:
        push    ${bx}
        xor     eax, eax
        cpuid
        cmp     eax, 0Bh
        jb      .leaf1
        mov     eax, 0Bh
        xor     ecx, ecx
        cpuid
${checkLeaf}        mov     eax, edx
        pop     ${bx}
        ret
.leaf1:
        mov     eax, 1
        cpuid
        shr     ebx, 24
        mov     eax, ebx
        pop     ${bx}
        ret

; eax = APIC id: the register in the local APIC page when the initial id fits 8 bits, else the initial id. Changes ecx, edx.
GetApicId:
        call    GetInitialApicId
        cmp     eax, 100h
        jae     .done
        mov     ecx, LOCAL_APIC_BASE + APIC_ID
.read:
        mov     eax, [${cx}]
        shr     eax, 24
.done:
        ret

; Sends the IPI with low dword eax to APIC id edx. Keeps ICR2 for whoever was about to use it. Changes eax, ecx, edx.
SendIpi:
        pushf
        cli
        push    ${bx}
        push    ${si}
        mov     esi, LOCAL_APIC_BASE
        mov     ebx, [${si} + APIC_ICR2]
.waitIdle:
        mov     ecx, [${si} + APIC_ICR]
        test    ecx, APIC_ICR_BUSY
        jnz     .waitIdle
.waitIdleEnd:
        shl     edx, 24
        mov     [${si} + APIC_ICR2], edx
        mov     [${si} + APIC_ICR], eax
.waitSent:
        mov     ecx, [${si} + APIC_ICR]
        test    ecx, APIC_ICR_BUSY
        jnz     .waitSent
.waitSentEnd:
        mov     [${si} + APIC_ICR2], ebx
        pop     ${si}
        pop     ${bx}
        popf
        ret
`;
}
