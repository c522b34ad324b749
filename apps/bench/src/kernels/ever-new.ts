/**
 * Ever new code: the guest writes pieces of code that there have never been before, in several shapes and with other
 * constants each, to ever other places, and runs each long enough to be translated. Every fourth goes over the one
 * before it.
 */
import { DATA_BASE, type Kernel } from './kernel.ts';

const SCRATCH = DATA_BASE;
/** Where pieces go. */
const FIRST = DATA_BASE + 0x20_0000;
const END = DATA_BASE + 0x80_0000;
/** Bytes of a template. */
const PIECE = 96;
/** Offsets of the two constants that differ in each piece. */
const [FIRST_CONSTANT, SECOND_CONSTANT] = [6, 12];
/** Times that the loop of a piece runs. */
const LOOPS_PER_PIECE = 100_000;

/** Bodies of loops: ecx counts them, esi, edi and ebp are taken, eax and ebx hold what has been computed. */
const SHAPES: readonly string[] = [
  // a call of a function near by
  `call    .sub
        add     ebx, eax
        jmp     .next
.sub:   rol     eax, 3
        sub     eax, ecx
        ret
.next:`,
  // branches on data
  `test    al, 1
        jz      .even
        lea     ebx, [ebx + eax*2 + 7]
.even:  cmp     ebx, eax
        jb      .next
        rol     eax, 5
.next:`,
  // memory
  `mov     edx, eax
        and     edx, 0ffch
        add     [edx + ${SCRATCH}], ebx
        xor     ebx, [edx + ${SCRATCH}]
        imul    eax, eax, 69069`,
  // a loop inside
  `mov     edx, 3
.inner: add     eax, edx
        rol     ebx, 1
        dec     edx
        jnz     .inner
        sub     eax, ebx`,
  // an indirect call, the stack, and flags as numbers
  `push    eax
        add     eax, ebx
        adc     ebx, 0
        setc    dl
        movzx   edx, dl
        add     eax, edx
        pop     edx
        xor     ebx, edx`,
  // what all call, outside
  `call    shared
        bswap   eax`,
  // two calls, one in a branch
  `test    eax, 10000h
        jnz     .other
        call    shared
.other: call    .sub
        jmp     .next
.sub:   not     ebx
        shr     eax, 1
        ret
.next:`,
  // long and straight
  `mov     edx, eax
        shl     edx, 7
        xor     eax, edx
        mov     edx, eax
        shr     edx, 9
        xor     eax, edx
        add     ebx, edx
        neg     ebx`,
];

/** A template: calls out of it are through a register, for it does not know where it will lie. */
function template(body: string, index: number): string {
  const local = body
    .replaceAll('call    shared', `mov     edx, shared\n        call    edx`)
    .replaceAll(/\.(\w+)/g, `$1${index}`);
  return `
template${index}:
        mov     ecx, ${LOOPS_PER_PIECE}
again${index}: xor eax, strict dword 0
        add     ebx, strict dword 0
        ${local}
        dec     ecx
        jnz     again${index}
        ret
        times ${PIECE} - ($ - template${index}) db 0cch`;
}

const source = `
kernel: mov     edi, ${FIRST}
        xor     ebp, ebp
        xor     ebx, ebx
        cld
piece:  inc     ebp
        imul    eax, ebp, 9e3779b1h
        mov     esi, eax
        shr     esi, 29
        imul    esi, esi, ${PIECE}
        add     esi, template0
        mov     ecx, ${PIECE / 4}
        push    edi
        rep movsd
        pop     edi
        mov     [edi + ${FIRST_CONSTANT}], eax
        mov     [edi + ${SECOND_CONSTANT}], ebp
        push    eax
        call    edi
        pop     edx
        test    ebp, 3
        jz      stay
        shr     edx, 20
        and     edx, 7fh
        lea     edi, [edi + edx + ${PIECE}]
        cmp     edi, ${END - 2 * PIECE}
        jb      stay
        mov     edi, ${FIRST}
        and     edx, 3fh
        add     edi, edx
stay:   dec     dword [iterations]
        jnz     piece
        add     eax, ebx
        ret
shared: lea     eax, [eax + eax*4 + 1]
        xor     ebx, eax
        ret
        align   16
${SHAPES.map(template).join('')}
`;

/** A round is a piece. */
export const everNew32: Pick<Kernel, 'name' | 'bits' | 'source'> = { name: 'ever-new32', bits: 32, source };
