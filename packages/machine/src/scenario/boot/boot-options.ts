/** What a boot is made of, and whether it makes sense. */
import {
  type BootPreferences,
  type CivilTime,
  type FwCfgFile,
  isKernelFiles,
  isSmbiosTexts,
  type KernelFiles,
  type ReservedRange,
  type SleepStates,
  type SmbiosProcessors,
  type SmbiosTexts,
} from '@smm/chipset-q35';
import { type CpuModel, processorId } from '@smm/cpu-core';
import {
  checkOptions,
  isAny,
  isBytes,
  isFlag,
  isFunction,
  isListOf,
  isObject,
  isOneOf,
  isShape,
  isText,
  isWhole,
  maybe,
  type OptionShape,
  SmmError,
} from '@smm/x86-defs';
import { NS_PER_INSTRUCTION, type ProcessorTopology } from '../../machine-options.ts';
import { type ConfigDefaults, type MachineConfig, type ResolvedConfig, resolveConfig } from '../config.ts';
import { type BootDisk, type BootRng, isBootDisk, isBootRng } from './disks.ts';

/** What to boot and on what. */
export interface BootOptions extends MachineConfig {
  /** Flash with code; ends at 4 GiB. */
  readonly code: Uint8Array;
  /** Flash with variables; right below the code. The machine works on a copy. Left out: `code` is a ROM (`-bios`). */
  readonly vars?: Uint8Array;
  /** SMI features offered: bit 0 broadcast, 1 hot-plug, 2 hot-unplug; null for no files. Default 7, as QEMU. */
  readonly smiFeatures?: number | null;
  /** A PS/2 keyboard is there. Default true. */
  readonly keyboard?: boolean;
  /** Where the processors sit. Default: one package of cores. */
  readonly topology?: ProcessorTopology;
  /** 32: as `qemu-system-i386`, whose SMM save state is another under TCG. Default 64. */
  readonly bitness?: 32 | 64;
  /** Flash can be written in SMM alone (`cfi.pflash01.secure`). Default true. */
  readonly secureFlash?: boolean;
  /** Sleep states that the firmware is told of. Default S3 and S4. */
  readonly sleepStates?: SleepStates;
  /**
   * A kernel that the firmware starts (`-kernel`, `-initrd`, `-append`). With it, or with disks, an instruction takes
   * 8 ns unless the options say otherwise.
   */
  readonly kernel?: KernelFiles;
  /** Disks and CD drives (`-drive`). With them there is a SATA controller. Default none. */
  readonly disks?: readonly BootDisk[];
  /** A virtio entropy source (`-device virtio-rng-pci`). Default none. */
  readonly rng?: BootRng;
  /** What the firmware is to boot, and whether it asks (`-boot`); disks with a `bootIndex` come before `order`. */
  readonly boot?: BootPreferences;
  /** Further files for the firmware (`-fw_cfg`). */
  readonly fwCfgFiles?: readonly FwCfgFile[];
  /** Size of the extended TSEG in MiB (`mch.extended-tseg-mbytes`); 0: none. Default 16. */
  readonly extTsegMb?: number;
  /** Calendar time at power-on. Default 2015-10-21T00:00:00. */
  readonly startTime?: CivilTime;
  /** Output of the debug port 402h. */
  readonly debug?: (byte: number) => void;
  /** ACPI tables are offered through fw_cfg (`-no-acpi`: false). Default true. */
  readonly acpi?: boolean;
  /** Further ACPI tables, each whole with its header (`-acpitable`). */
  readonly acpiTables?: readonly Uint8Array[];
  /** What SMBIOS says of the machine otherwise than in QEMU (`-smbios`). */
  readonly smbios?: SmbiosTexts;
  /** A BIOS shows its texts on COM1 and takes keys there, as with QEMU's `-nographic`. Default true. */
  readonly serialConsole?: boolean;
  /** Serial output of the guest. */
  readonly serial?: (byte: number) => void;
  /** The guest may take more serial input. */
  readonly roomAgain?: () => void;
  /** The variable store changed. */
  readonly varsWritten?: () => void;
  /** Instructions between two looks for a hang. Default 8,000,000. */
  readonly lookEvery?: number;
}

/** What the reference measurements were made with. */
const DEFAULTS: ConfigDefaults = {
  memoryMiB: 256,
  cpu: 'qemu64',
  schedule: { seed: 0, slice: 100_000 },
  nsPerInstruction: 64,
  bitness: 64,
};
/** What a boot has beside its machine's configuration. */
const BOOT_SHAPE: OptionShape<Omit<BootOptions, keyof MachineConfig>> = {
  code: isBytes,
  vars: maybe(isBytes),
  smiFeatures: (option, value) => {
    if (value !== null) maybe(isWhole(0, 7))(option, value);
  },
  keyboard: maybe(isFlag),
  topology: isAny,
  bitness: maybe(isOneOf([32, 64])),
  secureFlash: maybe(isFlag),
  sleepStates: maybe(isShape<SleepStates>({ s3: isFlag, s4: isFlag })),
  kernel: maybe(isKernelFiles),
  disks: maybe(isListOf(isBootDisk)),
  rng: maybe(isBootRng),
  boot: maybe(
    isShape<BootPreferences>({
      order: maybe(isListOf(isText)),
      strict: maybe(isFlag),
      menu: maybe(isFlag),
      menuWaitMs: maybe(isWhole(0, 0xffff)),
      failWaitMs: maybe(isWhole(0, 0xffff)),
    }),
  ),
  fwCfgFiles: maybe(isListOf(isObject)),
  extTsegMb: isAny,
  startTime: isAny,
  debug: maybe(isFunction),
  acpi: maybe(isFlag),
  acpiTables: maybe(isListOf(isBytes)),
  smbios: maybe(isSmbiosTexts),
  serialConsole: maybe(isFlag),
  serial: maybe(isFunction),
  roomAgain: maybe(isFunction),
  varsWritten: maybe(isFunction),
  lookEvery: maybe(isWhole(1)),
};

/**
 * The machine that the options ask for. Throws `SmmError` `OPTION_VALUE` for options that make no sense, `FLASH_SIZE`
 * for images that cannot be flash, and what {@link resolveConfig} throws.
 */
export function resolveBoot(options: BootOptions): ResolvedConfig {
  checkOptions('the options of a boot', options, BOOT_SHAPE);
  checkFlash(options.code, options.vars);
  return resolveConfig(options, {
    ...DEFAULTS,
    bitness: options.bitness ?? 64,
    ...(mayRunSystem(options) && { nsPerInstruction: NS_PER_INSTRUCTION }),
  });
}

/** What SMBIOS tells of the processors: without a topology they are cores of one package. */
export function smbiosProcessors(
  model: CpuModel,
  cpus: number,
  topology: ProcessorTopology | undefined,
): SmbiosProcessors {
  const { apicIds = { length: cpus }, perPackage = cpus, perCore = 1 } = topology ?? {};
  return {
    sockets: Math.ceil(apicIds.length / perPackage),
    cores: perPackage / perCore,
    threads: perPackage,
    ...processorId(model),
  };
}

/** Whether an operating system may come: a kernel is given, or something to boot from. */
function mayRunSystem({ kernel, disks = [] }: BootOptions): boolean {
  return kernel !== undefined || disks.length > 0;
}

/**
 * Below 1 TiB AMD's processors have a range for HyperTransport, of which QEMU tells guests that could reach it. Source:
 * AMD BKDG for family 10h, "Memory Map"; QEMU 7.2 measured.
 */
export function reservedFor({ vendor, physBits }: CpuModel): ReservedRange[] {
  return vendor === 'AuthenticAMD' && physBits >= 40
    ? [{ start: 0xfd_0000_0000, sizeBytes: 0x3_0000_0000 }]
    : [];
}

function checkFlash(code: Uint8Array, vars: Uint8Array | undefined): void {
  for (const [name, image] of [
    ['code', code],
    ['variable', vars],
  ] as const) {
    if (image === undefined) continue;
    if (image.length === 0 || image.length % 4096 !== 0 || image.length > 16 * 1024 * 1024) {
      throw new SmmError(
        'FLASH_SIZE',
        `the ${name} flash image has ${image.length} bytes`,
        'A flash image is a whole number of 4 KiB blocks, 16 MiB at most: give the firmware files as the distribution installs them.',
        { name, size: image.length },
      );
    }
  }
  const size = code.length + (vars?.length ?? 0);
  if (size > 16 * 1024 * 1024) {
    throw new SmmError(
      'FLASH_SIZE',
      `code and variables together have ${size} bytes`,
      'Both flash chips together must fit into the 16 MiB below 4 GiB.',
      { size },
    );
  }
}
