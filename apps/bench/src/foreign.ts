/**
 * A flat binary from outside as a kernel: a stub puts it where it belongs, calls it as often as asked for, and reports
 * the register with the result.
 */
import { assemble } from '@smm/asm';
import { DATA_BASE, KERNEL_BASE, type Kernel, MAPPED_BYTES } from './kernels/kernel.ts';

/** What is known of a foreign binary. All addresses are linear and guest-physical alike: memory is identity-mapped. */
export interface ForeignOptions {
  /** Name in tables. */
  readonly name: string;
  /** The bytes. */
  readonly bytes: Uint8Array;
  /** Mode it runs in. */
  readonly bits: 32 | 64;
  /** Where its first byte goes. */
  readonly load: number;
  /** Address that is called. */
  readonly entry: number;
  /** Register that holds the result when it returns. */
  readonly result: string;
  /** Address of a dword that receives the number of iterations before the call; without, the call is repeated. */
  readonly iterations: number | undefined;
  /** What it must give; without, all emulators must agree. */
  readonly expected: bigint | undefined;
}

/** Something is wrong with a foreign binary or what was said of it. */
export class ForeignError extends Error {}

/** Lowest and highest address for foreign code: what the ROM's stub, tables and stack do not use. */
export const FOREIGN_RANGE: readonly [lowest: number, end: number] = [DATA_BASE + 0x10_0000, MAPPED_BYTES];
/** What fits into the ROM beside the boot code. */
const MAXIMUM_BYTES = 0xf000;
/** The result of the last call, while the call is repeated. */
const SAVED = DATA_BASE;

const REGISTERS: Readonly<Record<32 | 64, readonly string[]>> = {
  32: ['eax', 'ebx', 'ecx', 'edx', 'esi', 'edi', 'ebp'],
  64: [
    ...['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp'],
    ...['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'],
  ],
};

/** Throws {@link ForeignError} for what cannot be run. */
export function checkForeign({
  bytes,
  bits,
  load,
  entry,
  result,
  iterations,
  expected,
}: ForeignOptions): void {
  const [lowest, end] = FOREIGN_RANGE;
  const hex = (value: number): string => `0x${value.toString(16)}`;
  if (bytes.length === 0) throw new ForeignError('the file is empty');
  if (bytes.length > MAXIMUM_BYTES)
    throw new ForeignError(`the file has ${bytes.length} bytes; at most ${MAXIMUM_BYTES} fit into the ROM`);
  if (load < lowest || load + bytes.length > end)
    throw new ForeignError(`--load ${hex(load)}: code may lie from ${hex(lowest)} to ${hex(end)}`);
  if (entry < load || entry >= load + bytes.length)
    throw new ForeignError(
      `--entry ${hex(entry)} lies outside of the binary, ${hex(load)} to ${hex(load + bytes.length)}`,
    );
  if (!REGISTERS[bits].includes(result))
    throw new ForeignError(
      `--result ${result}: with ${bits} bits it is one of ${REGISTERS[bits].join(', ')}`,
    );
  if (iterations !== undefined && (iterations < lowest || iterations + 4 > end))
    throw new ForeignError(`--iterations ${hex(iterations)}: it may lie from ${hex(lowest)} to ${hex(end)}`);
  if (expected !== undefined && (expected < 0n || expected >= 1n << BigInt(bits)))
    throw new ForeignError(`--expect: the result has ${bits} bits`);
}

/** The default register for results. */
export function defaultResult(bits: 32 | 64): string {
  return bits === 32 ? 'eax' : 'rax';
}

/** What a foreign kernel gives after `rounds`; found by running it on one emulator if nobody said. */
export type ResultOf = (rounds: number) => { readonly result: bigint; readonly instructions: number };

/** The binary as a kernel. */
export function foreignKernel(options: ForeignOptions, resultOf: ResultOf): Kernel {
  checkForeign(options);
  const { bits, bytes, load, entry, result, iterations, expected } = options;
  const [a, c, si, di] = bits === 32 ? ['eax', 'ecx', 'esi', 'edi'] : ['rax', 'rcx', 'rsi', 'rdi'];
  const call = `
        mov     eax, ${entry}
        call    ${a}
        ${result === a ? '' : `mov     ${a}, ${result}`}`;
  const source = `
kernel: mov     ${si}, image
        mov     ${di}, ${load}
        mov     ${c}, ${bytes.length}
        cld
        rep movsb
${
  iterations === undefined
    ? `again:${call}
        mov     [${SAVED}], ${a}
        dec     dword [iterations]
        jnz     again
        mov     ${a}, [${SAVED}]`
    : `        mov     eax, [iterations]
        mov     [${iterations}], eax${call}`
}
        ret
        align   16
image:  db ${[...bytes].join(', ')}
`;
  assemble(source, { bits, org: KERNEL_BASE, symbols: { iterations: DATA_BASE } }); // our mistake, if it does not
  return {
    name: options.name,
    bits,
    title: `${bytes.length} bytes from a file`,
    source,
    reference: (rounds) => {
      const found = resultOf(rounds);
      return { ...found, result: expected ?? found.result, repeats: 0 };
    },
  };
}
