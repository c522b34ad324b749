/**
 * One relocation: our firmware, or a ROM of the caller's, in flash of a machine that can be run, saved and restored by
 * hand.
 */
import { type Firmware, type FirmwareShape, planTiles } from '@smm/edk2-relocation';
import { plannedSmbases as loggedSmbases } from '@smm/trace';
import {
  checkOptions,
  isBytes,
  isCount,
  isFlag,
  isFunction,
  isObject,
  isOneOf,
  maybe,
  type OptionShape,
} from '@smm/x86-defs';
import { Machine } from '../../machine.ts';
import { NS_PER_INSTRUCTION } from '../../machine-options.ts';
import { DEFAULT_SCHEDULE } from '../../scheduler.ts';
import { type MachineConfig, resolveConfig } from '../config.ts';
import { RelocationParts } from './parts.ts';

/** A configuration, in QEMU's words. */
export interface RelocationOptions extends MachineConfig {
  /** `qemu-system-i386` (32) or `qemu-system-x86_64` (64). Default 64. */
  readonly bitness?: 32 | 64;
  /** Firmware shape. Default `2015`. */
  readonly edk2?: FirmwareShape;
  /** TSEG size in MiB. Default 8. */
  readonly tsegMb?: 1 | 2 | 8;
  /** The firmware sleeps in S3 once and relocates again, of the 2015 shape alone. Default false. */
  readonly s3?: boolean;
  /** False: a firmware whose BSP does not wait for mRebased, positive control of a race. */
  readonly waitForRebased?: boolean;
  /** A ROM instead of our firmware. */
  readonly rom?: Uint8Array;
  /** Instructions after which the run is given up. */
  readonly budget?: number;
  /** Firmware and interpreter to share with other relocations. Default: none are shared. */
  readonly parts?: RelocationParts;
  /** Called now and then with what has been done so far. */
  readonly progress?: (instructions: number, logLines: number) => void;
  /**
   * Asked about every millisecond of host time, whatever the guest does; true lets whatever runs in steps yield. It may
   * look at the host's clock: the outcome is the same.
   */
  readonly interrupt?: () => boolean;
}

/** A built relocation: the machine can be run, saved and restored by hand. */
export interface Relocation {
  /** The machine, powered on. */
  readonly machine: Machine;
  /** The firmware; undefined with a ROM of the caller's. */
  readonly firmware: Firmware | undefined;
  /** Options with defaults filled in. */
  readonly options: RelocationOptions;
}

/** Default budget: generous for the number of processors. */
export function defaultBudget(cpus: number): number {
  return 12_000_000 + cpus * cpus * 40_000 + cpus * 4_000_000;
}

/** Builds firmware and machine. Throws `SmmError`s for options that make no sense or do not fit together. */
export function prepareRelocation(options: RelocationOptions): Relocation {
  checkOptions('the options of a relocation', options, RELOCATION_SHAPE);
  const { bitness = 64, edk2 = '2015', tsegMb = 8, parts = new RelocationParts() } = options;
  const config = resolveConfig(options, {
    memoryMiB: 2048,
    cpu: bitness === 32 ? 'coreduo,-nx' : 'qemu64',
    schedule: DEFAULT_SCHEDULE,
    nsPerInstruction: NS_PER_INSTRUCTION,
    bitness,
  });
  const firmware =
    options.rom === undefined
      ? parts.firmware({
          bitness,
          shape: edk2,
          tsegMb,
          waitForRebased: options.waitForRebased ?? true,
          s3: options.s3 ?? false,
          quirks: config.switches.firmware,
        })
      : undefined;
  const flash = options.rom ?? firmware!.image;
  const machine = new Machine({ ...config.machine, flash, interpreter: parts.interpreter });
  const relocation = { machine, firmware, options };
  plannedSmbases(relocation); // throws where the tiles do not fit TSEG
  return relocation;
}

/** What a relocation has beside its machine's configuration. */
const RELOCATION_SHAPE: OptionShape<Omit<RelocationOptions, keyof MachineConfig>> = {
  bitness: maybe(isOneOf([32, 64])),
  edk2: maybe(isOneOf(['2015', '2024'])),
  tsegMb: maybe(isOneOf([1, 2, 8])),
  waitForRebased: maybe(isFlag),
  s3: maybe(isFlag),
  rom: maybe(isBytes),
  budget: maybe((option, value) => {
    isCount()(option, typeof value === 'number' ? Math.ceil(value) : value);
  }),
  parts: maybe(isObject),
  progress: maybe(isFunction),
  interrupt: maybe(isFunction),
};

/** By processor: by the firmware's rules, or as a ROM of the user's writes into its debug log. */
export function plannedSmbases({ firmware, machine, options }: Relocation): readonly (number | undefined)[] {
  if (firmware === undefined) return loggedSmbases(machine.log);
  const { handlerSize, tsegMb } = firmware;
  const tolud = machine.chipset.memoryMap.ram.belowBytes;
  return planTiles({ tolud, cpus: options.cpus ?? 1, shape: options.edk2 ?? '2015', handlerSize, tsegMb })
    .smbase;
}
