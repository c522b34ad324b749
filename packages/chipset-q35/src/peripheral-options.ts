/** Which devices stand around the chipset's core, and what each of them is given. */
import type { InterruptLine } from '@smm/bus';
import type { SataDrive } from './ahci/sata-drive.ts';
import type { FwCfgFile } from './fw-cfg.ts';
import type { BootPreferences, ReservedRange, SleepStates } from './fw-cfg-files.ts';
import type { KernelFiles } from './fw-cfg-kernel.ts';
import type { IoApicMessage } from './ioapic.ts';
import type { SmbiosTexts } from './smbios/options.ts';
import type { SmbiosProcessors } from './smbios/tables.ts';

/** Two flash chips in place of the ROM: the ROM's backing holds the variables, then the code. */
export interface FlashOptions {
  /**
   * Size of the lower, writable chip (unit 1) in bytes, a multiple of 4 KiB; the rest of the ROM is the upper one (unit
   * 0).
   */
  readonly varsBytes: number;
  /** The RAM window that the ROM's backing counts in. */
  readonly bytes: Uint8Array;
  /** Told of changed bytes, as offset in the window and length: drop decoded code, save the variables. */
  readonly written: (hostOffset: number, sizeBytes: number) => void;
  /** Commands work in SMM alone. Default true. */
  readonly secure?: boolean;
  /** The code cannot be programmed. Default true. */
  readonly codeReadonly?: boolean;
}

/** Firmware configuration. */
export interface FwCfgOptions {
  /** SMI features offered, `SMI_FEATURE_*` bits; 0 for none. Default 7, all. */
  readonly smiFeatures?: number;
  /** Sleep states offered. Default S3 and S4. */
  readonly sleepStates?: SleepStates;
  /** ACPI tables, made when firmware asks for them. Default false. */
  readonly acpi?: boolean;
  /** Further ACPI tables, each whole with its header; the checksum is made here. Default: none. */
  readonly acpiTables?: readonly Uint8Array[];
  /** SMBIOS structures: of these processors, with these texts. Default: no such files. */
  readonly smbios?: {
    /** Processors, as far as SMBIOS tells of them. */
    readonly processors: SmbiosProcessors;
    /** What is said otherwise than in QEMU. */
    readonly texts?: SmbiosTexts;
  };
  /** A kernel for the firmware to start; it comes first in the order of booting. Default: none. */
  readonly kernel?: KernelFiles;
  /** What to boot, and whether to ask. */
  readonly boot?: BootPreferences;
  /** Ranges that the map of memory (`etc/e820`) shows as reserved. Default: none. */
  readonly reserved?: readonly ReservedRange[];
  /** Further files. */
  readonly files?: readonly FwCfgFile[];
  /** Further items by key. */
  readonly items?: ReadonlyMap<number, Uint8Array>;
}

/** Where interrupts go. */
export interface InterruptOptions {
  /** A message from the I/O APIC. `ApicBus.deliver` of `@smm/xapic` fits. */
  readonly deliver: (message: IoApicMessage) => void;
  /**
   * The 8259's INTR output: LINT0 of the local APICs, or the processor. Answer with `acknowledgeInterrupt` of the
   * peripherals.
   */
  readonly intr: InterruptLine;
}

/** What is there. */
export interface PeripheralOptions {
  /** Flash chips instead of a plain ROM. */
  readonly flash?: FlashOptions;
  /** fw_cfg. */
  readonly fwCfg?: FwCfgOptions;
  /** COM1. */
  readonly serial?: {
    /** A byte leaves. */
    readonly transmit: (byte: number) => void;
    /** The guest took a byte. */
    readonly roomAgain?: () => void;
  };
  /** Keyboard controller and keyboard. */
  readonly keyboard?: {
    /** The guest set the lights: bit 0 Scroll Lock, 1 Num Lock, 2 Caps Lock. */
    readonly leds?: (bits: number) => void;
  };
  /** Processor hot-plug registers. */
  readonly cpuHotplug?: boolean;
  /** 8259 pair, I/O APIC, 8254 and HPET. Without them no device interrupts. */
  readonly interrupts?: InterruptOptions;
  /** SATA controller, and what is plugged into its ports 0 to 5. Left out: none. */
  readonly sata?: {
    /** By port; ports without one have nothing plugged in. */
    readonly drives: readonly (SataDrive | undefined)[];
  };
}
