/**
 * 32-bit kernel of what firmware and its tools do: sieve, CRC-32, recursion, copying, string moves, signed compares.
 */
import { DATA_BASE, type Kernel, type Reference } from './kernel.ts';

const SIZE = 32768;
const ROOT = 181; // largest integer whose square is below SIZE
const CRC_BYTES = 16384;
const CRC_POLYNOMIAL = 0xedb8_8320;
const WORDS = 4096;
const PASSES = 4;
const STRING_DWORDS = 1024;
const FIB = 15;
const MULTIPLIER = 1_103_515_245;

const source = `
TABLE equ ${DATA_BASE}
SIEVE equ ${DATA_BASE + 0x1_0000}
COPY equ ${DATA_BASE + 0x2_0000}
SORT equ ${DATA_BASE + 0x3_0000}
kernel:
        xor     ecx, ecx
table:  mov     eax, ecx
        mov     edx, 8
bit:    shr     eax, 1
        jnc     even
        xor     eax, ${CRC_POLYNOMIAL}
even:   dec     edx
        jnz     bit
        mov     [TABLE + ecx*4], eax
        inc     ecx
        cmp     ecx, 256
        jb      table
        xor     ebp, ebp
        cld
        align   16
round:  mov     edi, SIEVE
        mov     ecx, ${SIZE / 4}
        mov     eax, 01010101h
        rep stosd
        mov     esi, 2
sieve:  cmp     byte [SIEVE + esi], 0
        je      composite
        mov     edi, esi
        imul    edi, esi
strike: mov     byte [SIEVE + edi], 0
        add     edi, esi
        cmp     edi, ${SIZE}
        jb      strike
composite:
        inc     esi
        cmp     esi, ${ROOT}
        jbe     sieve
        xor     ecx, ecx
        xor     edx, edx
primes: movzx   eax, byte [SIEVE + ecx]
        add     edx, eax
        inc     ecx
        cmp     ecx, ${SIZE}
        jb      primes
        add     ebp, edx
        mov     esi, SIEVE
        mov     ecx, ${CRC_BYTES}
        mov     eax, ebp
crc:    movzx   edx, byte [esi]
        xor     dl, al
        movzx   edx, dl
        shr     eax, 8
        xor     eax, [TABLE + edx*4]
        inc     esi
        dec     ecx
        jnz     crc
        not     eax
        xor     ebp, eax
        mov     eax, ${FIB}
        call    fib
        add     ebp, eax
        mov     ebx, ${PASSES}
pass:   mov     esi, SIEVE
        mov     edi, COPY
        mov     ecx, ${WORDS}
word_:  mov     eax, [esi]
        lea     eax, [eax + eax*2]
        add     eax, ebp
        mov     [edi], eax
        add     esi, 4
        add     edi, 4
        sub     ecx, 1
        jnz     word_
        dec     ebx
        jnz     pass
        mov     esi, COPY
        mov     edi, SORT
        mov     ecx, ${STRING_DWORDS}
        rep movsd
        mov     esi, SORT
        mov     ecx, ${STRING_DWORDS}
        xor     edx, edx
signed: imul    eax, [esi], ${MULTIPLIER}
        cmp     eax, edx
        jl      less
        sub     edx, eax
        add     dl, 3
        jmp     join
less:   add     edx, eax
        xor     edx, 55h
join:   add     esi, 4
        dec     ecx
        jnz     signed
        add     ebp, edx
        rol     ebp, 1
        dec     dword [iterations]
        jnz     round
        mov     eax, ebp
        ret
        align   16
fib:    cmp     eax, 2
        jb      leaf
        push    ebx
        lea     ebx, [eax - 2]
        dec     eax
        call    fib
        xchg    eax, ebx
        call    fib
        add     eax, ebx
        pop     ebx
leaf:   ret
`;

/** Fibonacci number and instructions of the recursive routine. */
export function fibonacci(n: number): { value: number; instructions: number } {
  if (n < 2) return { value: n, instructions: 3 };
  const a = fibonacci(n - 1);
  const b = fibonacci(n - 2);
  return { value: a.value + b.value, instructions: 11 + a.instructions + b.instructions };
}

function crcTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let crc = index;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ CRC_POLYNOMIAL : crc >>> 1;
    return crc;
  });
}

function runSieve(sieve: Uint8Array): number {
  let instructions = 5;
  sieve.fill(1);
  for (let i = 2; i <= ROOT; i++) {
    instructions += 5;
    if (sieve[i] === 0) continue;
    instructions += 2;
    for (let j = i * i; j < SIZE; j += i) {
      sieve[j] = 0;
      instructions += 4;
    }
  }
  return instructions;
}

function reference(rounds: number): Reference {
  const table = crcTable();
  const sieve = new Uint8Array(SIZE);
  const words = new Int32Array(sieve.buffer);
  const copy = new Int32Array(STRING_DWORDS);
  const fib = fibonacci(FIB);
  let acc = 0;
  let instructions = 0;
  for (let round = 0; round < rounds; round++) {
    instructions += runSieve(sieve) + 3 + 5 * SIZE;
    for (const flag of sieve) acc = (acc + flag) | 0;
    let crc = acc;
    for (let i = 0; i < CRC_BYTES; i++) crc = (crc >>> 8) ^ table[(crc ^ sieve[i]!) & 0xff]!;
    acc ^= ~crc;
    acc = (acc + fib.value) | 0;
    instructions += 3 + 8 * CRC_BYTES + 2 + 3 + fib.instructions;
    for (let i = 0; i < STRING_DWORDS; i++) copy[i] = words[i]! * 3 + acc;
    instructions += 1 + PASSES * (3 + 8 * WORDS + 2) + 4 + 3;
    let sum = 0;
    for (const value of copy) {
      const scaled = Math.imul(value, MULTIPLIER);
      const less = scaled < sum;
      if (less) sum = (sum + scaled) ^ 0x55;
      else {
        sum = (sum - scaled) | 0;
        sum = (sum & ~0xff) | ((sum + 3) & 0xff);
      }
      instructions += less ? 8 : 9;
    }
    acc = (acc + sum) | 0;
    acc = (acc << 1) | (acc >>> 31);
    instructions += 4;
  }
  const repeats = rounds * (SIZE / 4 - 1 + STRING_DWORDS - 1);
  return { result: BigInt(acc >>> 0), instructions, repeats };
}

/** The 32-bit kernel. */
export const mixed32: Kernel = {
  name: 'mixed32',
  bits: 32,
  title: 'sieve, CRC-32, calls, copies, REP, signed compares',
  source,
  reference,
};
