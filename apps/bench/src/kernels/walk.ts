/**
 * Page walks: reads one dword of each of many pages, far more than any TLB here holds, in a loop; its twin reads the
 * same number of dwords of one page. The difference of the two is the price of the misses.
 */
import { DATA_BASE, type Kernel, MAPPED_BYTES } from './kernel.ts';

/** Pages touched in a round: a direct-mapped TLB of up to this many entries misses every time. */
export const WALK_PAGES = 8192;
const TABLE = DATA_BASE + 0x10_0000;
/** A page and a line, so that the dwords do not all compete for one set of the host's caches. */
const STRIDE = 4096 + 64;

function walkKernel(bits: 32 | 64, missing: boolean): Kernel {
  const stride = missing ? STRIDE : 0;
  const source = `
kernel: mov     edi, ${TABLE}
        mov     ecx, ${WALK_PAGES}
plant:  mov     [edi], ecx
        add     edi, ${STRIDE}
        dec     ecx
        jnz     plant
        xor     eax, eax
round:  mov     esi, ${TABLE}
        mov     ecx, ${WALK_PAGES}
touch:  add     eax, [${bits === 32 ? 'esi' : 'rsi'}]
        add     esi, ${stride}
        dec     ecx
        jnz     touch
        dec     dword [iterations]
        jnz     round
        ret
`;
  const sum = missing ? (WALK_PAGES * (WALK_PAGES + 1)) / 2 : WALK_PAGES * WALK_PAGES;
  return {
    name: `${missing ? 'walk' : 'nowalk'}${bits}`,
    bits,
    title: `${WALK_PAGES} reads of ${missing ? 'as many pages' : 'one page'}`,
    source,
    reference: (rounds) => ({
      result: BigInt.asUintN(32, BigInt(rounds) * BigInt(sum)),
      instructions: rounds * (4 + 4 * WALK_PAGES),
      repeats: 0,
    }),
  };
}

if (TABLE + WALK_PAGES * STRIDE > MAPPED_BYTES) throw new Error('the walk kernel touches unmapped pages');

/** Pairs of kernels: misses, and the same without. */
export const walkKernels: readonly { readonly bits: 32 | 64; readonly miss: Kernel; readonly hit: Kernel }[] =
  ([32, 64] as const).map((bits) => ({ bits, miss: walkKernel(bits, true), hit: walkKernel(bits, false) }));
