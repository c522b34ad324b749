/**
 * What a CD drive answers about itself and its disc: one data track.
 * Source: INCITS MMC-6, "INQUIRY", "READ TOC/PMA/ATIP", "GET CONFIGURATION", "Mode Parameters".
 */
import type { DriveIdentity } from './ata-identify.ts';

const LEAD_OUT = 0xaa;
/** A data track whose position is known. */
const DATA_TRACK = 0x14;
const FRAMES_PER_SECOND = 75;
const FIRST_FRAME = 150;
const PROFILE_CD_ROM = 0x08;
const PROFILE_DVD_ROM = 0x10;
/** Sectors: 80 minutes. */
const LARGEST_CD = 80 * 60 * 75;
const PAGE_ERROR_RECOVERY = 0x01;
const PAGE_CAPABILITIES = 0x2a;
const PAGE_ALL = 0x3f;

/** INQUIRY: a removable CD drive. */
export function inquiry({ firmware, model }: DriveIdentity): Uint8Array {
  const bytes = new Uint8Array(36);
  bytes.set([0x05, 0x80, 0x00, 0x21, 31]);
  text(bytes, 8, 8, 'QEMU');
  text(bytes, 16, 16, model);
  text(bytes, 32, 4, firmware);
  return bytes;
}

/** Formats 0 (tracks), 1 (sessions) and 2 (full); undefined for others and for a first track that is not there. */
export function tableOfContents(
  format: number,
  msf: boolean,
  first: number,
  sectors: number,
): Uint8Array | undefined {
  if (format === 1) return Uint8Array.of(0, 10, 1, 1, 0, DATA_TRACK, 1, 0, ...address(0, msf));
  if (format === 2) return fullToc(sectors);
  if (format !== 0 || (first > 1 && first !== LEAD_OUT)) return undefined;
  const tracks = first <= 1 ? [0, DATA_TRACK, 1, 0, ...address(0, msf)] : [];
  const all = [1, 1, ...tracks, 0, 0x16, LEAD_OUT, 0, ...address(sectors, msf)];
  return Uint8Array.of(0, all.length, ...all);
}

function fullToc(sectors: number): Uint8Array {
  const row = (point: number, ...rest: number[]): number[] => [1, DATA_TRACK, 0, point, 0, 0, 0, 0, ...rest];
  const rows = [
    ...[row(0xa0, 1, 0, 0), row(0xa1, 1, 0, 0)],
    ...[row(0xa2, ...address(sectors, true).slice(1)), row(1, ...address(0, true).slice(1))],
  ].flat();
  return Uint8Array.of(0, rows.length + 2, 1, 1, ...rows);
}

/** Four bytes: the sector, or 0, minute, second and frame. */
function address(sector: number, msf: boolean): number[] {
  if (!msf) return [sector >>> 24, (sector >>> 16) & 0xff, (sector >>> 8) & 0xff, sector & 0xff];
  const frames = sector + FIRST_FRAME;
  const minute = Math.floor(frames / (60 * FRAMES_PER_SECOND));
  return [0, minute & 0xff, Math.floor(frames / FRAMES_PER_SECOND) % 60, frames % FRAMES_PER_SECOND];
}

/** READ DISC INFORMATION: finalized, complete session, one track. */
export function discInformation(): Uint8Array {
  const bytes = new Uint8Array(34);
  bytes.set([0, 32, 0x0e, 1, 1, 1, 1, 0x20]);
  return bytes;
}

/** GET CONFIGURATION: profile list, core and removable medium features, whatever was asked for. */
export function getConfiguration(present: boolean, sectors: number): Uint8Array {
  const current = !present ? 0 : sectors > LARGEST_CD ? PROFILE_DVD_ROM : PROFILE_CD_ROM;
  const profile = (number: number): number[] => [0, number, number === current ? 1 : 0, 0];
  const profiles = [0, 0, 3, 8, ...profile(PROFILE_DVD_ROM), ...profile(PROFILE_CD_ROM)];
  const core = [0, 1, 0x0b, 8, 0, 0, 0, 2, 1, 0, 0, 0]; // ATAPI
  const removable = [0, 3, 3, 4, 0x39, 0, 0, 0]; // tray, ejects, locks
  const features = [...profiles, ...core, ...removable];
  return Uint8Array.of(0, 0, 0, features.length + 4, 0, 0, 0, current, ...features);
}

/** MODE SENSE: header and pages; undefined for a page that there is not. */
export function modePages(page: number, wide: boolean): Uint8Array | undefined {
  const recovery = [PAGE_ERROR_RECOVERY, 6, 0, 5, 0, 0, 0, 0];
  const capabilities = [
    ...[PAGE_CAPABILITIES, 20, 0x3b, 0, 0x71, 0x60, 0x29, 0, 2, 0xc0, 0, 2, 2, 0, 2, 0xc0, 0, 0, 0, 0, 0, 0],
  ];
  const pages =
    page === PAGE_ALL
      ? [...recovery, ...capabilities]
      : page === PAGE_ERROR_RECOVERY
        ? recovery
        : page === PAGE_CAPABILITIES
          ? capabilities
          : undefined;
  if (pages === undefined) return undefined;
  const header = wide ? [0, pages.length + 6, 0x70, 0, 0, 0, 0, 0] : [pages.length + 3, 0x70, 0, 0];
  return Uint8Array.of(...header, ...pages);
}

function text(bytes: Uint8Array, at: number, length: number, value: string): void {
  bytes.set(new TextEncoder().encode(value.slice(0, length).padEnd(length)), at);
}
