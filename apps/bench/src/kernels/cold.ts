/**
 * Cold code: every round copies one page of code to a fresh page and runs it once, block by block. So each instruction
 * is fetched, decoded or translated, and executed exactly once; no emulator can profit from having seen the page
 * before, for its physical address is new.
 */
import { DATA_BASE, type Kernel, MAPPED_BYTES, type Reference } from './kernel.ts';

const CODE = DATA_BASE + 0x20_0000;
const PAGES = (MAPPED_BYTES - CODE) / 4096;
const SCRATCH_DWORDS = 32;
/** Instructions of a block before its jump. */
const BLOCK = 5;
const BLOCKS = 160;

/** Four 32-bit accumulators and some memory. */
interface State {
  readonly r: Int32Array;
  readonly memory: Int32Array;
}

interface Line {
  readonly text: string;
  /** Register (0..3) or dword of memory that it writes. */
  readonly target: { readonly in: 'r' | 'memory'; readonly index: number };
  /** What it writes there; the low 32 bits count. */
  readonly value: (state: State) => number;
}

/** Names of the four accumulators, as operands and inside addresses, and of the pointer to the scratch memory. */
interface Registers {
  readonly names: readonly string[];
  readonly pointers: readonly string[];
  readonly memory: string;
}

const REGISTERS: Readonly<Record<32 | 64, Registers>> = {
  32: { names: ['eax', 'ebx', 'ecx', 'edx'], pointers: ['eax', 'ebx', 'ecx', 'edx'], memory: 'ebp' },
  64: { names: ['r8d', 'ebx', 'r10d', 'edx'], pointers: ['r8', 'rbx', 'r10', 'rdx'], memory: 'rbp' },
};

/** A multiplicative generator (Park and Miller): the same code everywhere. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 0x7fff_ffff;
    return state % below;
  };
}

/** One instruction of a kind chosen by the generator, and what it does. */
function line(pick: (below: number) => number, { names, pointers, memory: base }: Registers): Line {
  const a = pick(4);
  const b = pick(4);
  const slot = pick(SCRATCH_DWORDS);
  const immediate = pick(0x1_0000_0000) | 0;
  const count = 1 + pick(31);
  const [ra, rb] = [names[a]!, names[b]!];
  const memory = `[${base} + ${slot * 4}]`;
  const signed7 = (immediate << 25) >> 25;
  const register: [string, Line['value']][] = [
    [`add ${ra}, ${rb}`, ({ r }) => r[a]! + r[b]!],
    [`sub ${ra}, ${immediate}`, ({ r }) => r[a]! - immediate],
    [`xor ${ra}, ${memory}`, (s) => s.r[a]! ^ s.memory[slot]!],
    [`lea ${ra}, [${pointers[a]!} + ${immediate}]`, ({ r }) => r[a]! + immediate],
    [`xor ${ra}, byte ${signed7}`, ({ r }) => r[a]! ^ signed7],
    [`rol ${ra}, ${count}`, ({ r }) => (r[a]! << count) | (r[a]! >>> (32 - count))],
    [`imul ${ra}, ${ra}, ${immediate | 1}`, ({ r }) => Math.imul(r[a]!, immediate | 1)],
    [`movzx ${ra}, word ${memory}`, (s) => s.memory[slot]! & 0xffff],
    [`not ${ra}`, ({ r }) => ~r[a]!],
    [`neg ${ra}`, ({ r }) => -r[a]!],
    [`bswap ${ra}`, ({ r }) => swapBytes(r[a]!)],
  ];
  const stores: [string, Line['value']][] = [
    [`mov ${memory}, ${ra}`, ({ r }) => r[a]!],
    [`add ${memory}, ${ra}`, (s) => s.memory[slot]! + s.r[a]!],
  ];
  const choice = pick(register.length + stores.length);
  const store = choice >= register.length;
  const [text, value] = store ? stores[choice - register.length]! : register[choice]!;
  return { text, value, target: store ? { in: 'memory', index: slot } : { in: 'r', index: a } };
}

function swapBytes(value: number): number {
  return (value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

/** Every block ends with a jump to the next one, conditional or not: taken or not, it is one instruction. */
const JUMPS = ['jmp', 'jz', 'jc', 'js', 'jo', 'jg', 'jbe', 'jnp'];

function coldKernel(bits: 32 | 64): Kernel {
  const registers = REGISTERS[bits];
  const pick = generator(bits);
  const lines: Line[] = [];
  const text: string[] = [];
  for (let block = 0; block < BLOCKS; block++) {
    for (let i = 0; i < BLOCK; i++) {
      const next = line(pick, registers);
      lines.push(next);
      text.push(`        ${next.text}`);
    }
    text.push(`        ${JUMPS[pick(JUMPS.length)]!} b${block}`, `b${block}:`);
  }
  const [di, si, cx] = bits === 32 ? ['edi', 'esi', 'ecx'] : ['rdi', 'rsi', 'rcx'];
  const source = `
SCRATCH equ ${DATA_BASE}
kernel: mov     ${registers.memory}, SCRATCH
        mov     edi, SCRATCH
        mov     ecx, ${SCRATCH_DWORDS}
        xor     eax, eax
        cld
        rep stosd
        mov     edi, ${CODE}
        xor     ebx, ebx
        xor     edx, edx
        ${bits === 64 ? 'xor r8d, r8d\n        xor r10d, r10d' : 'xor eax, eax'}
round:  push    ${cx}
        mov     esi, template
        mov     ecx, 1024
        rep movsd
        pop     ${cx}
        lea     ${si}, [${di} - 4096]
        call    ${si}
        dec     dword [iterations]
        jnz     round
        ${bits === 64 ? 'mov eax, r8d\n        mov ecx, r10d' : ''}
        xor     eax, ebx
        xor     eax, ecx
        xor     eax, edx
        ret
        align   16
template:
${text.join('\n')}
        ret
        times 4096 - ($ - template) db 0cch
`;
  return {
    name: `cold${bits}`,
    bits,
    title: `every instruction runs once, ${lines.length + BLOCKS + 1} to a page`,
    source,
    maximumRounds: PAGES,
    reference: (rounds) => simulate(lines, rounds),
  };
}

function simulate(lines: readonly Line[], rounds: number): Reference {
  const state: State = { r: new Int32Array(4), memory: new Int32Array(SCRATCH_DWORDS) };
  for (let round = 0; round < rounds; round++) {
    for (const { target, value } of lines) state[target.in][target.index] = value(state);
  }
  const [a, b, c, d] = state.r;
  return {
    result: BigInt((a! ^ b! ^ c! ^ d!) >>> 0),
    instructions: rounds * (lines.length + BLOCKS + 1 + 9),
    repeats: rounds * (4096 / 4 - 1),
  };
}

/** Cold code in both modes. */
export const coldKernels: readonly Kernel[] = [coldKernel(32), coldKernel(64)];
