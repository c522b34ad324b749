/** Device accesses: each leaves generated code, and is an exit where the machine is virtual. */
import type { Kernel } from './kernel.ts';

/** Accesses of a round. */
export const EXITS_PER_ROUND = 200;

/** Port of the CMOS index: every emulator has it, and a write only sets the index. */
const source = `
kernel: xor     ebx, ebx
        mov     al, 0fh
round:  mov     ecx, ${EXITS_PER_ROUND}
again:  out     70h, al
        inc     ebx
        dec     ecx
        jnz     again
        dec     dword [iterations]
        jnz     round
        mov     eax, ebx
        ret
`;

/** OUTs to a device. */
export const exit32: Kernel = {
  name: 'exit32',
  bits: 32,
  title: `${EXITS_PER_ROUND} writes to the CMOS index port`,
  source,
  needs: [],
  reference: (rounds) => ({
    result: BigInt(rounds * EXITS_PER_ROUND),
    instructions: rounds * (3 + EXITS_PER_ROUND * 4),
    repeats: 0,
  }),
};
