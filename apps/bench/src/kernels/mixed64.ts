/**
 * 64-bit kernel: random numbers, 128-bit products and sums, pointer chasing, CMOV and histogram, recursion, string
 * moves.
 */
import { DATA_BASE, type Kernel, type Reference } from './kernel.ts';
import { fibonacci } from './mixed32.ts';

const VALUES = 16384;
const NODES = 4096;
const HOPS = 16384;
const DIFFS = 8192;
const SAMPLES = 4096;
const STRING_QWORDS = 1024;
const FIB = 15;
const SEED = 0x9e37_79b9_7f4a_7c15n;
const STAR = 0x2545_f491_4f6c_dd1dn;
const FOLD = 0xa076_1d64_78bd_642fn;

const source = `
VALUES equ ${DATA_BASE}
NODES equ ${DATA_BASE + 0x4_0000}
DIFF equ ${DATA_BASE + 0x6_0000}
HIST equ ${DATA_BASE + 0x8_0000}
MOVED equ ${DATA_BASE + 0x9_0000}
kernel:
        xor     ecx, ecx
node:   imul    eax, ecx, 1237
        inc     eax
        and     eax, ${NODES - 1}
        shl     eax, 4
        add     eax, NODES
        mov     edx, ecx
        shl     edx, 4
        mov     [NODES + rdx], rax
        mov     [NODES + 8 + rdx], rcx
        inc     ecx
        cmp     ecx, ${NODES}
        jb      node
        xor     r15d, r15d
        cld
        align   16
round:  mov     rdi, ${SEED}
        mov     rbx, ${STAR}
        xor     ecx, ecx
random: mov     rax, rdi
        shr     rax, 12
        xor     rdi, rax
        mov     rax, rdi
        shl     rax, 25
        xor     rdi, rax
        mov     rax, rdi
        shr     rax, 27
        xor     rdi, rax
        mov     rax, rdi
        imul    rax, rbx
        mov     [VALUES + rcx*8], rax
        inc     ecx
        cmp     ecx, ${VALUES}
        jb      random
        mov     esi, VALUES
        mov     r9, ${FOLD}
        mov     ecx, ${VALUES / 2}
        mov     r10, rdi
hash:   mov     rax, [rsi]
        xor     rax, r10
        mul     r9
        xor     rax, rdx
        mov     r10, rax
        add     rsi, 16
        dec     ecx
        jnz     hash
        mov     rbp, r10
        mov     esi, VALUES
        mov     ecx, ${VALUES}
        xor     eax, eax
        xor     edx, edx
wide:   add     rax, [rsi]
        adc     rdx, 0
        add     rsi, 8
        dec     ecx
        jnz     wide
        xor     rbp, rax
        add     rbp, rdx
        mov     esi, NODES
        mov     ecx, ${HOPS}
        xor     eax, eax
chase:  add     rax, [rsi + 8]
        mov     rsi, [rsi]
        dec     ecx
        jnz     chase
        add     rbp, rax
        xor     ecx, ecx
shift:  mov     rax, [VALUES + rcx*8]
        mov     edx, eax
        sar     rax, 3
        sub     rax, rdx
        mov     [DIFF + rcx*8], rax
        add     ecx, 1
        cmp     ecx, ${DIFFS}
        jb      shift
        mov     edi, HIST
        mov     ecx, 256
        xor     eax, eax
        rep stosq
        xor     ecx, ecx
        xor     r13d, r13d
most:   mov     rax, [DIFF + rcx*8]
        cmp     rax, r13
        cmovg   r13, rax
        movzx   r14d, al
        add     [HIST + r14*8], rcx
        inc     rcx
        cmp     rcx, ${SAMPLES}
        jl      most
        add     rbp, r13
        add     rbp, [HIST + 80h*8]
        mov     eax, ${FIB}
        call    fib
        add     rbp, rax
        mov     esi, DIFF
        mov     edi, MOVED
        mov     ecx, ${STRING_QWORDS}
        rep movsq
        xor     rbp, [rdi - 8]
        rol     r15, 5
        add     r15, rbp
        dec     dword [iterations]
        jnz     round
        mov     rax, r15
        ret
        align   16
fib:    cmp     rax, 2
        jb      leaf
        push    rbx
        lea     rbx, [rax - 2]
        dec     rax
        call    fib
        xchg    rax, rbx
        call    fib
        add     rax, rbx
        pop     rbx
leaf:   ret
`;

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const s64 = (value: bigint): bigint => BigInt.asIntN(64, value);

/** What one round adds to the accumulator: every round starts from the same seed. */
function oneRound(): bigint {
  const values = new BigUint64Array(VALUES);
  let seed = SEED;
  for (let i = 0; i < VALUES; i++) {
    seed ^= seed >> 12n;
    seed = u64(seed ^ (seed << 25n));
    seed ^= seed >> 27n;
    values[i] = seed * STAR;
  }
  let hash = seed;
  for (let i = 0; i < VALUES; i += 2) {
    const product = (values[i]! ^ hash) * FOLD;
    hash = u64(product) ^ (product >> 64n);
  }
  const sum = values.reduce((total, value) => total + value, 0n);
  let acc = u64((hash ^ u64(sum)) + (sum >> 64n));
  let node = 0;
  for (let i = 0; i < HOPS; i++) {
    acc += BigInt(node);
    node = (node * 1237 + 1) % NODES;
  }
  const out = new BigInt64Array(DIFFS);
  for (let i = 0; i < DIFFS; i++) out[i] = (s64(values[i]!) >> 3n) - (values[i]! & 0xffff_ffffn);
  let most = 0n;
  let bucket = 0n;
  for (let i = 0; i < SAMPLES; i++) {
    if (out[i]! > most) most = out[i]!;
    if ((out[i]! & 0xffn) === 0x80n) bucket += BigInt(i);
  }
  return u64(u64(acc + most + bucket + BigInt(fibonacci(FIB).value)) ^ u64(out[STRING_QWORDS - 1]!));
}

const INSTRUCTIONS =
  3 +
  15 * VALUES +
  (4 + 8 * (VALUES / 2) + 1) +
  (4 + 5 * VALUES + 2) +
  (3 + 4 * HOPS + 1) +
  (1 + 8 * DIFFS) +
  4 +
  (2 + 8 * SAMPLES + 2) +
  (2 + fibonacci(FIB).instructions + 1) +
  4 +
  5;

function reference(rounds: number): Reference {
  const step = oneRound();
  let acc = 0n;
  for (let i = 0; i < rounds; i++) acc = u64(u64((acc << 5n) | (acc >> 59n)) + step);
  return {
    result: acc,
    instructions: rounds * INSTRUCTIONS,
    repeats: rounds * (256 - 1 + STRING_QWORDS - 1),
  };
}

/** The 64-bit kernel. */
export const mixed64: Kernel = {
  name: 'mixed64',
  bits: 64,
  title: 'xorshift64*, 64x64->128, ADC chains, pointer chase, CMOV, calls, REP',
  source,
  reference,
};
