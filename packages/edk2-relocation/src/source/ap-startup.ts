/** INIT-SIPI-SIPI, the AP's way up, and where it sleeps. */
import type { FirmwareVariant } from '../variant.ts';
import { apHltLoop, toApHltLoop } from './suspend.ts';
import { type Width, widthOf } from './width.ts';

/** BSP side: wakes all APs, waits until each has registered, sorts the APIC ids as MpInitLib does. */
export function wakeAps({ bx, cx, si }: Width): string {
  const idle = (label: string, count: string) => `        mov     ecx, ${count}
${label}:
        pause
        dec     ecx
        jnz     ${label}
`;
  return `
; ---------------------------------------------------------------------------
; WakeUpAps: CPU count and APIC ids, ascending, in the platform block
; ---------------------------------------------------------------------------
WakeUpAps:
        call    GetInitialApicId
        mov     [abs gProcessorId], eax
        mov     esi, ApTrampoline
        mov     edi, AP_START_VECTOR << 12
        mov     ecx, ApTrampolineEnd - ApTrampoline
        rep movsb
        cmp     dword [abs gExpectedAps], 0
        je      .allHere
        xor     edx, edx
        mov     eax, ICR_INIT_OTHERS
        call    SendIpi
; Real boards want 10 ms after INIT and 200 us after SIPI; the machines that this image runs on do not.
${idle('.afterInit', '100')}
        xor     edx, edx
        mov     eax, ICR_SIPI_OTHERS | AP_START_VECTOR
        call    SendIpi
${idle('.afterSipi', '20')}
        xor     edx, edx
        mov     eax, ICR_SIPI_OTHERS | AP_START_VECTOR
        call    SendIpi
.waitForAps:
        pause
        mov     eax, [abs gApsFinished]
        cmp     eax, [abs gExpectedAps]
        jb      .waitForAps
.waitForApsEnd:
.allHere:
        mov     ebp, [abs gExpectedAps]
        inc     ebp
        mov     [abs gNumberOfProcessors], ebp
; Insertion sort of gProcessorId[0..ebp-1].
        mov     ebx, gProcessorId
        mov     esi, 1
.sort:
        cmp     esi, ebp
        jae     .sorted
        mov     eax, [${bx} + ${si}*4]
        mov     ecx, esi
.shift:
        mov     edx, [${bx} + ${cx}*4 - 4]
        cmp     edx, eax
        jbe     .place
        mov     [${bx} + ${cx}*4], edx
        dec     ecx
        jnz     .shift
.place:
        mov     [${bx} + ${cx}*4], eax
        inc     esi
        jmp     .sort
.sorted:
        ret
`;
}

/** AP side. The trampoline is copied below 1 MiB; the rest runs where the image is. */
export function apCode(variant: FirmwareVariant): string {
  const width = widthOf(variant.bitness);
  const { bits, bx } = width;
  const toLongMode = `        mov     eax, PageTables
        call    EnterLongModePaging
        jmp     CODE64:ApLong
bits 64
ApLong:
`;
  return `
; ---------------------------------------------------------------------------
; Application processors
; ---------------------------------------------------------------------------
bits 16
ApTrampoline:
        cli
        o32 lgdt [cs:ApGdtr - ApTrampoline]
        mov     eax, cr0
        and     eax, 9FFFFFFFh          ; caches on
        or      al, 1
        mov     cr0, eax
        jmp     dword CODE32:ApProtected
ApGdtr:
        dw      DxeGdtEnd - DxeGdt - 1
        dd      DxeGdt
${apHltLoop(variant)}ApTrampolineEnd:

bits 32
ApProtected:
        mov     eax, DATA32
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     ebx, 1
        lock xadd [abs gApSlots], ebx   ; APs come in any order
        inc     ebx                     ; slot 0 is the BSP's
        mov     esp, ebx
        shl     esp, 8
        add     esp, ApStacks + 100h
${bits === 64 ? toLongMode : ''}        call    GetInitialApicId
        mov     ecx, gProcessorId
        mov     [${bits === 64 ? 'rcx + rbx*4' : 'ecx + ebx*4'}], eax
        lock inc dword [abs gApsFinished]
${toApHltLoop(width, variant)}; Sleep. Only an SMI (or NMI) ends HLT here; RSM comes back behind it. Then ask who this is, and sleep again.
ApIdle:
        cli
.sleep:
        hlt
.awake:
        mov     ebx, LOCAL_APIC_BASE + APIC_ID
.whoAmI:
        mov     ebx, [${bx}]            ; 8B 1B
        shr     ebx, 24
        jmp     ApIdle
ApIdleEnd:
`;
}
