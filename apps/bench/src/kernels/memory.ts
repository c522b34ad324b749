/** Memory without REP: streams, pointers to follow, 16-byte moves. */
import { DATA_BASE } from './kernel.ts';
import { periodicKernels, type Word } from './periodic.ts';

const BYTES = 0x8000;
const FROM = DATA_BASE;
const TO = DATA_BASE + 0x1_0000;
const STEP = 0x0123_4567n;

const wordsIn = (bytes: number, word: Word): number => bytes / word.bytes;

/** Fills, copies, sums, sums again from odd addresses (every 4 KiB one read lies on two pages), and counts bytes. */
export const streamKernels = periodicKernels({
  name: 'stream',
  title: `fill, copy and sum 32 KiB by words, sum unaligned, sum bytes`,
  setup: () => '',
  body: (word) => {
    const words = wordsIn(BYTES, word);
    return `
        mov     edi, ${FROM}
        mov     ecx, ${words}
        xor     eax, eax
fill:   mov     [@di], @ax
        add     @ax, ${STEP}
        add     edi, @W
        dec     ecx
        jnz     fill
        mov     esi, ${FROM}
        mov     edi, ${TO}
        mov     ecx, ${words / 2}
copy:   mov     @dx, [@si]
        mov     @bx, [@si + @W]
        mov     [@di], @dx
        mov     [@di + @W], @bx
        add     esi, ${2 * word.bytes}
        add     edi, ${2 * word.bytes}
        sub     ecx, 1
        jnz     copy
        xor     eax, eax
        xor     ecx, ecx
sum:    add     @ax, [${TO} + @cx*@W]
        inc     ecx
        cmp     ecx, ${words}
        jne     sum
        mov     esi, ${TO + 1}
        mov     ecx, ${words - 1}
odd:    xor     @ax, [@si]
        add     @si, @W
        dec     ecx
        jnz     odd
        mov     esi, ${FROM}
        mov     ecx, ${BYTES / 4}
bytes:  movzx   edx, byte [@si]
        add     @ax, @dx
        add     esi, 4
        dec     ecx
        jnz     bytes`;
  },
  round: (word) => {
    const { u, bytes } = word;
    const words = wordsIn(BYTES, word);
    const memory = new Uint8Array(BYTES);
    const view = new DataView(memory.buffer);
    const read = (at: number): bigint =>
      bytes === 4 ? BigInt(view.getUint32(at, true)) : view.getBigUint64(at, true);
    let acc = 0n;
    for (let i = 0; i < words; i++) {
      const value = u(BigInt(i) * STEP);
      if (bytes === 4) view.setUint32(i * 4, Number(value), true);
      else view.setBigUint64(i * 8, value, true);
    }
    for (let i = 0; i < words; i++) acc = u(acc + read(i * bytes));
    for (let i = 0; i < words - 1; i++) acc ^= read(i * bytes + 1);
    for (let i = 0; i < BYTES; i += 4) acc = u(acc + BigInt(memory[i]!));
    const instructions =
      3 + 5 * words + 3 + 8 * (words / 2) + 2 + 4 * words + 2 + 4 * (words - 1) + 2 + 5 * (BYTES / 4);
    return { digest: acc, instructions };
  },
});

/** A ring of nodes in an order that no prefetcher guesses: a full-period generator modulo the number of nodes. */
function chase(name: string, nodes: number, stride: number): ReturnType<typeof periodicKernels> {
  const base = DATA_BASE + 0x10_0000;
  const [factor, increment] = [1237, 1];
  const hops = 16_384;
  return periodicKernels({
    name,
    title: `${hops} hops through ${nodes} nodes in ${(nodes * stride) >> 10} KiB`,
    setup: () => `
        xor     ecx, ecx
node:   imul    eax, ecx, ${factor}
        add     eax, ${increment}
        and     eax, ${nodes - 1}
        imul    eax, eax, ${stride}
        add     eax, ${base}
        imul    edx, ecx, ${stride}
        mov     [${base} + @dx], @ax
        mov     [${base} + 8 + @dx], @cx
        inc     ecx
        cmp     ecx, ${nodes}
        jb      node`,
    body: () => `
        mov     esi, ${base}
        mov     ecx, ${hops}
        xor     eax, eax
chase:  rol     @ax, 3
        add     @ax, [@si + 8]
        mov     @si, [@si]
        dec     ecx
        jnz     chase`,
    round: (word) => {
      let acc = 0n;
      let node = 0;
      for (let i = 0; i < hops; i++) {
        acc = word.u(word.rol(acc, 3) + BigInt(node));
        node = (node * factor + increment) % nodes;
      }
      return { digest: acc, instructions: 3 + 5 * hops };
    },
  });
}

/** Pointer chasing that stays within any TLB, and that does not. */
export const chaseKernels = [...chase('chase', 4096, 64), ...chase('chase-far', 8192, 1024 + 64)];

const BLOCKS = 1024;

/** 16-byte loads, stores and exclusive ORs, aligned and not. */
export const sseKernels = periodicKernels({
  name: 'sse',
  title: '16-byte moves and PXOR, aligned and unaligned',
  setup: () => `
        mov     @ax, cr4
        or      eax, 200h
        mov     cr4, @ax
        mov     @ax, cr0
        and     eax, ~0ch
        mov     cr0, @ax`,
  body: () => `
        mov     edi, ${FROM}
        mov     ecx, ${BLOCKS * 4}
        mov     eax, 1
seed:   mov     [@di], eax
        imul    eax, eax, 1664525
        add     eax, 1013904223
        add     edi, 4
        dec     ecx
        jnz     seed
        pxor    xmm0, xmm0
        pxor    xmm2, xmm2
        mov     esi, ${FROM}
        mov     edi, ${TO}
        mov     ecx, ${BLOCKS - 1}
block:  movdqa  xmm1, [@si]
        movdqu  xmm3, [@si + 4]
        pxor    xmm0, xmm1
        pxor    xmm2, xmm3
        movdqa  xmm4, xmm0
        pxor    xmm4, xmm2
        movdqa  [@di], xmm4
        add     esi, 16
        add     edi, 16
        dec     ecx
        jnz     block
        movd    eax, xmm0
        movd    edx, xmm2
        add     @ax, @dx
        add     @ax, [${TO + 16 * 512}]`,
  round: (word) => {
    const data = new Uint32Array(BLOCKS * 4);
    let value = 1;
    for (let i = 0; i < data.length; i++) {
      data[i] = value;
      value = (Math.imul(value, 1_664_525) + 1_013_904_223) >>> 0;
    }
    const [even, odd] = [new Uint32Array(4), new Uint32Array(4)];
    const out = new Uint32Array(BLOCKS * 4);
    for (let block = 0; block < BLOCKS - 1; block++) {
      for (let lane = 0; lane < 4; lane++) {
        even[lane]! ^= data[block * 4 + lane]!;
        odd[lane]! ^= data[block * 4 + lane + 1]!;
        out[block * 4 + lane] = even[lane]! ^ odd[lane]!;
      }
    }
    const low = BigInt(out[512 * 4]!);
    const read = word.bytes === 4 ? low : low | (BigInt(out[512 * 4 + 1]!) << 32n);
    return {
      digest: word.u(BigInt(even[0]!) + BigInt(odd[0]!) + read),
      instructions: 3 + 6 * BLOCKS * 4 + 5 + 11 * (BLOCKS - 1) + 4,
    };
  },
});
