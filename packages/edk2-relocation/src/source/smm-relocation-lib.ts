/** SmmRelocationLib of 2024: relocation in PEI, from normal RAM, with one shared SMBASE and one shared flag. */
import type { FirmwareVariant } from '../variant.ts';
import { decimal, hex, print } from './debug-print.ts';
import { smmDescriptors, smmRelocateBases } from './relocate-bases.ts';
import { smmInitHandler } from './smm-init-handler.ts';
import { smmStartup } from './smm-startup.ts';
import type { Width } from './width.ts';

/** Linked into the PEI image. */
export function smmRelocationLib(width: Width, variant: FirmwareVariant): string {
  const { bx, cx, di } = width;
  return `
SMM_STACK_SIZE  equ 1000h
SmmStacks       equ ImageBase + 0B000h
SmmInitStackTop equ SmmStacks + SMM_STACK_SIZE - 10h
SmmIdt          equ ImageBase + 0C000h
mBackupBuffer   equ ImageBase + 0D000h
mProcessorId    equ gProcessorId
mNumberOfCpus   equ ImageBase + 0D800h
mSmBase         equ ImageBase + 0D804h          ; SMBASE of the CPU whose turn it is
mRebased        equ ImageBase + 0D808h          ; set when that CPU has left its first SMI
mSmBaseTable    equ gSmmBaseHob

; ---------------------------------------------------------------------------
; SmmRelocationInit
; ---------------------------------------------------------------------------
SmmRelocationInit:
${print('SmmRelocationInit Start \n')}
        mov     eax, [abs gNumberOfProcessors]
        mov     [mNumberOfCpus], eax
        dec     eax
        imul    eax, eax, TILE_SIZE
        add     eax, 8000h + 0FFFh
        and     eax, 0FFFFF000h
        mov     ebx, eax                ; SmmRelocationSize
        mov     edi, [abs gTsegBase]
        add     edi, 1000h              ; SmmRelocationStart: the last SMRAM descriptor
${print('SmmRelocationInit - SmmRelocationSize: 0x', hex('ebx', 8), '\n')}
${print('SmmRelocationInit - SmmRelocationStart: 0x', hex('edi', 8), '\n')}
${print('SmmRelocationInit - SmmStackSize: 0x', hex('SMM_STACK_SIZE', 8), '\n')}
${print('SmmRelocationInit - SmmStacks: 0x', hex('SmmStacks', 8), '\n')}
        sub     edi, 8000h
        mov     ebx, gSmmBaseHob
        xor     ecx, ecx
.tile:
        mov     [${bx} + ${cx}*4], edi
        add     edi, TILE_SIZE
        inc     ecx
        cmp     ecx, [mNumberOfCpus]
        jb      .tile
        call    InitializeSmmIdt
        call    SmmRelocateBases
        xor     edi, edi
.hob:
        mov     ebx, gSmmBaseHob
        mov     ebx, [${bx} + ${di}*4]
${print('CreateSmmBaseHob - SmmBaseHobData[0]->SmBase[', decimal('edi'), ']: 0x', hex('ebx', 8), '\n')}
        inc     edi
        cmp     edi, [mNumberOfCpus]
        jb      .hob
${print('SmmRelocationInit Done\n')}
        ret
${smmRelocateBases(width, variant)}
${smmInitHandler(width, variant)}
${smmDescriptors(width)}
${smmStartup(variant)}
bits ${variant.bitness}
`;
}
