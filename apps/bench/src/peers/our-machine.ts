/** This project's machine with a ROM in it, for Node and for browsers alike. */
import { cpuModel, Interpreter, type TierName } from '@smm/cpu-core';
import {
  DEFAULT_KVM_OPTIONS,
  DEFAULT_SCHEDULE,
  Machine,
  type MachineOptions,
  resolveSwitches,
} from '@smm/machine';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { MAPPED_BYTES } from '../kernels/kernel.ts';

/** Which of our machines. */
export interface OurOptions {
  /** How instructions are executed. */
  readonly tier: TierName;
  /** Accelerator of the model; `shadow` is `kvm,ept=0`. */
  readonly accelerator: 'tcg' | 'kvm' | 'shadow';
}

/** A run of one of our machines. */
export interface OurRun {
  /** What the guest printed. */
  readonly output: string;
  /** Why it stopped. */
  readonly stop: string;
  /** Instructions, each iteration of REP counted. */
  readonly retired: number;
}

/**
 * One compiled interpreter for all runs of this process or page, as a program with several machines would have:
 * otherwise each run would wait for the host's compilers again.
 */
const interpreter = new Interpreter();

/** A machine with a ROM in it, powered on. */
export function machineWith(
  rom: Uint8Array,
  { tier, accelerator }: OurOptions,
  processors: number,
  more: Partial<Pick<MachineOptions, 'schedule' | 'trace' | 'translator' | 'decodedMiB'>> = {},
): Machine {
  const switches = resolveSwitches({ accelerator: accelerator === 'tcg' ? 'tcg' : 'kvm' });
  return new Machine({
    cpus: processors,
    memoryMiB: MAPPED_BYTES >>> 20,
    model: cpuModel('qemu64'),
    flash: rom,
    saveState: SAVE_STATE_AMD64,
    accelerator:
      accelerator === 'tcg'
        ? 'tcg'
        : { options: { ...DEFAULT_KVM_OPTIONS, ept: accelerator === 'kvm' }, switches: switches.kvm },
    behaviour: switches.behaviour,
    schedule: DEFAULT_SCHEDULE,
    comm: 'smm-bench',
    interpreter,
    tier,
    ...more,
  });
}

/** Instructions between two looks at the clock. */
const PIECE = 2_000_000;

/** Runs a machine until all processors sleep, or until `late` says so. */
export function runToEnd(machine: Machine, late: () => boolean): OurRun {
  let stop: string;
  do stop = machine.run({ instructions: PIECE });
  while (stop === 'budget' && !late());
  return { output: machine.log.join('\n'), stop, retired: machine.retired };
}
