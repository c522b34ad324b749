/**
 * The SMM image: PiSmmCpuDxeSmm's entry point, which for the 2015 shape relocates, and then installs the SMI handlers.
 */
import type { FirmwareVariant } from '../variant.ts';
import { apicLibrary } from './apic.ts';
import { debugPrintLibrary, hex, print } from './debug-print.ts';
import { identityMap } from './identity-map.ts';
import { smmDescriptors, smmRelocateBases } from './relocate-bases.ts';
import { smiEntry, smiRendezvous } from './smi-handler.ts';
import { smmInitHandler } from './smm-init-handler.ts';
import { smmStartup } from './smm-startup.ts';
import { restoreCpuJump, smmRestoreCpu } from './suspend.ts';
import { type Width, widthOf } from './width.ts';

/** First byte behind code and constants; checked at build time. */
export const SMM_IMAGE_CODE_LIMIT = 0x4000;
/** Bytes from {@link SMM_IMAGE_VARIABLES} that the loader zeroes. */
export const SMM_IMAGE_VARIABLES_SIZE = 0x1400;
/** Offset of the variables in the image. */
export const SMM_IMAGE_VARIABLES = 0xa000;

const VARIABLES = `
SmiPageTables   equ ImageBase + 4000h
mProcessorId    equ ImageBase + 0A000h          ; ProcessorInfo[].ProcessorId, dwords
mSmBase         equ ImageBase + 0A400h          ; CpuHotPlugData.SmBase[], dwords
mSmBaseTable    equ mSmBase
mRebased        equ ImageBase + 0AC00h          ; one byte for each CPU
mCheckIn        equ ImageBase + 0AD00h          ; one byte for each CPU, then the APIC ids
mCheckInApicId  equ ImageBase + 0AE00h
mBackupBuffer   equ ImageBase + 0AF00h          ; 20h + 400h bytes
SmiGdts         equ ImageBase + 0C000h          ; GDT and TSS of each CPU
SMI_GDT_STRIDE  equ 0C0h
SmiStacks       equ ImageBase + 18000h
SmmInitStack    equ ImageBase + 28000h          ; gSmmInitStack, shared: CPUs come one at a time
SmmInitStackTop equ ImageBase + 28FF0h
SmmIdt          equ ImageBase + 29000h
`;

function tiles2015(width: Width): string {
  const { bx, cx } = width;
  return `
; t = save-state map + PSD + handler - 1; TileSize = 2 * (largest power of two in t)
        mov     eax, SAVE_STATE_MAP_SIZE + PSD_SIZE + (gcSmiHandlerTemplateEnd - gcSmiHandlerTemplate) - 1
        bsr     ecx, eax
        mov     ebp, 2
        shl     ebp, cl                 ; TileSize
${print('SMRAM TileSize = ', hex('ebp', 8), '\n')}
; Buffer: whole pages for 8000h + TileSize * (n - 1), right below this image
        mov     eax, [mNumberOfCpus]
        dec     eax
        imul    eax, ebp
        add     eax, 8000h + 0FFFh
        and     eax, 0FFFFF000h
        mov     edx, ImageBase
        sub     edx, eax
        sub     edx, 8000h              ; SMBASE of the first CPU
        mov     ebx, mSmBase
        xor     ecx, ecx
.tile:
        mov     [${bx} + ${cx}*4], edx
        add     edx, ebp
        inc     ecx
        cmp     ecx, [mNumberOfCpus]
        jb      .tile
        mov     esi, mSmBase
        mov     edi, gSmmBaseHob        ; for the report after the first normal SMI
        rep movsd
        xor     edi, edi
${logCpus(width)}`;
}

function logCpus({ bx, di }: Width): string {
  return `.logCpu:
        mov     ebx, mProcessorId
        mov     ebp, [${bx} + ${di}*4]
        mov     ebx, mSmBase
        mov     ebx, [${bx} + ${di}*4]
${print('CPU[', hex('edi', 3), ']  APIC ID=', hex('ebp', 4), '  SMBASE=', hex('ebx', 8), '  SaveState=')}
        add     ebx, 0FC00h
${print(hex('ebx', 8), '  Size=', hex('SAVE_STATE_MAP_SIZE', 8), '\n')}
        inc     edi
        cmp     edi, [mNumberOfCpus]
        jb      .logCpu
`;
}

function tiles2024(width: Width): string {
  return `
; SmmRelocationLib has relocated every CPU and left the SMBASEs in the HOB.
        mov     esi, gSmmBaseHob
        mov     edi, mSmBase
        mov     ecx, [mNumberOfCpus]
        rep movsd
${print('SMRAM TileSize = 0x', hex('TILE_SIZE', 8), ' (0x', hex('1000h', 8), ', 0x', hex('TILE_SIZE - 1000h', 8), ')\n')}
        xor     edi, edi
${logCpus(width)}`;
}

function install({ bits, bx, bp, di, dx }: Width): string {
  return `
; InitializeMpServiceData: entry code, PSD, GDT, TSS and stack for each CPU.
InitializeMpServiceData:
        mov     edi, SmiPageTables
        call    BuildIdentityMap
        xor     ebp, ebp                ; Index
.next:
        mov     ebx, mSmBase
        mov     ebx, [${bx} + ${bp}*4]
        mov     esi, gcSmiHandlerTemplate
        lea     edi, [${bx} + 8000h]
        mov     ecx, gcSmiHandlerTemplateEnd - gcSmiHandlerTemplate
        rep movsb
        mov     [${bx} + 8000h + SmiPatchSmBase], ebx
        mov     eax, ebp
        inc     eax
        shl     eax, 8                  ; 100h bytes for each stack
        add     eax, SmiStacks - 10h
        mov     [${bx} + 8000h + SmiPatchStack], eax
        mov     ${bits === 32 ? '[eax], ebp' : 'qword [rax], 0\n        mov     [rax], ebp'}
        imul    edi, ebp, SMI_GDT_STRIDE
        add     edi, SmiGdts
        mov     edx, edi
        mov     esi, gcSmiGdt
        mov     ecx, gcSmiGdtEnd - gcSmiGdt
        rep movsb
        mov     eax, edi                ; the TSS follows the GDT
        mov     word [${dx} + TSS], 67h
        mov     [${dx} + TSS + 2], ax
        shr     eax, 16
        mov     [${dx} + TSS + 4], al
        mov     byte [${dx} + TSS + 5], 89h
        mov     [${dx} + TSS + 7], ah
        xor     eax, eax
        mov     ecx, 68h
        rep stosb
        lea     edi, [${bx} + PSD_OFFSET]
        mov     ecx, PSD_SIZE
        push    ${di}
        rep stosb
        pop     ${di}
        mov     dword [${di}], 'PSDS'
        mov     dword [${di} + 4], 'IG  '
        mov     word [${di} + 0Eh], ${bits === 32 ? 'CODE32' : 'CODE64'}
        mov     word [${di} + 10h], DATA32
        mov     word [${di} + 12h], DATA32
        mov     word [${di} + 14h], DATA32
        mov     [${di} + 30h], edx
        mov     dword [${di} + 38h], gcSmiGdtEnd - gcSmiGdt
        inc     ebp
        cmp     ebp, [mNumberOfCpus]
        jb      .next
        ret
`;
}

/** Source of the SMM image. Assembled with `ImageBase` at its start; called as a function at offset 0. */
export function smmImage(variant: FirmwareVariant): string {
  const width = widthOf(variant.bitness);
  const { bx, bp, si, di } = width;
  const relocates = variant.shape === '2015';
  return `
bits ${variant.bitness}
default rel
ImageBase:
        jmp     near PiCpuSmmEntry
${restoreCpuJump(variant)}${VARIABLES}
; ---------------------------------------------------------------------------
; PiCpuSmmEntry
; ---------------------------------------------------------------------------
PiCpuSmmEntry:
        push    ${bx}
        push    ${bp}
        push    ${si}
        push    ${di}
        mov     ecx, [abs gNumberOfProcessors]
        mov     [mNumberOfCpus], ecx
        mov     esi, gProcessorId
        mov     edi, mProcessorId
        rep movsd
${relocates ? tiles2015(width) : tiles2024(width)}
        call    InitializeSmmIdt
${relocates ? '        call    SmmRelocateBases\n' : ''}        call    InitializeMpServiceData
${print('SMM CPU Module exit from SMRAM with EFI_SUCCESS\n')}
        pop     ${di}
        pop     ${si}
        pop     ${bp}
        pop     ${bx}
        xor     eax, eax                ; EFI_SUCCESS
        ret
mNumberOfCpus:
        dd      0
${install(width)}
${identityMap(width, { kind: variant.bitness === 64 ? 'long' : 'pae', reservedBits: variant.has('Q9') })}
${relocates ? `${smmRelocateBases(width, variant)}${smmInitHandler(width, variant)}` : ''}
${smiRendezvous(width, variant)}
${smmRestoreCpu(width, variant)}${apicLibrary(width, variant)}
${debugPrintLibrary(width)}
${smmDescriptors(width)}
${relocates ? smmStartup(variant) : ''}
${smiEntry(variant)}
`;
}
