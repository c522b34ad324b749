/**
 * S3: the firmware's own resume path and, around it, what an operating system does. After a cold boot it sleeps until
 * the next second; the resume path relocates again with the images and tables that RAM has kept. Source: edk2
 * UefiCpuPkg/PiSmmCpuDxeSmm, "CpuS3.c".
 */
import type { FirmwareVariant } from '../variant.ts';
import { print } from './debug-print.ts';
import type { Width } from './width.ts';

/** Bytes from the start of the SMM image to the jump to SmmRestoreCpu. */
const RESTORE_CPU_OFFSET = 5;

/** In flash, before the cold boot clears and fills the platform block. `pmOn` is where both ways meet. */
export function skipColdSetup(variant: FirmwareVariant, pmOn: string): string {
  if (!variant.s3) return '';
  return `        mov     al, 0Fh
        call    ReadCmos
        cmp     al, 0FEh                ; how QEMU says that this is S3
        je      ${pmOn}
`;
}

/** In flash, in place of loading the images: they are in RAM, TSEG is open. `load` is the cold boot's way. */
export function resumeFromRam(variant: FirmwareVariant, load: string): string {
  if (!variant.s3) return '';
  return `        mov     al, 0Fh
        call    ReadCmos
        cmp     al, 0FEh
        jne     ${load}
        xor     eax, eax
        out     71h, al
        mov     [gApSlots], eax
        mov     [gApsFinished], eax
        mov     [gFirstSmiDone], eax
        mov     [gCheckInCount], eax
        inc     eax
        mov     [gS3Resume], eax
        jmp     dword [gDxeImageBase]
${load}:
`;
}

/**
 * In the DXE image, in place of PiCpuSmmEntry: relocate again. Then the OS's memory comes back where the APs were
 * started: no code.
 */
export function restoreCpu({ ax }: Width, variant: FirmwareVariant): string {
  if (!variant.s3) return '';
  return `        cmp     dword [abs gS3Resume], 0
        je      ColdBoot
        mov     eax, [abs gSmmImageBase]
        add     eax, ${RESTORE_CPU_OFFSET}
        call    ${ax}                     ; SmmRestoreCpu
        mov     edi, AP_START_VECTOR << 12
        mov     ecx, 800h
        mov     eax, 0B0Fh              ; UD2
        rep stosw
        jmp     BootDone
ColdBoot:
`;
}

/** At the end of the DXE image: a cold boot sleeps until the RTC's next second. */
export function suspend(variant: FirmwareVariant): string {
  if (!variant.s3) return '';
  const cmos = (index: number, value: number): string =>
    `        mov     al, ${index}\n        out     70h, al\n        mov     al, ${value}\n        out     71h, al\n`;
  return `        cmp     dword [abs gS3Resume], 0
        jne     Resumed
${print('Suspending to RAM\n')}
${[1, 3, 5].map((alarm) => cmos(alarm, 0xff)).join('')}${cmos(0x0b, 0x22)}
        mov     dx, PM_IO_BASE + ICH9_PMBASE_OFS_PM1_EN
        mov     ax, ICH9_PM1_STS_RTC
        out     dx, ax
        mov     dx, PM_IO_BASE + ICH9_PMBASE_OFS_PM1_CNT
        mov     ax, ICH9_PM1_CNT_SLP_EN | (1 << ICH9_PM1_CNT_SLP_TYP_SHIFT)
        out     dx, ax
Suspended:
        hlt
        jmp     Suspended
SuspendedEnd:
Resumed:
`;
}

/** In the SMM image, right behind the jump to its entry point. */
export function restoreCpuJump(variant: FirmwareVariant): string {
  return variant.s3 ? '        jmp     near SmmRestoreCpu\n' : '';
}

/** In the SMM image: the synchronisation data of SMIs anew, then the relocation. */
export function smmRestoreCpu({ bx, bp, si, di }: Width, variant: FirmwareVariant): string {
  if (!variant.s3) return '';
  return `
SmmRestoreCpu:
        push    ${bx}
        push    ${bp}
        push    ${si}
        push    ${di}
        mov     byte [mAllCpusInSync], 0
        mov     dword [mGatherer], 0FFFFFFFFh
        mov     dword [mCheckInCount], 0
        mov     edi, mCheckIn
        mov     ecx, 200h               ; both tables
        xor     eax, eax
        rep stosb
        call    SmmRelocateBases
        pop     ${di}
        pop     ${si}
        pop     ${bp}
        pop     ${bx}
        ret
`;
}

/** At the end of the AP's start-up code, in the page below 1 MiB: where it sleeps after S3 with Q11. */
export function apHltLoop(variant: FirmwareVariant): string {
  if (!variant.has('Q11')) return '';
  return `ApHltLoop:                              ; the same bytes in every mode
        cli
        hlt
        jmp     ApHltLoop
`;
}

/** In the AP's code, before it goes to sleep in memory of its own. */
export function toApHltLoop({ ax }: Width, variant: FirmwareVariant): string {
  if (!variant.has('Q11')) return '';
  return `        cmp     dword [abs gS3Resume], 0
        je      ApIdle
        mov     eax, (AP_START_VECTOR << 12) + (ApHltLoop - ApTrampoline)
        jmp     ${ax}
`;
}
