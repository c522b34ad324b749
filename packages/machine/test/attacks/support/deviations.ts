/** Where an attack ends otherwise than its header says, and why that is right there. Nothing here may leak the secret. */
import type { Configuration } from './run-here.ts';

/** One difference. */
export interface Deviation {
  /** Name of the attack. */
  readonly attack: string;
  /** Accelerators, or real QEMU. */
  readonly where: readonly (Configuration['accelerator'] | 'qemu')[];
  /** What is printed there; undefined: not run there. */
  readonly log: readonly string[] | undefined;
  /** Why. */
  readonly reason: string;
}

/** All of them. */
export const DEVIATIONS: readonly Deviation[] = [
  {
    attack: 'closed-compatible',
    where: ['qemu'],
    log: ['deadbeef', 'deadbeef', 'x', 'end'],
    reason:
      'without a graphics adapter QEMU shows RAM at A0000h to everybody: its closed range is a window into PCI memory, and where no device ' +
      'lies in it the RAM below shows through',
  },
];
