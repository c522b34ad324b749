/** This project's machine as a peer: the same ROM in a whole `tcg` or `kvm` machine, in this process. */
import { cpuModel, type TierName } from '@smm/cpu-core';
import { DEFAULT_KVM_OPTIONS, DEFAULT_SCHEDULE, Machine, resolveSwitches } from '@smm/machine';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { cpuSeconds } from '../cpu-time.ts';
import { MAPPED_BYTES } from '../kernels/kernel.ts';
import type { Peer, PeerRun } from './peer.ts';

/** Which of our machines. */
export interface OurOptions {
  /** Interpreter. */
  readonly tier: TierName;
  /** Accelerator of the model; `shadow` is `kvm,ept=0`. */
  readonly accelerator: 'tcg' | 'kvm' | 'shadow';
}

const FOREVER = 1e13;

/** A machine with a ROM in it, powered on. */
function machineWith(rom: Uint8Array, { tier, accelerator }: OurOptions): Machine {
  const switches = resolveSwitches({ accelerator: accelerator === 'tcg' ? 'tcg' : 'kvm' });
  return new Machine({
    cpus: 1,
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
    tier,
  });
}

/** Runs a ROM to its end. */
export function runOurs(rom: Uint8Array, options: OurOptions): PeerRun & { readonly retired: number } {
  const machine = machineWith(rom, options);
  const before = cpuSeconds();
  const stop = machine.run({ instructions: FOREVER });
  const seconds = cpuSeconds() - before;
  return { output: machine.log.join('\n'), seconds, retired: machine.retired, note: stop };
}

/** Our machine as a peer. */
export function ourPeer(name: string, options: OurOptions): Peer {
  return {
    name,
    bits: [32, 64],
    effort: options.tier === 'evaluator' ? 0.02 : 1,
    version: () => Promise.resolve('this tree'),
    run: (rom) => Promise.resolve(runOurs(rom, options)),
  };
}
