/**
 * What QEMU's q35 puts into fw_cfg with `-nodefaults`, beside the SMI features. Sizes and bytes measured on QEMU 7.2.
 *
 * ACPI tables come beside these if asked for (`acpi/`). Not there yet, each with its place in the sorted directory:
 * `etc/e820`, `etc/smbios/smbios-anchor`, `etc/smbios/smbios-tables`, `etc/tpm/log`, `genroms/kvmvapic.bin`. Firmware
 * looks files up by name and takes them for absent.
 */

import { FW_CFG_ARCH_LOCAL, FW_CFG_RAM_SIZE, type FwCfgFile, littleEndian } from './fw-cfg.ts';
import { HPET_BASE, HPET_CAPABILITIES } from './hpet.ts';

/** Key: the PIT's interrupt arrives at I/O APIC pin 2, 32 bit. */
const FW_CFG_IRQ0_OVERRIDE = FW_CFG_ARCH_LOCAL + 2;

/** ACPI sleep states that the machine has. */
export interface SleepStates {
  /** Suspend to RAM. */
  readonly s3: boolean;
  /** Suspend to disk. */
  readonly s4: boolean;
}

/** Key: which HPETs there are, for the firmware's tables. */
const FW_CFG_HPET = FW_CFG_ARCH_LOCAL + 4;

/** Items with fixed keys. `ramBytes` is all of RAM. */
export function q35FwCfgItems(ramBytes: number, hpet = false): Map<number, Uint8Array> {
  return new Map([
    [FW_CFG_RAM_SIZE, littleEndian(ramBytes, 8)],
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
export function q35FwCfgFiles(sleep: SleepStates): FwCfgFile[] {
  return [
    { name: 'bios-geometry', data: new Uint8Array(0) },
    { name: 'bootorder', data: new Uint8Array(0) },
    { name: 'etc/boot-fail-wait', data: littleEndian(0xffff_ffff, 4) },
    { name: 'etc/system-states', data: systemStates(sleep) },
  ];
}

/** One byte for each of S0 to S5: bit 7 supported, bits 2:0 SLP_TYP. */
function systemStates({ s3, s4 }: SleepStates): Uint8Array {
  const supported = (yes: boolean) => (yes ? 0x80 : 0);
  return Uint8Array.of(0x80, 0, 0, supported(s3) | 1, supported(s4) | 2, 0x80);
}
