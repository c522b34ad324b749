/** Commands that disks and CD drives share. Source: ATA8-ACS, "Power Management feature set", "SET FEATURES". */
import { ATA_READY, type AtaOutcome } from './ata-device.ts';

/** CHECK POWER MODE: active or idle. */
const ACTIVE = 0xff;

/** Power modes, in which nothing sleeps here; undefined for another command. */
export function powerCommand(command: number): AtaOutcome | undefined {
  switch (command) {
    case 0xe0: // STANDBY IMMEDIATE
    case 0xe1: // IDLE IMMEDIATE
    case 0xe2: // STANDBY
    case 0xe3: // IDLE
    case 0x94: // the same four by their oldest names
    case 0x95:
    case 0x96:
    case 0x97:
    case 0xe6: // SLEEP
    case 0x99:
      return ATA_READY;
    case 0xe5: // CHECK POWER MODE
    case 0x98:
      return { ...ATA_READY, count: ACTIVE };
    default:
      return undefined;
  }
}

/** Whether SET FEATURES's transfer mode is one: PIO, single-word, multi-word or Ultra DMA. */
export function transferModeIsKnown(mode: number): boolean {
  return [0, 1, 2, 4, 8].includes(mode >>> 3);
}
