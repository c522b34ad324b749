/**
 * The image in normal RAM: wakes the APs, starts the SMM image, closes TSEG, raises the first normal SMI and reports.
 */
import { ESMRAMC_TSEG_SIZE } from '../layout.ts';
import type { FirmwareVariant } from '../variant.ts';
import { apCode, wakeAps } from './ap-startup.ts';
import { apicLibrary } from './apic.ts';
import { debugPrintLibrary, decimal, hex, print } from './debug-print.ts';
import { identityMap } from './identity-map.ts';
import { smmRelocationLib } from './smm-relocation-lib.ts';
import { restoreCpu, suspend } from './suspend.ts';
import { type Width, widthOf } from './width.ts';

/** First byte behind code and constants; checked at build time. */
export const DXE_IMAGE_CODE_LIMIT = 0x4000;

const VARIABLES = `
PageTables      equ ImageBase + 4000h           ; six pages
BspStackTop     equ ImageBase + 1FFF0h
ApStacks        equ ImageBase + 20000h          ; 100h bytes for each processor
`;

function toLongMode(variant: FirmwareVariant): string {
  return `        mov     edi, PageTables
        call    BuildIdentityMap
        mov     eax, PageTables
        call    EnterLongModePaging
        jmp     CODE64:DxeMain

; Paging with CR3 = eax and long mode; the caller jumps to 64-bit code then. Changes eax, ecx, edx.
EnterLongModePaging:
        mov     cr3, eax
        mov     eax, cr4
        or      eax, 20h                ; PAE
        mov     cr4, eax
        mov     ecx, IA32_EFER
        rdmsr
        or      ah, ${variant.has('Q25') ? '9                   ; LME, NXE (without NX in CPUID this faults)' : '1                   ; LME'}
        wrmsr
        mov     eax, cr0
        or      eax, 80000000h
        mov     cr0, eax
        ret
${identityMap(widthOf(32), { kind: 'long', noExecuteLow: variant.has('Q25') })}
bits 64
`;
}

/** SMI_EN, SMI_LOCK; TSEG closed (T_EN) and locked (D_LCK); then the SMI. Intel ICH9 and Q35 data sheets. */
function firstSmi({ bx, di }: Width, variant: FirmwareVariant): string {
  return `
        mov     dx, PM_IO_BASE + ICH9_PMBASE_OFS_SMI_EN
        in      eax, dx
        or      eax, ICH9_SMI_EN_APMC_EN | ICH9_SMI_EN_GBL_SMI_EN
        out     dx, eax
        mov     eax, PCI_LPC + ICH9_GEN_PMCON_1
        mov     dx, PCI_CONFIG_ADDRESS
        out     dx, eax
        mov     dx, PCI_CONFIG_DATA
        in      ax, dx
        or      al, ICH9_GEN_PMCON_1_SMI_LOCK
        out     dx, ax
; SmmAccess: close, then lock.
        mov     eax, PCI_MCH + (MCH_ESMRAMC & ~3)
        mov     dx, PCI_CONFIG_ADDRESS
        out     dx, eax
        mov     dx, PCI_CONFIG_DATA + (MCH_ESMRAMC & 3)
        mov     al, MCH_ESMRAMC_CACHE | ${ESMRAMC_TSEG_SIZE[variant.tsegMb]} | MCH_ESMRAMC_T_EN ; visible only in SMM
        out     dx, al
        mov     dx, PCI_CONFIG_DATA + (MCH_SMRAM & 3)
        in      al, dx
        and     al, ~MCH_SMRAM_D_OPEN & 0FFh
        or      al, MCH_SMRAM_G_SMRAME | MCH_SMRAM_D_LCK ; T_EN counts with G_SMRAME only
        out     dx, al
; First normal SMI. QEMU may run some instructions after the OUT before the SMI arrives, so wait for its handler's word.
        xor     eax, eax
        out     ICH9_APM_STS, al
TriggerSmi:
        out     ICH9_APM_CNT, al
WaitForFirstSmi:
        mov     eax, [abs gFirstSmiDone]
        test    eax, eax
        jz      WaitForFirstSmi
WaitForFirstSmiEnd:
        xor     edi, edi
ReportCpu:
        mov     ebx, gProcessorId
        mov     ebp, [${bx} + ${di}*4]
        mov     ebx, gSmmBaseHob
        mov     ebx, [${bx} + ${di}*4]
${print('First SMI: CPU[', hex('edi', 3), ']  APIC ID=', hex('ebp', 4), '  SMBASE=', hex('ebx', 8), '  ')}
        mov     ebx, gCheckIn
        cmp     byte [${bx} + ${di}], 0
        je      .absent
${print('checked in')}
        mov     ebx, gCheckInApicId
        movzx   ebx, byte [${bx} + ${di}]
        cmp     ebx, ebp
        je      .next
${print(' by APIC ID=', hex('ebx', 4))}
        jmp     .next
.absent:
${print('did not check in')}
.next:
${print('\n')}
        inc     edi
        cmp     edi, [abs gNumberOfProcessors]
        jb      ReportCpu
        mov     edi, [abs gCheckInCount]
${print('First SMI: ', decimal('edi'), ' of ', decimal('dword [abs gNumberOfProcessors]'), ' CPUs checked in\n')}
${suspend(variant)}${print('Firmware done\n')}
BspIdle:
        cli
        hlt
        jmp     BspIdle
BspIdleEnd:
`;
}

/** Source of the image in normal RAM. Entered at offset 0 in flat 32-bit mode without paging. */
export function dxeImage(variant: FirmwareVariant): string {
  const width = widthOf(variant.bitness);
  return `
bits 32
default rel
ImageBase:
        mov     esp, BspStackTop
${VARIABLES}
        o32 lgdt [DxeGdtr]
        jmp     CODE32:DxeProtected
DxeProtected:
        mov     eax, DATA32
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
${variant.bitness === 64 ? toLongMode(variant) : ''}
DxeMain:
        mov     eax, APIC_SPIV_APIC_ENABLED | 0Fh ; spurious vector 0Fh
        mov     ecx, LOCAL_APIC_BASE + APIC_SPIV
        mov     [${width.cx}], eax
        call    WakeUpAps
${restoreCpu(width, variant)}${variant.shape === '2024' ? '        call    SmmRelocationInit\n' : ''}        mov     eax, [abs gSmmImageBase]
        call    ${width.ax}                     ; PiCpuSmmEntry
BootDone:
${firstSmi(width, variant)}
${wakeAps(width)}
${variant.shape === '2024' ? smmRelocationLib(width, variant) : ''}
${apicLibrary(width, variant)}
${debugPrintLibrary(width)}
align 16, db 0
DxeGdt:
        dq      0
        dq      00CF9B000000FFFFh       ; 08h 32-bit code
        dq      00CF9B000000FFFFh       ; 10h 32-bit code
        dq      00CF93000000FFFFh       ; 18h 32-bit data
        dq      00CF93000000FFFFh       ; 20h 32-bit data
        dq      008F9B000000FFFFh       ; 28h 16-bit code
        dq      008F93000000FFFFh       ; 30h 16-bit data
        dq      00AF9B000000FFFFh       ; 38h 64-bit code
DxeGdtEnd:
DxeGdtr:
        dw      DxeGdtEnd - DxeGdt - 1
        dd      DxeGdt
${apCode(variant)}
`;
}
