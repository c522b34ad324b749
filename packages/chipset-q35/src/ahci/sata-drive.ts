/** Drives that can be plugged into a SATA port. */
import type { Medium } from '../block-device.ts';
import type { AtaDevice } from './ata-device.ts';
import { AtaDisk } from './ata-disk.ts';
import type { DriveIdentity } from './ata-identify.ts';
import { AtapiCd } from './atapi-cd.ts';

/** A drive. */
export interface SataDrive extends Medium {
  /** A disk of 512-byte sectors, or a CD drive with a disc of 2048-byte sectors in it. */
  readonly kind: 'disk' | 'cd';
  /** What it says of itself. Default: as QEMU names the drive on that port. */
  readonly identity?: Partial<DriveIdentity>;
}

/** QEMU's names for the drive on port `port`; version 2.5+ is what QEMU says since then. */
export function driveIdentity(kind: SataDrive['kind'], port: number): DriveIdentity {
  const model = kind === 'disk' ? 'QEMU HARDDISK' : 'QEMU DVD-ROM';
  return { serial: `QM${String(2 * port + 1).padStart(5, '0')}`, model, firmware: '2.5+' };
}

/** OpenFirmware path of the drive on a port, as `bootorder` names it. */
export function sataPath(port: number): string {
  return `/pci@i0cf8/pci8086,2922@1f,2/drive@${port}/disk@0`;
}

/** The device behind the port. */
export function sataDevice(drive: SataDrive, port: number): AtaDevice {
  const identity = { ...driveIdentity(drive.kind, port), ...drive.identity };
  return drive.kind === 'disk' ? new AtaDisk(drive, identity) : new AtapiCd(drive, identity);
}
