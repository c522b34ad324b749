/** SmmInitHandler: what a CPU does in its first SMI, and what it runs right after RSM. */
import type { FirmwareVariant } from '../variant.ts';
import { hex, print } from './debug-print.ts';
import type { Width } from './width.ts';

/** Sets the zero flag for 32-bit save-state fields. Changes eax, ecx, edx. */
function chooseLayout({ bx }: Width, variant: FirmwareVariant): string {
  if (!variant.has('Q6')) {
    return `
; ZF = 1: the save state has 32-bit fields. OVMF looks at the revision that the CPU saved. Changes eax.
IsSaveState32:
        mov     eax, [abs saveRevision]
        test    ax, ax
        ret
`;
  }
  return `
; Q6: leaf 1 EDX[29] is thermal monitor; long mode is bit 29 of leaf 80000001h.
IsSaveState32:
        push    ${bx}
        mov     eax, 1
        cpuid
        pop     ${bx}
        test    edx, 1 << 29
        ret
`;
}

function identify2015({ bx, cx }: Width): string {
  return `
; Which CPU is this? The APIC id decides.
        call    GetApicId
        mov     ebx, mProcessorId
        xor     ecx, ecx
.search:
        cmp     ecx, [mNumberOfCpus]
        jae     SmmInitHandlerNoMatch
        cmp     eax, [${bx} + ${cx}*4]
        je      .found
        inc     ecx
        jmp     .search
.found:
        mov     ebx, mSmBase
        mov     edi, [${bx} + ${cx}*4]
        mov     ebx, mRebased
        add     ebx, ecx                ; &mRebased[Index]
`;
}

/** The handler, SemaphoreHook and SmmRelocationSemaphoreComplete. */
export function smmInitHandler(width: Width, variant: FirmwareVariant): string {
  const { bits, ax, bx, pointer, data } = width;
  const identify =
    variant.shape === '2015'
      ? identify2015(width)
      : `
; The BSP has said which SMBASE is next; nobody asks for an APIC id here.
        mov     edi, [mSmBase]
        mov     ebx, mRebased
`;
  const complete32 = `
SmmRelocationSemaphoreComplete32:
        push    eax
        mov     eax, [abs mRebasedFlag]
        mov     byte [eax], 1
        pop     eax
        jmp     dword [abs mSmmRelocationOriginalAddress]
`;
  return `
; ---------------------------------------------------------------------------
; SmmInitHandler: write the new SMBASE into the save state, hook the return
; ---------------------------------------------------------------------------
SmmInitHandler:
        lidt    [gcSmiIdtr]
${identify}
        call    IsSaveState32
        jz      .map32
        mov     [abs ${variant.has('Q7') ? 'saveSmbase32' : 'saveSmbase64'}], edi
        jmp     .hook
.map32:
        mov     [abs saveSmbase32], edi
.hook:
                                        ; falls through
; SemaphoreHook: ${bx} = flag to set once this CPU has left SMM. Single globals: CPUs come one at a time.
SemaphoreHook:
        mov     [mRebasedFlag], ${bx}
        call    IsSaveState32
        jz      .map32
${bits === 64 ? hook64() : hook64From32()}
.map32:
        mov     eax, [abs saveEip32]
        mov     [mSmmRelocationOriginalAddress], ${ax}
        mov     dword [abs saveEip32], SmmRelocationSemaphoreComplete
        test    byte [abs saveAutoHalt32], 1
        jz      .done
        and     byte [abs saveAutoHalt32], 0FEh
.done:
        ret

${
  variant.shape === '2015'
    ? `SmmInitHandlerNoMatch:
        mov     edi, eax
${print('ASSERT SmmInitHandler: no processor has APIC ID 0x', hex('edi'), '\n')}
SmmInitHandlerDeadLoop:
        jmp     SmmInitHandlerDeadLoop
SmmInitHandlerDeadLoopEnd:
`
    : ''
}
${chooseLayout(width, variant)}
; Runs outside SMM, right after RSM, from wherever this image is, in the interrupted context.
SmmRelocationSemaphoreComplete:
        push    ${ax}
        mov     ${ax}, [mRebasedFlag]
        mov     byte [${ax}], 1
        pop     ${ax}
        jmp     ${pointer} [mSmmRelocationOriginalAddress]
${bits === 64 ? `bits 32\n${complete32}bits 64` : ''}

align 8, db 0
mRebasedFlag:
        ${data}      0
mSmmRelocationOriginalAddress:
        ${data}      0
`;
}

function hook64(): string {
  return `        mov     rax, [abs saveRip64]
        mov     [mSmmRelocationOriginalAddress], rax
        mov     eax, SmmRelocationSemaphoreComplete
        test    dword [abs saveEfer64], 1 << 10
        jnz     .longMode               ; the CPU resumes in long mode
        mov     eax, SmmRelocationSemaphoreComplete32
.longMode:
        mov     [abs saveRip64], rax
        test    byte [abs saveAutoHalt64], 1
        jz      .done
        and     byte [abs saveAutoHalt64], 0FEh
        ret`;
}

function hook64From32(): string {
  return `        mov     eax, [abs saveRip64]
        mov     [mSmmRelocationOriginalAddress], eax
        mov     dword [abs saveRip64], SmmRelocationSemaphoreComplete
        mov     dword [abs saveRip64 + 4], 0
        test    byte [abs saveAutoHalt64], 1
        jz      .done
        and     byte [abs saveAutoHalt64], 0FEh
        ret`;
}
