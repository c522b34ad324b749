/** The helpers of the operations that the engine does not describe itself, by the names in their rows. */
import type { Insn } from '../insn.ts';
import { OPERATIONS } from '../ops.ts';
import type { Processor } from '../processor.ts';
import * as arithmetic from './arithmetic.ts';
import * as bcd from './bcd.ts';
import * as cpuid from './cpuid.ts';
import * as far from './far.ts';
import * as interrupts from './interrupt-instructions.ts';
import * as iret from './iret.ts';
import * as misc from './misc.ts';
import * as msr from './msr.ts';
import * as portIo from './port-io.ts';
import * as segments from './segment-instructions.ts';
import * as smm from './smm.ts';
import * as sse from './sse.ts';
import * as strings from './strings.ts';
import * as syscall from './syscall.ts';
import * as system from './system-registers.ts';
import * as unmodelled from './unmodelled.ts';
import * as environment from './x87/environment.ts';
import * as operate from './x87/operate.ts';
import * as transfer from './x87/transfer.ts';

/** One instruction in TypeScript: ST_RIP is the next instruction's; faults by `cpu.fault`. */
export type Helper = (cpu: Processor, insn: Insn) => void;

const MODULES = {
  ...{ arithmetic, bcd, cpuid, far, interrupts, iret, misc, msr, portIo, segments, smm, sse, strings },
  ...{ syscall, system, unmodelled, environment, operate, transfer },
};
type Modules = typeof MODULES;

/** How a row names a helper: file and function. */
export type HelperName = {
  [M in keyof Modules]: `${M}.${keyof Modules[M] & `exec${string}`}`;
}[keyof Modules];

function helper(name: string): Helper {
  const [module, member] = name.split('.') as [keyof Modules, string];
  return (MODULES[module] as unknown as Readonly<Record<string, Helper>>)[member]!;
}

/** Names of all helpers. */
export const HELPER_NAMES: readonly string[] = Object.entries(MODULES).flatMap(([module, members]) =>
  Object.keys(members)
    .filter((member) => member.startsWith('exec'))
    .map((member) => `${module}.${member}`),
);

/** Helpers by operation number; undefined where the engine has only semantics. */
export const HELPERS: readonly (Helper | undefined)[] = Object.freeze(
  OPERATIONS.map((operation) => (operation.helper ? helper(operation.helper) : undefined)),
);
