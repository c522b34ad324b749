/** String instructions with REP, from one byte to a page. */
import { DATA_BASE } from './kernel.ts';
import { periodicKernels } from './periodic.ts';

const FROM = DATA_BASE;
const TO = DATA_BASE + 0x1_0000;
const MARK = 0xee;
const PASSES = 20;

/** A length in elements, where the bytes are found that differ, and the fill. */
const CASES = [1, 3, 8, 17, 40, 64, 200, 1000, 4096].map((length, index) => ({
  length,
  mark: Math.floor((length * 3) / 4),
  fill: 0x11 * (index + 1),
}));

/** STOSB and STOSx, MOVSB and MOVSx, CMPSB up to a difference, SCASB up to a match. */
export const stringKernels = periodicKernels({
  name: 'string',
  title: `REP STOS, MOVS, CMPS, SCAS of ${CASES[0]!.length} to ${CASES.at(-1)!.length} elements`,
  setup: () => '        cld',
  body: () => `
        xor     ebx, ebx
        mov     ebp, ${PASSES}
pass:
${CASES.map(
  ({ length, mark, fill }) => `
        mov     edi, ${FROM}
        mov     ecx, ${length}
        mov     eax, ${fill}
        rep stosb
        mov     ecx, ${length}
        rep stos@x
        mov     esi, ${FROM}
        mov     edi, ${TO}
        mov     ecx, ${length}
        rep movsb
        mov     ecx, ${length}
        rep movs@x
        add     @bx, @si
        mov     byte [${TO + mark}], ${MARK}
        mov     esi, ${FROM}
        mov     edi, ${TO}
        mov     ecx, ${length}
        repe cmpsb
        add     @bx, @cx
        add     @bx, [@di - 1]
        mov     edi, ${TO}
        mov     ecx, ${length}
        mov     al, ${MARK}
        repne scasb
        add     @bx, @di
        rol     @bx, 3`,
).join('\n')}
        dec     ebp
        jnz     pass
        mov     @ax, @bx`,
  round: ({ u, rol, bytes }) => {
    const [from, to] = [new Uint8Array(0x1_0000), new Uint8Array(0x1_0000)];
    let [acc, repeats] = [0n, 0];
    for (let pass = 0; pass < PASSES; pass++) {
      for (const { length, mark, fill } of CASES) {
        const total = length * (1 + bytes);
        from.fill(fill, 0, length);
        for (let i = length; i < total; i++) from[i] = (i - length) % bytes === 0 ? fill : 0;
        to.set(from.subarray(0, total));
        acc = u(acc + BigInt(FROM + total));
        to[mark] = MARK;
        const compared = mark + 1;
        acc = u(acc + BigInt(length - compared));
        const view = new DataView(to.buffer);
        acc = u(acc + (bytes === 4 ? BigInt(view.getUint32(mark, true)) : view.getBigUint64(mark, true)));
        acc = rol(u(acc + BigInt(TO + compared)), 3);
        repeats += 4 * (length - 1) + 2 * (compared - 1);
      }
    }
    return { digest: acc, instructions: 3 + PASSES * (26 * CASES.length + 2), repeats };
  },
});
