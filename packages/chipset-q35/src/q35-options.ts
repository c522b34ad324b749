/** What a Q35 board is built from: what it reaches, and what stands on it. */
import type { Clock, IoPortSpace, PhysicalAddressSpace } from '@smm/bus';
import type { SmramRange, SmramRegisters } from '@smm/x86-defs';
import type { SmiTarget } from './apm.ts';
import type { CivilTime } from './civil-time.ts';
import type { MchOptions } from './mch.ts';
import type { Backing } from './memory-map.ts';
import type { Board, Part } from './part.ts';
import type { PeripheralOptions } from './peripheral-options.ts';
import type { WakeCause } from './pm-block.ts';

/** What a `Q35Chipset` is given: everything it reaches. */
export interface Q35Ports {
  /** Where the memory map is drawn. */
  readonly memory: PhysicalAddressSpace;
  /** Where the port devices are registered. */
  readonly io: IoPortSpace;
  /** Virtual time. */
  readonly clock: Clock;
  /**
   * Decides which ranges are SMRAM; `topOfLowRam` is the end of RAM below 4 GiB, guest-physical. `decodeSmram` of
   * `@smm/smram` fits.
   */
  readonly decodeSmram: (
    registers: SmramRegisters,
    options: { topOfLowRam: number },
  ) => readonly SmramRange[];
  /**
   * Raises an SMI for one processor (by index) or for all. `command` is the byte written to APM_CNT that asked for it;
   * undefined: the watchdog did.
   */
  readonly smi: (target: SmiTarget, command?: number) => void;
  /**
   * The guest asked for a reset: of the whole system, or of the processors alone. The owner calls `Q35Chipset.reset`
   * for the former.
   */
  readonly reset: (kind: 'system' | 'cpu') => void;
  /** A byte written to the debug port 402h. */
  readonly debugOut?: (byte: number) => void;
  /** A POST code written to port 80h. */
  readonly postCode?: (code: number) => void;
  /**
   * The guest entered a sleep state; `type` is SLP_TYP, 3 bit: `SLP_TYP_S3`, `SLP_TYP_S4`, `SLP_TYP_S5`. For S3 the
   * owner stops the processors and calls `Q35Chipset.suspend`. Left out: throws `SmmError` `SLEEP_UNHANDLED`.
   */
  readonly sleep?: (type: number) => void;
  /** S3 ends: the owner calls `Q35Chipset.resume` and starts the processors from reset. */
  readonly wake?: (cause: WakeCause) => void;
}

/** What the machine consists of. */
export interface Q35Options extends MchOptions {
  /** RAM within the RAM window of the address space. */
  readonly ram: Backing;
  /** Firmware within the RAM window; it ends at 4 GiB. */
  readonly rom: Backing;
  /** Number of processors, for CMOS. */
  readonly cpuCount: number;
  /** APIC ids by index; those beyond `cpuCount` are of processors that may be plugged in. Default 0, 1, 2... */
  readonly apicIds?: readonly number[];
  /**
   * Devices around the core: flash, fw_cfg, serial port, keyboard, hot-plug registers, interrupt controllers.
   * Default none.
   */
  readonly peripherals?: PeripheralOptions;
  /** Calendar time at virtual time 0; default 2015-10-21T00:00:00. */
  readonly startTime?: CivilTime;
  /** Further parts; they come after those of the board. */
  readonly parts?: (board: Board) => readonly Part[];
}
