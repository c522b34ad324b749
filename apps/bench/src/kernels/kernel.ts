/** What a kernel is: guest code with a result that can be computed without any emulator. */

/** What a run of a kernel must give. */
export interface Reference {
  /** The accumulator at the end, unsigned, as wide as the mode. */
  readonly result: bigint;
  /** Instructions inside the rounds, a REP counted as one. */
  readonly instructions: number;
}

/** Guest code that runs a given number of rounds. */
export interface Kernel {
  /** Name on the command line and in JSON. */
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
  /** Rounds of the short run (start-up, subtracted) and of the long one. */
  readonly rounds: readonly [short: number, long: number];
  /** Largest number of rounds for which there is room in memory; any if absent. */
  readonly maximumRounds?: number;
  /** Computes the result in plain TypeScript. */
  readonly reference: (rounds: number) => Reference;
}

/** Where kernels are loaded, guest-physical and linear. */
export const KERNEL_BASE = 0x1_0000;
/** First byte of memory that kernels may use as they like, up to {@link MAPPED_BYTES}. */
export const DATA_BASE = 0x20_0000;
/** RAM that is mapped, bytes from 0. */
export const MAPPED_BYTES = 64 << 20;

/** Rounds of the short and the long run at a given effort (1: as the kernel says). Always at least one round apart. */
export function roundsFor(kernel: Kernel, effort: number): [short: number, long: number] {
  const [short, long] = kernel.rounds;
  const start = Math.max(1, Math.round(short * Math.min(1, effort)));
  const end = start + Math.max(1, Math.round((long - short) * effort));
  return [start, Math.min(end, kernel.maximumRounds ?? end)];
}
