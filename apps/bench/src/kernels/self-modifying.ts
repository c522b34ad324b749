/**
 * Code that is written while it runs: an immediate patched before each call, new routines, data in the page of the
 * code.
 */
import { DATA_BASE } from './kernel.ts';
import { periodicKernels } from './periodic.ts';

const CODE = DATA_BASE + 0x10_0000;
const PATCHES = 300;
const ROUTINES = 300;
const SLOTS = 64;
const SLOT_BYTES = 16;
const NEAR_CALLS = 2000;

/**
 * Patches an immediate and calls it; then writes a routine of three instructions into the next of 64 slots and calls
 * that.
 */
export const smcKernels = periodicKernels({
  name: 'smc',
  title: `${PATCHES} patched immediates and ${ROUTINES} freshly written routines, each called once`,
  // add eax, imm32; ret
  setup: () => `
        mov     byte [${CODE}], 05h
        mov     byte [${CODE + 5}], 0c3h`,
  body: () => `
        xor     eax, eax
        mov     ebx, 1
        mov     @dx, ${CODE}
        mov     ecx, ${PATCHES}
patch:  imul    ebx, ebx, 69069
        mov     [@dx + 1], ebx
        call    @dx
        dec     ecx
        jnz     patch
        mov     ecx, ${ROUTINES}
write:  mov     @di, @cx
        and     edi, ${SLOTS - 1}
        shl     edi, 4
        add     edi, ${CODE + 0x2000}
        imul    ebx, ebx, 69069
        mov     byte [@di], 35h
        mov     [@di + 1], ebx
        mov     word [@di + 5], 0c0c1h
        mov     [@di + 7], cl
        mov     byte [@di + 8], 0c3h
        call    @di
        dec     ecx
        jnz     write`,
  round: (word) => {
    let [a, b] = [0, 1];
    for (let i = 0; i < PATCHES; i++) {
      b = Math.imul(b, 69_069);
      a = (a + b) | 0;
    }
    for (let i = ROUTINES; i > 0; i--) {
      b = Math.imul(b, 69_069);
      a ^= b; // xor eax, imm32; rol eax, cl's value; ret
      const count = i & 31;
      a = (a << count) | (a >>> (32 - count));
    }
    return { digest: word.u(BigInt(a >>> 0)), instructions: 5 + 7 * PATCHES + 16 * ROUTINES };
  },
});

if (SLOTS * SLOT_BYTES > 4096) throw new Error('the routines do not fit into one page');

/** A routine that counts in its own page, as old programs and boot code do. */
export const smcNearKernels = periodicKernels({
  name: 'smc-near',
  title: `${NEAR_CALLS} stores into the page of the code that makes them, beside it`,
  setup: () => `
        mov     esi, near_code
        mov     edi, ${CODE}
        mov     ecx, near_end - near_code
        cld
        rep movsb`,
  body: () => `
        mov     dword [${CODE + 0x800}], 0
        xor     eax, eax
        mov     ecx, ${NEAR_CALLS}
        mov     @dx, ${CODE}
store:  call    @dx
        dec     ecx
        jnz     store`,
  tail: () => `
near_code:
        inc     dword [@dx + 800h]
        add     eax, [@dx + 800h]
        rol     eax, 1
        ret
near_end:`,
  round: (word) => {
    let a = 0;
    for (let i = 1; i <= NEAR_CALLS; i++) {
      a = (a + i) | 0;
      a = (a << 1) | (a >>> 31);
    }
    return { digest: word.u(BigInt(a >>> 0)), instructions: 4 + 7 * NEAR_CALLS };
  },
});
