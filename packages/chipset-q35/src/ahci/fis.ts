/**
 * Frame information structures, as they lie in a command table and in the area where a port posts what it receives.
 * Sources: Serial ATA Revision 2.6, "FIS Types"; Serial ATA AHCI 1.3.1, "Received FIS Structure".
 */
import { ATA_STATUS_DRQ, type AtaOutcome, type AtaTask } from './ata-device.ts';

/** Type of a register FIS from the host. */
export const FIS_REGISTER_H2D = 0x27;
/** Bytes of a command table that are the command: the FIS with its room, and the packet. */
export const COMMAND_BYTES = 0x50;
/** Where the packet is. */
const PACKET = 0x40;
const INTERRUPT = 0x40;
const TO_HOST = 0x20;

/** Where a port posts a received FIS, bytes from the start of its area. */
export const POSTED = { pioSetup: 0x20, register: 0x40, setDeviceBits: 0x58 } as const;

/** What a register FIS from the host says besides the task. */
export interface CommandFis {
  /** FIS type. */
  readonly type: number;
  /** Port of a port multiplier. */
  readonly multiplierPort: number;
  /** It carries a command; else device control. */
  readonly isCommand: boolean;
  /** Device control: software reset. */
  readonly softReset: boolean;
  /** The command. */
  readonly task: AtaTask;
}

/** Reads the first {@link COMMAND_BYTES} of a command table. */
export function readCommand(table: Uint8Array): CommandFis {
  const at = (i: number): number => table[i]!;
  const low = at(4) + at(5) * 2 ** 8 + at(6) * 2 ** 16;
  const high = at(8) + at(9) * 2 ** 8 + at(10) * 2 ** 16;
  return {
    type: at(0),
    multiplierPort: at(1) & 0x0f,
    isCommand: (at(1) & 0x80) !== 0,
    softReset: (at(15) & 4) !== 0,
    task: {
      command: at(2),
      features: at(3) + at(11) * 2 ** 8,
      device: at(7),
      lba: low + high * 2 ** 24,
      count: at(12) + at(13) * 2 ** 8,
      packet: table.subarray(PACKET, PACKET + 16),
    },
  };
}

/** Registers as a device tells them. */
interface Registers {
  readonly outcome: AtaOutcome;
  readonly device: number;
  readonly lba: number;
  readonly count: number;
}

/** What a device says at the end of a command. */
export function registersAfter({ device, lba, count }: AtaTask, outcome: AtaOutcome): Registers {
  return { outcome, device, lba: outcome.lba ?? lba, count: outcome.count ?? count };
}

/** A register FIS to the host, 20 bytes. */
export function registerFis(registers: Registers, interrupt: boolean): Uint8Array {
  const bytes = new Uint8Array(20);
  fill(bytes, 0x34, interrupt ? INTERRUPT : 0, registers);
  return bytes;
}

/** A PIO setup FIS for a block of `sizeBytes`, 20 bytes. */
export function pioSetupFis(
  registers: Registers,
  { toHost, interrupt }: { readonly toHost: boolean; readonly interrupt: boolean },
  sizeBytes: number,
): Uint8Array {
  const bytes = new Uint8Array(20);
  fill(bytes, 0x5f, (interrupt ? INTERRUPT : 0) | (toHost ? TO_HOST : 0), registers);
  bytes[2] = registers.outcome.status | ATA_STATUS_DRQ;
  bytes[15] = registers.outcome.status;
  bytes[16] = sizeBytes;
  bytes[17] = sizeBytes >>> 8;
  return bytes;
}

/** A set device bits FIS, 8 bytes: `finished` are tags of commands that are done. */
export function setDeviceBitsFis({ status, error }: AtaOutcome, finished: number): Uint8Array {
  const bytes = new Uint8Array(8);
  bytes.set([0xa1, INTERRUPT, status & 0x77, error]);
  new DataView(bytes.buffer).setUint32(4, finished, true);
  return bytes;
}

function fill(bytes: Uint8Array, type: number, flags: number, registers: Registers): void {
  const { outcome, device, lba, count } = registers;
  const place = [0, 1, 2, 3, 4, 5].map((i) => Math.floor(lba / 256 ** i) & 0xff);
  bytes.set([type, flags, outcome.status, outcome.error]);
  bytes.set(place.slice(0, 3), 4);
  bytes[7] = device;
  bytes.set(place.slice(3), 8);
  bytes[12] = count;
  bytes[13] = count >>> 8;
}
