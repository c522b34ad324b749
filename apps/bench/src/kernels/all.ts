/** All kernels, in the order of the tables. A new one goes here. */
import { aluKernels, flagsKernels, mulKernels } from './alu.ts';
import { coldKernels } from './cold.ts';
import { callKernels, dispatchKernels } from './control.ts';
import { exit32 } from './exit.ts';
import { doubleKernels, floatKernels } from './float.ts';
import { pairIpi, selfIpiKernels } from './ipi.ts';
import type { Kernel } from './kernel.ts';
import { chaseKernels, sseKernels, streamKernels } from './memory.ts';
import { mixed32 } from './mixed32.ts';
import { mixed64 } from './mixed64.ts';
import { cr3Kernels, invlpgKernels } from './page-tables.ts';
import { smcKernels, smcNearKernels } from './self-modifying.ts';
import { smi32 } from './smi.ts';
import { stringKernels } from './strings.ts';
import { walkKernels } from './walk.ts';

/** Loops of user code: guest instructions per CPU second are compared. */
export const HOT_KERNELS: readonly Kernel[] = [
  mixed32,
  mixed64,
  ...aluKernels,
  ...mulKernels,
  ...flagsKernels,
  ...streamKernels,
  ...chaseKernels,
  ...sseKernels,
  ...doubleKernels,
  ...floatKernels,
  ...callKernels,
  ...dispatchKernels,
  ...stringKernels,
];

/** What operating systems and firmware do between loops. */
export const SYSTEM_KERNELS: readonly Kernel[] = [
  ...smcKernels,
  ...smcNearKernels,
  ...invlpgKernels,
  ...cr3Kernels,
  ...selfIpiKernels,
];

/** Code that runs once. */
export const COLD_KERNELS: readonly Kernel[] = coldKernels;

/** Costs of one event, not of instructions. */
export const EVENT_KERNELS: readonly Kernel[] = [smi32, pairIpi, exit32];

/** Every kernel. */
export const ALL_KERNELS: readonly Kernel[] = [
  ...HOT_KERNELS,
  ...SYSTEM_KERNELS,
  ...COLD_KERNELS,
  ...EVENT_KERNELS,
  ...walkKernels.flatMap(({ miss, hit }) => [miss, hit]),
];
