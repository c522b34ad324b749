/** What every scenario's machine is built from: a configuration in QEMU's words, its one resolver and its one check. */
import { cpuModel, TIER_NAMES, type TierName, type TranslatorOptions } from '@smm/cpu-core';
import type { TraceSink } from '@smm/trace';
import {
  checkOptions,
  isFlag,
  isFunction,
  isListOf,
  isNumber,
  isObject,
  isOneOf,
  isPositive,
  isShape,
  isText,
  maybe,
  type OptionShape,
} from '@smm/x86-defs';
import { ACCELERATOR_NAMES, type AcceleratorName, findAccelerator } from '../accel/accelerators.ts';
import type { KvmOptions } from '../accel/kvm/options.ts';
import { resolveSwitches } from '../hosts.ts';
import type { MachineOptions } from '../machine-options.ts';
import type { Schedule } from '../scheduler.ts';
import type { Switches } from '../switches.ts';

/** A machine in QEMU's words. What is left out is the scenario's default. */
export interface MachineConfig {
  /** `-smp`: 1 to 255. Default 1. */
  readonly cpus?: number;
  /** `-m` in MiB. Default 2048 for a relocation, 256 for a boot. */
  readonly memoryMiB?: number;
  /** `-cpu`. Default `qemu64`, and `coreduo,-nx` for a relocation of 32 bit. */
  readonly cpu?: string;
  /** `-accel`. Default `tcg`. */
  readonly accelerator?: AcceleratorName;
  /** Options of `-accel kvm`. */
  readonly kvm?: Partial<KvmOptions>;
  /** Host profile; default `linux-current`. */
  readonly host?: string;
  /** `+Q1`, `-Q1`... */
  readonly quirks?: readonly string[];
  /** Turns of the processors. Default: index order, 10,000 instructions for a relocation, 100,000 for a boot. */
  readonly schedule?: Schedule;
  /**
   * Virtual nanoseconds per instruction. Default 8 for a relocation, 64 for a boot, as the reference measurements
   * (`-icount shift=6`).
   */
  readonly nsPerInstruction?: number;
  /** Receiver of trace events. */
  readonly trace?: TraceSink;
  /** How instructions are executed. Default `translator`. */
  readonly tier?: TierName;
  /** When code is translated. */
  readonly translator?: TranslatorOptions;
}

const CONFIG_SHAPE: OptionShape<MachineConfig> = {
  cpus: maybe(isNumber),
  memoryMiB: maybe(isNumber),
  cpu: maybe(isText),
  accelerator: maybe(isOneOf(ACCELERATOR_NAMES)),
  kvm: maybe(
    isShape<KvmOptions>({
      ept: maybe(isFlag),
      flexpriority: maybe(isFlag),
      unrestrictedGuest: maybe(isFlag),
      kernelIrqchip: maybe(isFlag),
    }),
  ),
  host: maybe(isText),
  quirks: maybe(isListOf(isText)),
  schedule: maybe(isObject),
  nsPerInstruction: maybe(isPositive),
  trace: maybe(isFunction),
  tier: maybe(isOneOf(TIER_NAMES)),
  translator: maybe(isObject),
};

/** What a scenario says where a configuration says nothing. */
export interface ConfigDefaults {
  /** `-m` in MiB. */
  readonly memoryMiB: number;
  /** `-cpu`. */
  readonly cpu: string;
  /** Turns of the processors. */
  readonly schedule: Schedule;
  /** Virtual nanoseconds per instruction. */
  readonly nsPerInstruction: number;
  /** `qemu-system-i386` (32) or `qemu-system-x86_64` (64). */
  readonly bitness: 32 | 64;
}

/** A configuration resolved: what `Machine` takes, but for the flash image and the devices around it. */
export interface ResolvedConfig {
  /** Host and quirks as switches. */
  readonly switches: Switches;
  /** Options of the machine. */
  readonly machine: Omit<MachineOptions, 'flash'>;
}

/**
 * Throws `SmmError`s for options that make no sense by themselves; what must fit together is checked by the machine.
 */
export function resolveConfig(config: MachineConfig, defaults: ConfigDefaults): ResolvedConfig {
  checkOptions<MachineConfig>('a configuration', config, CONFIG_SHAPE);
  const { accelerator = 'tcg', host, quirks, trace, tier, translator } = config;
  const row = findAccelerator(accelerator);
  const switches = resolveSwitches({ accelerator, host, quirks });
  const model = cpuModel(config.cpu ?? defaults.cpu);
  return {
    switches,
    machine: {
      cpus: config.cpus ?? 1,
      memoryMiB: config.memoryMiB ?? defaults.memoryMiB,
      model: switches.emptyLeaf0B ? { ...model, level: Math.max(model.level, 0xb), leaf0b: 'zero' } : model,
      saveState: row.saveState(defaults.bitness, model.features.has('lm')),
      accelerator: row.choice(config.kvm ?? {}, switches.kvm),
      behaviour: switches.behaviour,
      schedule: config.schedule ?? defaults.schedule,
      comm: defaults.bitness === 32 ? 'qemu-system-i38' : 'qemu-system-x86',
      nsPerInstruction: config.nsPerInstruction ?? defaults.nsPerInstruction,
      ...(trace && { trace }),
      ...(tier !== undefined && { tier }),
      ...(translator && { translator }),
    },
  };
}
