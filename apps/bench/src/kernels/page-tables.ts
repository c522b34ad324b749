/** Page tables that change: entries rewritten and flushed one by one with INVLPG, or all together by a load of CR3. */
import { PAGE_TABLES } from './kernel.ts';
import { periodicKernels, type Word } from './periodic.ts';

/** Linear addresses whose entries change. */
const WINDOW = 0x100_0000;
const WINDOW_PAGES = 16;
/** Physical pages that appear there in turn. */
const FRAMES = 0x180_0000;
const FRAME_COUNT = 32;
const INVLPG_LOOPS = 60;
const CR3_LOOPS = 30;
const READS_PER_PAGE = 4;
const PRESENT_WRITABLE = 3;

const entries = (word: Word): number => PAGE_TABLES[word.bits] + (WINDOW >>> 12) * word.bytes;

const plantFrames = `
        mov     edi, ${FRAMES}
        mov     ecx, ${FRAME_COUNT}
        mov     eax, 12345
frame:  imul    eax, eax, 69069
        mov     [@di], eax
        mov     [@di + 4], ecx
        add     edi, 4096
        dec     ecx
        jnz     frame`;

/** The dwords that {@link plantFrames} writes. */
function frameContents(): { readonly first: bigint; readonly second: bigint }[] {
  let value = 12_345;
  return Array.from({ length: FRAME_COUNT }, (_, index) => {
    value = Math.imul(value, 69_069);
    return { first: BigInt(value >>> 0), second: BigInt(FRAME_COUNT - index) };
  });
}

/** One entry, one INVLPG, one read. */
export const invlpgKernels = periodicKernels({
  name: 'invlpg',
  title: `${INVLPG_LOOPS * WINDOW_PAGES} remapped pages, INVLPG and a read each`,
  setup: () => plantFrames,
  body: (word) => `
        xor     eax, eax
        xor     ebx, ebx
        mov     ebp, ${INVLPG_LOOPS}
loop_:  mov     esi, ${WINDOW}
        mov     edi, ${entries(word)}
        mov     ecx, ${WINDOW_PAGES}
page:   add     ebx, 5000h
        and     ebx, ${(FRAME_COUNT - 1) << 12}
        lea     edx, [@bx + ${FRAMES + PRESENT_WRITABLE}]
        mov     [@di], edx
        invlpg  [@si]
        rol     @ax, 1
        add     eax, [@si]
        xor     eax, [@si + 4]
        add     edi, @W
        add     esi, 4096
        dec     ecx
        jnz     page
        dec     ebp
        jnz     loop_`,
  round: (word) => {
    const frames = frameContents();
    let [acc, frame] = [0n, 0];
    for (let i = 0; i < INVLPG_LOOPS * WINDOW_PAGES; i++) {
      frame = (frame + 5) % FRAME_COUNT;
      acc = readFrame(word.rol(acc, 1), frames[frame]!);
    }
    return {
      digest: acc,
      instructions: 3 + INVLPG_LOOPS * (3 + 12 * WINDOW_PAGES + 2),
    };
  },
});

/** `add eax, first` and `xor eax, second`: both clear the upper half. */
function readFrame(acc: bigint, { first, second }: { first: bigint; second: bigint }): bigint {
  return BigInt.asUintN(32, acc + first) ^ second;
}

/** All entries of the window, one load of CR3, four reads of every page. */
export const cr3Kernels = periodicKernels({
  name: 'cr3-load',
  title: `${CR3_LOOPS} loads of CR3 after ${WINDOW_PAGES} remapped pages, ${READS_PER_PAGE} reads of each`,
  setup: () => plantFrames,
  body: (word) => `
        xor     eax, eax
        xor     ebx, ebx
        mov     ebp, ${CR3_LOOPS}
loop_:  mov     edi, ${entries(word)}
        mov     ecx, ${WINDOW_PAGES}
entry:  add     ebx, 5000h
        and     ebx, ${(FRAME_COUNT - 1) << 12}
        lea     edx, [@bx + ${FRAMES + PRESENT_WRITABLE}]
        mov     [@di], edx
        add     edi, @W
        dec     ecx
        jnz     entry
        mov     @dx, cr3
        mov     cr3, @dx
        mov     edx, ${READS_PER_PAGE}
sweep:  mov     esi, ${WINDOW}
        mov     ecx, ${WINDOW_PAGES}
read:   rol     @ax, 1
        add     eax, [@si]
        xor     eax, [@si + 4]
        add     esi, 4096
        dec     ecx
        jnz     read
        dec     edx
        jnz     sweep
        dec     ebp
        jnz     loop_`,
  round: (word) => {
    const frames = frameContents();
    let [acc, frame] = [0n, 0];
    for (let loop = 0; loop < CR3_LOOPS; loop++) {
      const mapped: number[] = [];
      for (let i = 0; i < WINDOW_PAGES; i++) {
        frame = (frame + 5) % FRAME_COUNT;
        mapped.push(frame);
      }
      for (let sweep = 0; sweep < READS_PER_PAGE; sweep++) {
        for (const each of mapped) acc = readFrame(word.rol(acc, 1), frames[each]!);
      }
    }
    const perLoop = 2 + 7 * WINDOW_PAGES + 3 + READS_PER_PAGE * (2 + 6 * WINDOW_PAGES + 2) + 2;
    return { digest: acc, instructions: 3 + CR3_LOOPS * perLoop };
  },
});
