/** SMI round trips: the processor sends itself an SMI through its local APIC; the handler counts and resumes. */
import { DATA_BASE, type Kernel } from './kernel.ts';

const HANDLER = 0x3_8000; // SMBASE after reset, plus 8000h
const COUNTER = DATA_BASE;
/** SMIs of a round. */
export const SMIS_PER_ROUND = 100;
/** Instructions of the handler and of the loop around one SMI. */
const PER_SMI = 2 + 3;

const source = `
kernel: mov     esi, handler
        mov     edi, ${HANDLER}
        mov     ecx, handler_end - handler
        cld
        rep movsb
        mov     dword [${COUNTER}], 0
        mov     ebx, 0fee00000h
        mov     dword [ebx + 0f0h], 1ffh
        mov     dword [ebx + 310h], 0
round:  mov     ecx, ${SMIS_PER_ROUND}
again:  mov     dword [ebx + 300h], 4200h
        dec     ecx
        jnz     again
        dec     dword [iterations]
        jnz     round
        mov     eax, [${COUNTER}]
        ret
bits 16
handler: inc    dword [dword ${COUNTER}]
        rsm
handler_end:
`;

/** SMI delivery to itself, physical destination 0. */
export const smi32: Kernel = {
  name: 'smi32',
  bits: 32,
  title: `${SMIS_PER_ROUND} SMIs to itself, each with save, two instructions and RSM`,
  source,
  needs: ['smm', 'apic'],
  reference: (rounds) => ({
    result: BigInt(rounds * SMIS_PER_ROUND),
    instructions: rounds * (3 + SMIS_PER_ROUND * PER_SMI),
    repeats: 0,
  }),
};
