/** The registers of a port. Source: Serial ATA AHCI 1.3.1, "Port Registers"; QEMU 7.2 measured. */
import type { RegisterFile, RegisterSpec } from '@smm/bus';

/** Start of the first port's registers, and bytes of each. */
export const PORTS_OFFSET = 0x100;
export const PORT_BYTES = 0x80;

/** Interrupt status and enable bits. */
export const PORT_IS = {
  DHRS: 1 << 0,
  PSS: 1 << 1,
  SDBS: 1 << 3,
  OFS: 1 << 24,
  IFS: 1 << 27,
  HBFS: 1 << 29,
  TFES: 1 << 30,
} as const;

/** Command bits. */
export const PORT_CMD = {
  ST: 1 << 0,
  FRE: 1 << 4,
  CCS_SHIFT: 8,
  CCS: 0x1f00,
  FR: 1 << 14,
  CR: 1 << 15,
} as const;

/** TFD of a port without a word from its device. */
const TFD_NOTHING = 0x7f;
/** SSTS of a device that is there: present, first generation, active. */
const SSTS_PRESENT = 0x113;

const ROWS = {
  CLB: { offset: 0x00, writable: 0xffff_ffff },
  CLBU: { offset: 0x04, writable: 0xffff_ffff },
  FB: { offset: 0x08, writable: 0xffff_ffff },
  FBU: { offset: 0x0c, writable: 0xffff_ffff },
  IS: { offset: 0x10, w1c: 0xffff_ffff },
  IE: { offset: 0x14, writable: 0xfdc0_00ff },
  CMD: { offset: 0x18, reset: 0x06, writable: 0x0f82_001f },
  TFD: { offset: 0x20, reset: TFD_NOTHING },
  SIG: { offset: 0x24, reset: 0xffff_ffff },
  SSTS: { offset: 0x28 },
  SCTL: { offset: 0x2c, writable: 0xffff_ffff },
  SERR: { offset: 0x30, w1c: 0xffff_ffff },
  /** Bits are set by writing 1: see `AhciPort.accept`. */
  SACT: { offset: 0x34 },
  CI: { offset: 0x38 },
} as const;

/** Names, as the specification has them without `Px`. */
export type PortRegister = keyof typeof ROWS;

/** Rows of port `port` in the register table. */
export function portRows(port: number, present: boolean): RegisterSpec[] {
  return Object.entries(ROWS).map(([name, row]) => ({
    ...row,
    name: nameOf(port, name as PortRegister),
    offset: PORTS_OFFSET + port * PORT_BYTES + row.offset,
    width: 4,
    ...(name === 'SSTS' && present && { reset: SSTS_PRESENT }),
  }));
}

/** Name of a register in the table. */
function nameOf(port: number, register: PortRegister): string {
  return `P${port}${register}`;
}

/** The registers of one port by their own names. */
export class PortRegisters {
  readonly #file: RegisterFile;
  readonly #port: number;

  constructor(file: RegisterFile, port: number) {
    this.#file = file;
    this.#port = port;
  }

  /** Stored value, unsigned. */
  get(register: PortRegister): number {
    return this.#file.get(nameOf(this.#port, register));
  }

  /** Stores a value. */
  set(register: PortRegister, value: number): void {
    this.#file.set(nameOf(this.#port, register), value >>> 0);
  }

  /** Sets and clears bits. */
  change(register: PortRegister, set: number, clear = 0): void {
    this.set(register, (this.get(register) & ~clear) | set);
  }

  /** To the value after a reset. */
  clear(...registers: readonly PortRegister[]): void {
    for (const register of registers)
      this.set(register, this.#file.spec(nameOf(this.#port, register)).reset ?? 0);
  }
}
