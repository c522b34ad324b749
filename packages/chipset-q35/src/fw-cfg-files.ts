/**
 * What QEMU's q35 puts into fw_cfg with `-nodefaults`, beside the SMI features. Sizes and bytes measured on QEMU 7.2.
 *
 * ACPI tables (`acpi/`), SMBIOS structures (`smbios/`) and the items of a kernel (`fw-cfg-kernel.ts`) come beside these
 * if asked for. Not there, each with its place in the sorted directory: `etc/tpm/log`, `genroms/kvmvapic.bin`,
 * `genroms/linuxboot_dma.bin`. Firmware looks files up by name and takes them for absent.
 */

import { wholeNumber } from '@smm/x86-defs';
import {
  FW_CFG_ARCH_LOCAL,
  FW_CFG_BOOT_MENU,
  FW_CFG_RAM_SIZE,
  type FwCfgFile,
  littleEndian,
} from './fw-cfg.ts';
import { HPET_BASE, HPET_CAPABILITIES } from './hpet.ts';
import type { RamLayout } from './memory-map.ts';
import { SLP_TYP_S3, SLP_TYP_S4, SLP_TYP_S5 } from './sleep-types.ts';

/** What `etc/boot-fail-wait` says where a failed boot does not start anew. */
const NEVER = 0xffff_ffff;
const E820_RAM = 1;
const E820_RESERVED = 2;
/** Key: the PIT's interrupt arrives at I/O APIC pin 2, 32 bit. */
const FW_CFG_IRQ0_OVERRIDE = FW_CFG_ARCH_LOCAL + 2;

/** ACPI sleep states that the machine has. */
export interface SleepStates {
  /** Suspend to RAM. */
  readonly s3: boolean;
  /** Suspend to disk. */
  readonly s4: boolean;
}

/** What the firmware is to boot, and whether it asks (`-boot`). */
export interface BootPreferences {
  /** OpenFirmware paths of the devices to try, in order (`bootindex`). Default: none. */
  readonly order?: readonly string[];
  /** No others are tried (`strict=on`). Default false. */
  readonly strict?: boolean;
  /** The firmware offers its boot menu (`menu=on`). Default false. */
  readonly menu?: boolean;
  /** For how many milliseconds, 0 to 65535 (`splash-time`). Default: the firmware's own. */
  readonly menuWaitMs?: number;
  /** Milliseconds after which a failed boot starts anew, 0 to 65535 (`reboot-timeout`). Default: never. */
  readonly failWaitMs?: number;
}

/** A range of guest-physical addresses that no software may use. */
export interface ReservedRange {
  /** First address, guest-physical. */
  readonly start: number;
  /** Length in bytes. */
  readonly sizeBytes: number;
}

/** Key: which HPETs there are, for the firmware's tables. */
const FW_CFG_HPET = FW_CFG_ARCH_LOCAL + 4;

/** Items with fixed keys. `ramBytes` is all of RAM. */
export function q35FwCfgItems(
  ramBytes: number,
  hpet = false,
  { menu = false }: BootPreferences = {},
): Map<number, Uint8Array> {
  return new Map([
    [FW_CFG_RAM_SIZE, littleEndian(ramBytes, 8)],
    [FW_CFG_BOOT_MENU, littleEndian(menu ? 1 : 0, 2)],
    [FW_CFG_IRQ0_OVERRIDE, littleEndian(1, 4)],
    [FW_CFG_HPET, hpetItem(hpet)],
  ]);
}

/** Number of HPETs, then room for eight: block id (32 bit), address (64), minimum tick (16), page protection (8). */
function hpetItem(present: boolean): Uint8Array {
  const bytes = new Uint8Array(1 + 8 * 15);
  if (!present) return bytes;
  bytes[0] = 1;
  bytes.set(littleEndian(HPET_CAPABILITIES, 4), 1);
  bytes.set(littleEndian(HPET_BASE, 8), 5);
  return bytes;
}

/** The files. */
export function q35FwCfgFiles(sleep: SleepStates, boot: BootPreferences = {}): FwCfgFile[] {
  const { menuWaitMs, failWaitMs } = boot;
  const milliseconds = (what: string, value: number): number => wholeNumber(what, value, 0, 0xffff);
  return [
    { name: 'bios-geometry', data: new Uint8Array(0) },
    { name: 'bootorder', data: bootOrder(boot) },
    {
      name: 'etc/boot-fail-wait',
      data: littleEndian(failWaitMs === undefined ? NEVER : milliseconds('failWaitMs', failWaitMs), 4),
    },
    ...(menuWaitMs === undefined
      ? []
      : [{ name: 'etc/boot-menu-wait', data: littleEndian(milliseconds('menuWaitMs', menuWaitMs), 2) }]),
    { name: 'etc/system-states', data: systemStates(sleep) },
  ];
}

/** One byte for each of S0 to S5: bit 7 supported, bits 2:0 SLP_TYP. */
function systemStates({ s3, s4 }: SleepStates): Uint8Array {
  const supported = (yes: boolean) => (yes ? 0x80 : 0);
  return Uint8Array.of(
    ...[0x80, 0, 0, supported(s3) | SLP_TYP_S3],
    ...[supported(s4) | SLP_TYP_S4, supported(true) | SLP_TYP_S5],
  );
}

/** A line for each device, and a final NUL; nothing if there are none. */
function bootOrder({ order = [], strict = false }: BootPreferences): Uint8Array {
  if (order.length === 0) return new Uint8Array(0);
  return new TextEncoder().encode(`${[...order, ...(strict ? ['HALT'] : [])].join('\n')}\0`);
}

/** The file with the map of memory: reserved ranges, then RAM. Entries: address (64 bit), length (64), type (32). */
export function memoryMapFile(
  { belowBytes, aboveBytes }: RamLayout,
  reserved: readonly ReservedRange[],
): FwCfgFile {
  const entries = [
    ...reserved.map((range) => ({ ...range, type: E820_RESERVED })),
    { start: 0, sizeBytes: belowBytes, type: E820_RAM },
    ...(aboveBytes > 0 ? [{ start: 2 ** 32, sizeBytes: aboveBytes, type: E820_RAM }] : []),
  ];
  const data = entries.flatMap(({ start, sizeBytes, type }) => [
    ...littleEndian(start, 8),
    ...littleEndian(sizeBytes, 8),
    ...littleEndian(type, 4),
  ]);
  return { name: 'etc/e820', data: Uint8Array.from(data) };
}
