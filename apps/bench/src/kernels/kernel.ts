/** What a kernel is: guest code with a result that can be computed without any emulator. */

/** What a run of a kernel must give. */
export interface Reference {
  /** The accumulator at the end, unsigned, as wide as the mode. */
  readonly result: bigint;
  /** Instructions inside the rounds, a REP counted as one. */
  readonly instructions: number;
  /** Iterations of REP beyond the first of each, inside the rounds. Our machine counts these, the bench does not. */
  readonly repeats: number;
}

/** What an emulator must have beyond a processor and memory to run a kernel. */
export type Need = 'smm' | 'apic' | 'smp';

/** Guest code that runs a given number of rounds. */
export interface Kernel {
  /** Name on the command line and in JSON; ends with the bits. */
  readonly name: string;
  /** Mode the code runs in, paging on with 4 KiB pages, identity-mapped. */
  readonly bits: 32 | 64;
  /** One line for people. */
  readonly title: string;
  /**
   * NASM source, assembled for {@link KERNEL_BASE}. Entry at `kernel`; the dword at `iterations`, in a data page, holds
   * the rounds to go; returns with the accumulator in eax or rax. All general registers may change.
   */
  readonly source: string;
  /** Processors that it needs; 1 if absent. */
  readonly processors?: number;
  /** What else it needs; nothing if absent. */
  readonly needs?: readonly Need[];
  /** Largest number of rounds for which there is room in memory; any if absent. */
  readonly maximumRounds?: number;
  /** How many instructions are executed depends on the emulator (it waits): it has no MIPS, only a cost per round. */
  readonly waits?: boolean;
  /** Computes the result in plain TypeScript. */
  readonly reference: (rounds: number) => Reference;
}

/** Where kernels are loaded, guest-physical and linear. */
export const KERNEL_BASE = 0x1_0000;
/** First page table, guest-physical: tables follow each other, so entry n maps page n. Entries are `bits / 8` bytes. */
export const PAGE_TABLES: Readonly<Record<32 | 64, number>> = { 32: 0x10_2000, 64: 0x10_6000 };
/**
 * First byte of memory that kernels may use as they like, up to {@link MAPPED_BYTES}, but for the page of
 * {@link ROUNDS_TO_GO}.
 */
export const DATA_BASE = 0x20_0000;
/**
 * Kernels count down here: not beside their code, for a store into a code page makes some emulators translate it anew.
 */
export const ROUNDS_TO_GO = DATA_BASE + 0xf_0000;
/** RAM that is mapped, bytes from 0. */
export const MAPPED_BYTES = 64 << 20;
