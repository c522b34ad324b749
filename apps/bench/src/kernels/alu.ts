/**
 * Integer arithmetic: an ALU mix with a branch that depends on data; wide products and quotients; carries and flags.
 */
import { DATA_BASE } from './kernel.ts';
import { periodicKernels, type Word } from './periodic.ts';

const ALU_LOOPS = 4000;
const SEEDS = [0x9e37_79b9_7f4a_7c15n, 0xbf58_476d_1ce4_e5b9n, 0x94d0_49bb_1331_11ebn] as const;
const seed = (word: Word, index: 0 | 1 | 2): bigint => word.u(SEEDS[index] >> (word.bits === 32 ? 16n : 0n));

/** Additions, logic, shifts, extensions and one unpredictable branch. */
export const aluKernels = periodicKernels({
  name: 'alu',
  title: 'adds, logic, shifts, extensions, a branch on data',
  setup: () => '',
  body: (word) => `
        mov     @ax, ${seed(word, 0)}
        mov     @bx, ${seed(word, 1)}
        mov     @si, ${seed(word, 2)}
        xor     edx, edx
        mov     ecx, ${ALU_LOOPS}
alu:    lea     @dx, [@dx + @ax*4 + 17]
        xor     @bx, @dx
        imul    @ax, @ax, 69069
        add     @ax, 12345
        mov     @di, @ax
        shr     @di, 7
        sub     @si, @di
        and     @di, @bx
        or      @di, 1
        neg     @di
        test    @si, @ax
        js      skip
        add     @bx, @di
        not     @si
skip:   sar     @dx, 3
        movzx   edi, bl
        add     @si, @di
        movsx   @di, ax
        xor     @bx, @di
        dec     ecx
        jnz     alu
        add     @ax, @bx
        add     @ax, @dx
        add     @ax, @si`,
  round: (word) => {
    const { u, s, bits } = word;
    let [a, b, si, d] = [seed(word, 0), seed(word, 1), seed(word, 2), 0n];
    let instructions = 5 + 3;
    for (let i = 0; i < ALU_LOOPS; i++) {
      d = u(d + a * 4n + 17n);
      b ^= d;
      a = u(a * 69_069n + 12_345n);
      let di = a >> 7n;
      si = u(si - di);
      di = u(-((di & b) | 1n));
      const negative = (si & a) >> BigInt(bits - 1) === 1n;
      if (!negative) {
        b = u(b + di);
        si = u(~si);
      }
      d = u(s(d) >> 3n);
      si = u(si + (b & 0xffn));
      b = u(b ^ BigInt.asIntN(16, a));
      instructions += negative ? 19 : 21;
    }
    return { digest: u(a + b + d + si), instructions };
  },
});

const MUL_LOOPS = 4000;

/** Wide products, signed and unsigned, a product of two operands and a quotient. */
export const mulKernels = periodicKernels({
  name: 'mul',
  title: 'MUL and IMUL to double width, a DIV for every four of them',
  setup: () => '',
  body: (word) => `
        mov     @si, ${seed(word, 0)}
        mov     @di, ${seed(word, 1)}
        mov     @bx, ${seed(word, 2)}
        mov     ecx, ${MUL_LOOPS}
prod:   mov     @ax, @si
        mul     @di
        xor     @ax, @dx
        add     @si, @ax
        mov     @ax, @di
        imul    @bx
        sub     @bx, @dx
        xor     @di, @ax
        mov     @ax, @bx
        mul     @si
        add     @di, @dx
        imul    @ax, @bx
        add     @bx, @ax
        xor     edx, edx
        or      @ax, 1
        mov     @bp, @si
        or      @bp, ${1 << 20}
        div     @bp
        add     @di, @ax
        add     @bx, @dx
        dec     ecx
        jnz     prod
        mov     @ax, @si
        xor     @ax, @di
        add     @ax, @bx`,
  round: (word) => {
    const { u, s, bits } = word;
    const shift = BigInt(bits);
    let [si, di, b] = [seed(word, 0), seed(word, 1), seed(word, 2)];
    for (let i = 0; i < MUL_LOOPS; i++) {
      let product = si * di;
      si = u(si + (u(product) ^ (product >> shift)));
      product = s(di) * s(b);
      b = u(b - u(product >> shift));
      di ^= u(product);
      product = b * si;
      di = u(di + (product >> shift));
      const a = u(u(product) * b);
      b = u(b + a);
      const divisor = si | (1n << 20n);
      di = u(di + (a | 1n) / divisor);
      b = u(b + ((a | 1n) % divisor));
    }
    return { digest: u((si ^ di) + b), instructions: 4 + 22 * MUL_LOOPS + 3 };
  },
});

const LIMBS = 16;
const FLAG_LOOPS = 600;
const NUMBER = DATA_BASE;
const OTHER = DATA_BASE + 0x100;

/** Carry chains through memory, SETcc, CMOVcc, rotates through carry, bit tests. */
export const flagsKernels = periodicKernels({
  name: 'flags',
  title: `ADC and SBB over ${LIMBS} words, SETcc, CMOVcc, RCL, RCR, BT`,
  setup: () => '',
  body: (word) => `
        mov     @ax, ${seed(word, 0)}
        xor     ecx, ecx
plant:  mov     [${NUMBER} + @cx*@W], @ax
        rol     @ax, 5
        mov     [${OTHER} + @cx*@W], @ax
        add     @ax, @ax
        adc     @ax, 0
        inc     ecx
        cmp     ecx, ${LIMBS}
        jb      plant
        mov     @si, ${seed(word, 1)}
        xor     edx, edx
        xor     ebx, ebx
        mov     ebp, ${FLAG_LOOPS}
flags:  xor     ecx, ecx
        mov     edi, ${LIMBS}
        clc
carry:  mov     @ax, [${OTHER} + @cx*@W]
        adc     [${NUMBER} + @cx*@W], @ax
        lea     ecx, [@cx + 1]
        dec     edi
        jnz     carry
        setc    bl
        mov     @ax, [${NUMBER}]
        cmp     @ax, [${OTHER}]
        cmovb   @ax, @si
        seta    bh
        rcl     @si, 1
        sbb     @dx, @ax
        rcr     @dx, 3
        bt      @si, 7
        adc     @si, @bx
        ror     @si, 11
        cmp     @dx, @si
        cmovg   @si, @dx
        setle   bl
        xor     ecx, ecx
        mov     edi, ${LIMBS}
        stc
borrow: mov     @ax, [${NUMBER} + @cx*@W]
        sbb     [${OTHER} + @cx*@W], @ax
        lea     ecx, [@cx + 1]
        dec     edi
        jnz     borrow
        setnc   bh
        dec     ebp
        jnz     flags
        mov     @ax, @si
        add     @ax, @dx
        add     @ax, @bx
        xor     @ax, [${NUMBER + 8}]
        xor     @ax, [${OTHER + 8}]`,
  round: (word) => ({
    digest: flagsRound(word),
    instructions: 2 + 8 * LIMBS + 4 + FLAG_LOOPS * (3 + 5 * LIMBS + 14 + 3 + 5 * LIMBS + 3) + 5,
  }),
});

function flagsRound(word: Word): bigint {
  const { u, s, bits, bytes } = word;
  const top = BigInt(bits);
  const carryOf = (value: bigint): bigint => (value >> top) & 1n;
  const number: bigint[] = [];
  const other: bigint[] = [];
  let a = seed(word, 0);
  for (let i = 0; i < LIMBS; i++) {
    number.push(a);
    a = word.rol(a, 5);
    other.push(a);
    a = u(u(a + a) + carryOf(a + a));
  }
  let [si, d, bl, bh] = [seed(word, 1), 0n, 0n, 0n];
  for (let loop = 0; loop < FLAG_LOOPS; loop++) {
    let carry = 0n;
    for (let i = 0; i < LIMBS; i++) {
      const sum = number[i]! + other[i]! + carry;
      number[i] = u(sum);
      carry = carryOf(sum);
    }
    bl = carry;
    const below = number[0]! < other[0]!;
    const above = number[0]! > other[0]!;
    const chosen = below ? si : number[0]!;
    bh = above ? 1n : 0n;
    let cf = below ? 1n : 0n;
    const rotated = u((si << 1n) | cf);
    cf = si >> (top - 1n);
    si = rotated;
    const difference = d - chosen - cf;
    d = u(difference);
    cf = difference < 0n ? 1n : 0n;
    for (let i = 0; i < 3; i++) {
      const out = d & 1n;
      d = (d >> 1n) | (cf << (top - 1n));
      cf = out;
    }
    si = u(si + (bl | (bh << 8n)) + ((si >> 7n) & 1n));
    si = word.rol(si, bits - 11);
    const greater = s(d) > s(si);
    if (greater) si = d;
    bl = greater ? 0n : 1n;
    let borrow = 1n;
    for (let i = 0; i < LIMBS; i++) {
      const rest = other[i]! - number[i]! - borrow;
      other[i] = u(rest);
      borrow = rest < 0n ? 1n : 0n;
    }
    bh = 1n - borrow;
  }
  const at = 8 / bytes;
  return u(u(si + d + (bl | (bh << 8n))) ^ number[at]! ^ other[at]!);
}
