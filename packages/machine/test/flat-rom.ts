/** Small machines that run 16-bit code from reset. */
import { assemble } from '@smm/asm';
import type { Board, Part, WakeCause } from '@smm/chipset-q35';
import { cpuModel, type TierName } from '@smm/cpu-core';
import type { TraceSink } from '@smm/trace';
import { SAVE_STATE_AMD64 } from '@smm/x86-defs';
import { DEFAULT_KVM_OPTIONS, DEFAULT_SCHEDULE, Machine, resolveSwitches } from '../src/index.ts';
import { parts } from './runs.ts';

/** A 64 KiB flash image with `source` (16-bit) at F000:0000 and a jump there at the reset vector. */
export function rom(source: string): Uint8Array {
  const image = new Uint8Array(0x1_0000);
  image.set(assemble(source, { bits: 16, org: 0 }).bytes);
  image.set(assemble('jmp 0xf000:0', { bits: 16, org: 0xfff0 }).bytes, 0xfff0);
  return image;
}

export interface FlatOptions {
  readonly cpus?: number;
  readonly kvm?: boolean;
  readonly quirks?: readonly string[];
  readonly trace?: TraceSink;
  readonly parts?: (board: Board) => readonly Part[];
  readonly onReset?: (kind: 'system' | 'cpu') => void;
  readonly debug?: (byte: number) => void;
  readonly onSuspend?: () => void;
  readonly onResume?: (cause: WakeCause) => void;
  readonly onSleep?: (type: number) => void;
  readonly tier?: TierName;
}

/** A machine with 64 MiB that runs `source` from F000:0000. */
export function flat(
  source: string,
  { cpus = 1, kvm = false, quirks = [], trace, parts: added, ...hooks }: FlatOptions = {},
): Machine {
  const switches = resolveSwitches({ accelerator: kvm ? 'kvm' : 'tcg', quirks });
  return new Machine({
    cpus,
    memoryMiB: 64,
    model: cpuModel('qemu64'),
    flash: rom(source),
    saveState: SAVE_STATE_AMD64,
    accelerator: kvm ? { options: DEFAULT_KVM_OPTIONS, switches: switches.kvm } : 'tcg',
    behaviour: switches.behaviour,
    schedule: DEFAULT_SCHEDULE,
    comm: 'test',
    trace,
    ...(added !== undefined && { parts: added }),
    ...hooks,
    interpreter: parts.interpreter,
  });
}
