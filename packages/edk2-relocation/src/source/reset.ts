/** Code executed in place from flash: reset vector, platform set-up, loading of the two images. */
import { ESMRAMC_TSEG_SIZE } from '../layout.ts';
import type { FirmwareVariant } from '../variant.ts';
import { resumeFromRam, skipColdSetup } from './suspend.ts';

/** The last bytes of the flash. `org` is the address of the first of them; the last 16 are the reset vector. */
export function flashCode(variant: FirmwareVariant): string {
  return `
bits 16
        org     FLASH_CODE_BASE

; ---------------------------------------------------------------------------
; Real mode, CS base FFFF0000h
; ---------------------------------------------------------------------------
Start16:
        cli
        cld
        o32 lgdt [cs:FlashGdtr - 0FFFF0000h]
        mov     eax, cr0
        and     eax, 9FFFFFFFh          ; caches on
        or      al, 1
        mov     cr0, eax
        jmp     dword CODE32:Start32

align 8, db 0
FlashGdt:
        dq      0
        dq      00CF9B000000FFFFh       ; 08h 32-bit code
        dq      00CF9B000000FFFFh       ; 10h 32-bit code
        dq      00CF93000000FFFFh       ; 18h 32-bit data
        dq      00CF93000000FFFFh       ; 20h 32-bit data
FlashGdtEnd:
FlashGdtr:
        dw      FlashGdtEnd - FlashGdt - 1
        dd      FlashGdt

; ---------------------------------------------------------------------------
; 32-bit flat mode
; ---------------------------------------------------------------------------
bits 32
Start32:
        mov     eax, DATA32
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
; Only the BSP initialises. (QEMU lets an SMI wake an AP that has never been started, at the reset vector.)
        mov     ecx, IA32_APIC_BASE
        rdmsr
        test    ah, 1                   ; BSP flag
        jnz     Bsp
FlashPark:
        cli
        hlt
        jmp     FlashPark
FlashParkEnd:
Bsp:
        mov     esp, FLASH_STACK_TOP
${skipColdSetup(variant, 'PmOn')}        xor     eax, eax
        mov     edi, PLATFORM_BASE
        mov     ecx, PLATFORM_SIZE / 4
        rep stosd
; Top of low RAM: CMOS 35h:34h counts 64 KiB above 16 MiB.
        mov     al, 35h
        call    ReadCmos
        mov     ah, al
        mov     al, 34h
        call    ReadCmos
        movzx   eax, ax
        shl     eax, 16
        add     eax, 100_0000h
        mov     [gTolud], eax
        sub     eax, ${variant.tsegMb * 0x10_0000}
        mov     [gTsegBase], eax
        sub     eax, DXE_IMAGE_SIZE
        mov     [gDxeImageBase], eax
        mov     eax, [gTolud]
        sub     eax, SMM_IMAGE_SIZE
        mov     [gSmmImageBase], eax
; QEMU leaves the number of CPUs less one in CMOS 5Fh.
        mov     al, 5Fh
        call    ReadCmos
        movzx   eax, al
        mov     [gExpectedAps], eax
; Power management I/O at 600h.
PmOn:
        mov     eax, PCI_LPC + ICH9_PMBASE
        mov     ecx, PM_IO_BASE
        call    WritePci32
        mov     eax, PCI_LPC + ICH9_ACPI_CNTL
        mov     dx, PCI_CONFIG_ADDRESS
        out     dx, eax
        mov     dx, PCI_CONFIG_DATA
        in      al, dx
        or      al, ICH9_ACPI_CNTL_ACPI_EN
        out     dx, al
        mov     dx, PM_IO_BASE + ICH9_PMBASE_OFS_SMI_EN
        in      eax, dx
        test    al, ICH9_SMI_EN_APMC_EN ; set at reset: no SMM here
        jz      HaveSmm
        mov     esi, NoSmmText
NoSmmNext:
        lodsb
        test    al, al
        jz      FlashPark
        mov     dx, 402h
        out     dx, al
        jmp     NoSmmNext
NoSmmText:
        db      'SmmControl2DxeEntryPoint: this Q35 implementation lacks SMI', 10, 0
HaveSmm:
; TSEG: base, size, still open (T_EN = 0).
        mov     eax, PCI_MCH + MCH_TSEGMB
        mov     ecx, [gTsegBase]
        call    WritePci32
        mov     eax, PCI_MCH + (MCH_ESMRAMC & ~3)
        mov     dx, PCI_CONFIG_ADDRESS
        out     dx, eax
        mov     dx, PCI_CONFIG_DATA + (MCH_ESMRAMC & 3)
        mov     al, MCH_ESMRAMC_CACHE | ${ESMRAMC_TSEG_SIZE[variant.tsegMb]}
        out     dx, al
${resumeFromRam(variant, 'LoadImages')}; Load both images and go.
        mov     esi, SmmBlob
        mov     ecx, SmmBlobSize
        mov     edi, [gSmmImageBase]
        mov     ebx, SmmRelocs
        mov     edx, SmmRelocCount
        call    LoadImage
        mov     edi, [gSmmImageBase]
        add     edi, SMM_IMAGE_VARIABLES
        mov     ecx, SMM_IMAGE_VARIABLES_SIZE / 4
        xor     eax, eax
        rep stosd
        mov     esi, DxeBlob
        mov     ecx, DxeBlobSize
        mov     edi, [gDxeImageBase]
        mov     ebx, DxeRelocs
        mov     edx, DxeRelocCount
        call    LoadImage
        jmp     dword [gDxeImageBase]

; Copies ecx bytes from esi to edi and adds edi to the edx double words whose offsets are listed at ebx.
LoadImage:
        push    edi
        rep movsb
        pop     edi
.next:
        test    edx, edx
        jz      .done
        movzx   eax, word [ebx]
        add     [edi + eax], edi
        add     ebx, 2
        dec     edx
        jmp     .next
.done:
        ret

; al = CMOS[al]. Changes nothing else of eax.
ReadCmos:
        out     70h, al
        in      al, 71h
        ret

; Configuration register eax = ecx. Changes eax, edx.
WritePci32:
        mov     dx, PCI_CONFIG_ADDRESS
        out     dx, eax
        mov     eax, ecx
        mov     dx, PCI_CONFIG_DATA
        out     dx, eax
        ret

        times   FLASH_CODE_SIZE - 16 - ($ - $$) db 0FFh
bits 16
ResetVector:
        jmp     near Start16
        times   16 - ($ - ResetVector) db 0FFh
`;
}
