/** Floating point of SSE2: scalar doubles with conversions and branches, packed singles. */
import { DATA_BASE } from './kernel.ts';
import { periodicKernels } from './periodic.ts';

const TO = DATA_BASE + 0x1000;
const STEPS = 2000;
/** Lets SSE run. */
const ENABLE = `
        mov     @ax, cr4
        or      eax, 600h
        mov     cr4, @ax
        mov     @ax, cr0
        and     eax, ~0ch
        mov     cr0, @ax`;

/** Halves of a double. */
function words(value: number): readonly [low: bigint, high: bigint] {
  const [low, high] = new Uint32Array(Float64Array.of(value).buffer);
  return [BigInt(low!), BigInt(high!)];
}

/** x = sqrt(x * c + d), its sum without the whole part. */
export const doubleKernels = periodicKernels({
  name: 'double',
  title: 'scalar doubles: +, -, *, /, square root, to integers and back, comparisons',
  setup: () => ENABLE,
  body: () => `
        mov     eax, 3
        cvtsi2sd xmm0, eax
        mov     eax, 7
        cvtsi2sd xmm1, eax
        movaps  xmm2, xmm0
        divsd   xmm2, xmm1
        xorps   xmm3, xmm3
        mov     ecx, ${STEPS}
step:   movaps  xmm4, xmm0
        mulsd   xmm4, xmm2
        addsd   xmm4, xmm1
        sqrtsd  xmm0, xmm4
        addsd   xmm3, xmm0
        cvttsd2si eax, xmm3
        cvtsi2sd xmm5, eax
        subsd   xmm3, xmm5
        movq    [${TO}], xmm3
        mulsd   xmm0, [${TO}]
        ucomisd xmm0, xmm1
        ja      large
        addsd   xmm0, xmm2
large:  dec     ecx
        jnz     step
        movq    [${TO}], xmm3
        mov     eax, [${TO}]
        mov     edx, [${TO + 4}]
        add     @ax, @dx`,
  round: ({ u }) => {
    let [x, sum, small] = [3, 0, 0];
    const c = 3 / 7;
    for (let step = 0; step < STEPS; step++) {
      x = Math.sqrt(x * c + 7);
      sum += x;
      sum -= Math.trunc(sum);
      x *= sum;
      if (x > 7) continue;
      x += c;
      small++;
    }
    const [low, high] = words(sum);
    return { digest: u(low + high), instructions: 8 + 14 * STEPS + small + 4 };
  },
});

/** The same without branches, four singles at a time, which begin at 1, 2, 3 and 4. */
export const floatKernels = periodicKernels({
  name: 'float',
  title: 'packed singles: +, -, *, /, square root',
  setup: () => ENABLE,
  body: () => `
        cvtdq2ps xmm0, [first]
        cvtdq2ps xmm1, [second]
        movaps  xmm2, xmm0
        divps   xmm2, xmm1
        xorps   xmm3, xmm3
        mov     ecx, ${STEPS}
step:   movaps  xmm4, xmm0
        mulps   xmm4, xmm2
        addps   xmm4, xmm1
        sqrtps  xmm5, xmm4
        subps   xmm4, xmm5
        mulps   xmm3, xmm2
        addps   xmm3, xmm4
        movaps  [${TO}], xmm4
        movaps  xmm0, xmm5
        mulps   xmm0, xmm2
        addps   xmm0, [${TO}]
        dec     ecx
        jnz     step
        movd    eax, xmm3
        movaps  [${TO}], xmm3
        add     eax, [${TO + 4}]
        add     eax, [${TO + 8}]
        add     eax, [${TO + 12}]`,
  tail: () => `
first:  dd      1, 2, 3, 4
second: dd      7, 7, 9, 11`,
  round: () => {
    const f = Math.fround;
    const digest = [
      [1, 7],
      [2, 7],
      [3, 9],
      [4, 11],
    ].reduce((all, [first, second]) => {
      const c = f(first! / second!);
      let [x, sum] = [first!, 0];
      for (let step = 0; step < STEPS; step++) {
        const y = f(f(x * c) + second!);
        const root = f(Math.sqrt(y));
        const rest = f(y - root);
        sum = f(f(sum * c) + rest);
        x = f(f(root * c) + rest);
      }
      return BigInt.asUintN(32, all + BigInt(new Uint32Array(Float32Array.of(sum).buffer)[0]!));
    }, 0n);
    return { digest, instructions: 6 + 13 * STEPS + 5 };
  },
});
