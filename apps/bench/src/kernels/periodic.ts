/**
 * Kernels whose rounds all do the same work from the same start and leave a digest; the digests are folded into an
 * accumulator, so that a missed or wrong round shows in the result while the reference computes one round only.
 */
import { type Kernel, type Need, ROUNDS_TO_GO } from './kernel.ts';

const ACCUMULATOR = ROUNDS_TO_GO + 16;
/** Instructions around the body of a round. */
const OVERHEAD = 4;

/** Arithmetic in one width, unsigned as a bigint. */
export interface Word {
  /** Width in bits. */
  readonly bits: 32 | 64;
  /** Width in bytes. */
  readonly bytes: 4 | 8;
  /** The low bits, unsigned. */
  readonly u: (value: bigint) => bigint;
  /** The low bits, signed. */
  readonly s: (value: bigint) => bigint;
  /** Rotation to the left. */
  readonly rol: (value: bigint, count: number) => bigint;
}

/** Arithmetic of a mode's native width. */
function wordOf(bits: 32 | 64): Word {
  const u = (value: bigint): bigint => BigInt.asUintN(bits, value);
  return {
    bits,
    bytes: bits === 32 ? 4 : 8,
    u,
    s: (value) => BigInt.asIntN(bits, value),
    rol: (value, count) => u((value << BigInt(count)) | (u(value) >> BigInt(bits - count))),
  };
}

/** What one round does. */
interface Round {
  /** What it leaves in the accumulator register. */
  readonly digest: bigint;
  /** Instructions of the body, a REP counted as one. */
  readonly instructions: number;
  /** Iterations of REP beyond the first of each. */
  readonly repeats?: number;
}

/** A kernel in both modes. */
export interface Family {
  /** Name; the bits are appended. */
  readonly name: string;
  /** One line for people. */
  readonly title: string;
  /** What it needs of the emulator. */
  readonly needs?: readonly Need[];
  /** Modes; both if absent. */
  readonly modes?: readonly (32 | 64)[];
  /**
   * NASM source before the rounds. In all three texts `@ax` is eax or rax, and so on; `@W` the word's bytes, `@word`
   * dword or qword, `@dw` dd or dq, `@x` d or q as the end of a mnemonic.
   */
  readonly setup: (word: Word) => string;
  /** NASM source of a round: leaves the digest in `@ax`. */
  readonly body: (word: Word) => string;
  /** NASM source after the end: routines and tables. */
  readonly tail?: (word: Word) => string;
  /** Computes what the body does. */
  readonly round: (word: Word) => Round;
}

/** Replaces the placeholders of {@link Family}. */
function inMode(text: string, { bits, bytes }: Word): string {
  const [letter, size, suffix] = bits === 32 ? ['e', 'dword', 'd'] : ['r', 'qword', 'q'];
  return text
    .replaceAll(/@(ax|bx|cx|dx|si|di|bp|sp)\b/g, `${letter}$1`)
    .replaceAll('@word', size!)
    .replaceAll('@dw', `d${suffix}`)
    .replaceAll(/@W\b/g, String(bytes))
    .replaceAll(/@x\b/g, suffix!);
}

function kernelOf(family: Family, bits: 32 | 64): Kernel {
  const word = wordOf(bits);
  const source = `
kernel: mov     dword [${ACCUMULATOR}], 0
        mov     dword [${ACCUMULATOR + 4}], 0
${family.setup(word)}
        align   16
round:
${family.body(word)}
        rol     @word [${ACCUMULATOR}], 1
        add     [${ACCUMULATOR}], @ax
        dec     dword [iterations]
        jnz     round
        mov     @ax, [${ACCUMULATOR}]
        ret
        align   16
${family.tail?.(word) ?? ''}`;
  let known: Round | undefined;
  return {
    name: `${family.name}${bits}`,
    bits,
    title: family.title,
    source: inMode(source, word),
    ...(family.needs !== undefined && { needs: family.needs }),
    reference: (rounds) => {
      known ??= family.round(word);
      const { digest, instructions, repeats = 0 } = known;
      let acc = 0n;
      for (let i = 0; i < rounds; i++) acc = word.u(word.rol(acc, 1) + digest);
      return { result: acc, instructions: rounds * (instructions + OVERHEAD), repeats: rounds * repeats };
    },
  };
}

/** The kernels of a family, one per mode. */
export function periodicKernels(family: Family): Kernel[] {
  return (family.modes ?? ([32, 64] as const)).map((bits) => kernelOf(family, bits));
}
