/**
 * NOR flash with the Intel command set (CFI01) as QEMU's pflash_cfi01 behaves for OVMF: array reads straight from memory, one-byte
 * programs, block erase, status, identification. With `secure`, commands work in SMM alone and everybody else sees the array.
 * Not modelled: block locks (accepted, without effect), program suspend, timing: operations end at once.
 * Sources: Intel 298161 "Basic Command Set"; JEDEC JEP137 "Common Flash Interface"; QEMU 7.2 measured.
 */
import {
  type AccessSize,
  type MmioDevice,
  type PhysicalAddressSpace,
  type RegionHandle,
  type Snapshottable,
  TX_SMM,
  type TxAttrs,
} from '@smm/bus';
import { SmmError } from '@smm/x86-defs';

const READ_ARRAY = 0xff;
const PROGRAM = 0x10;
const PROGRAM_ALTERNATE = 0x40;
const ERASE = 0x20;
const CLEAR_STATUS = 0x50;
const LOCK = 0x60;
const READ_STATUS = 0x70;
const READ_ID = 0x90;
const CFI_QUERY = 0x98;
const WRITE_BUFFER = 0xe8;
const CONFIRM = 0xd0;

const STATUS_READY = 0x80;
const STATUS_ERASE_ERROR = 0x20;
const STATUS_PROGRAM_ERROR = 0x10;

/** Options of one chip. */
export interface PflashOptions {
  /** Name for regions, traces and errors, such as `pflash0`. */
  readonly name: string;
  /** First guest-physical address. */
  readonly start: number;
  /** Where the array lies in the RAM window, bytes. */
  readonly hostOffset: number;
  /** Size in bytes, a multiple of `blockSize`. */
  readonly sizeBytes: number;
  /** Erase block in bytes; 4096 on QEMU's PC machines. */
  readonly blockSize?: number;
  /** Program and erase fail (`readonly=on`). */
  readonly readonly: boolean;
  /** Only processors in SMM reach the command interface (`secure=on`). */
  readonly secure: boolean;
}

/** What a chip reaches. */
export interface PflashPorts {
  /** Where its regions are mapped. */
  readonly space: PhysicalAddressSpace;
  /** Bytes of the RAM window. */
  readonly bytes: Uint8Array;
  /** Told of changed bytes of the array, as host offset and length. */
  readonly written: (hostOffset: number, sizeBytes: number) => void;
}

/** Architectural state; the array is not part of it. */
export interface PflashState {
  /** Layout version of this object. */
  version: 1;
  /** Command in progress; FFh for array reads. */
  command: number;
  /** Write cycle within the command. */
  cycle: number;
  /** Status register, 8 bit. */
  status: number;
  /** Bytes still expected by a buffered write. */
  bufferLeft: number;
}

/** One flash chip. */
export class Pflash implements MmioDevice, Snapshottable<PflashState> {
  readonly name: string;
  // wiring
  readonly #options: PflashOptions;
  readonly #ports: PflashPorts;
  /** Region whose backing appears and disappears with array mode: the SMM view alone when `secure`. */
  readonly #region: RegionHandle;
  readonly #blockSize: number;
  // architectural state
  #command = READ_ARRAY;
  #cycle = 0;
  #status = 0;
  #bufferLeft = 0;

  constructor(ports: PflashPorts, options: PflashOptions, priority: number) {
    this.name = options.name;
    this.#options = options;
    this.#ports = ports;
    this.#blockSize = options.blockSize ?? 0x1000;
    const { start, sizeBytes, hostOffset, secure, name } = options;
    const region = { kind: 'mmio' as const, start, sizeBytes, priority, device: this, hostOffset };
    if (secure) ports.space.add({ ...region, name: `${name}-array`, visible: 'normal-only' });
    this.#region = ports.space.add({ ...region, name, ...(secure ? { visible: 'smm-only' as const } : {}) });
  }

  read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    const array = this.#command === READ_ARRAY || (this.#options.secure && (attrs & TX_SMM) === 0);
    let value = 0;
    for (let i = size - 1; i >= 0; i--)
      value = value * 256 + (array ? this.#byte(offset + i) : this.#register(offset + i));
    return value;
  }

  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if (this.#options.secure && (attrs & TX_SMM) === 0) return;
    if (this.#cycle === 0) this.#begin(value & 0xff);
    else this.#continue(offset, size, value);
    this.#region.set({ hostOffset: this.#command === READ_ARRAY ? this.#options.hostOffset : undefined });
  }

  /** Power-on state; the array keeps its contents. */
  reset(): void {
    this.#command = READ_ARRAY;
    this.#cycle = 0;
    this.#status = 0;
    this.#bufferLeft = 0;
    this.#region.set({ hostOffset: this.#options.hostOffset });
  }

  save(): PflashState {
    return {
      version: 1,
      command: this.#command,
      cycle: this.#cycle,
      status: this.#status,
      bufferLeft: this.#bufferLeft,
    };
  }

  restore(state: PflashState): void {
    if (state.version !== 1) {
      throw new SmmError(
        'SNAPSHOT_VERSION',
        `flash snapshot has version ${String(state.version)}, this code reads 1`,
        'Restore with the release that saved it.',
        { version: state.version },
      );
    }
    this.#command = state.command;
    this.#cycle = state.cycle;
    this.#status = state.status;
    this.#bufferLeft = state.bufferLeft;
    this.#region.set({ hostOffset: this.#command === READ_ARRAY ? this.#options.hostOffset : undefined });
  }

  #byte(offset: number): number {
    return this.#ports.bytes[this.#options.hostOffset + offset]!;
  }

  #register(offset: number): number {
    if (this.#command === READ_ID) return [0x89, 0x18][offset & 0xff] ?? 0;
    if (this.#command === CFI_QUERY) return this.#cfi(offset & 0xff);
    return this.#status;
  }

  /** First write cycle of a command. */
  #begin(command: number): void {
    switch (command) {
      case PROGRAM:
      case PROGRAM_ALTERNATE:
      case ERASE:
      case LOCK:
      case WRITE_BUFFER:
        this.#command = command;
        this.#cycle = 1;
        if (command === WRITE_BUFFER) this.#status |= STATUS_READY;
        return;
      case CLEAR_STATUS:
        this.#status = 0;
        this.#command = READ_ARRAY;
        return;
      case READ_STATUS:
      case READ_ID:
      case CFI_QUERY:
        this.#command = command;
        return;
      default: // FFh, 00h and F0h by the book, anything else as QEMU does
        this.#command = READ_ARRAY;
    }
  }

  #continue(offset: number, size: AccessSize, value: number): void {
    switch (this.#command) {
      case PROGRAM:
      case PROGRAM_ALTERNATE:
        this.#program(offset, size, value);
        this.#status |= STATUS_READY;
        this.#cycle = 0;
        return;
      case ERASE:
      case LOCK:
        if ((value & 0xff) === CONFIRM && this.#command === ERASE) this.#erase(offset);
        this.#status |= STATUS_READY;
        this.#cycle = 0;
        if ((value & 0xff) === READ_ARRAY) this.#command = READ_ARRAY;
        return;
      case WRITE_BUFFER:
        if (this.#cycle === 1) {
          this.#bufferLeft = (value & 0xffff) + 1;
          this.#cycle = 2;
        } else if (this.#bufferLeft > 0) {
          this.#program(offset, size, value);
          this.#bufferLeft -= 1;
        } else {
          this.#status |= STATUS_READY;
          this.#cycle = 0;
          if ((value & 0xff) !== CONFIRM) this.#command = READ_ARRAY;
        }
        return;
      default:
        this.#cycle = 0;
        this.#command = READ_ARRAY;
    }
  }

  /** Stores a value: QEMU stores it as it is, where a NOR cell could only clear bits. */
  #program(offset: number, size: AccessSize, value: number): void {
    if (this.#options.readonly) {
      this.#status |= STATUS_PROGRAM_ERROR;
      return;
    }
    const at = this.#options.hostOffset + offset;
    for (let i = 0; i < size; i++) this.#ports.bytes[at + i] = value >>> (8 * i);
    this.#ports.written(at, size);
  }

  #erase(offset: number): void {
    if (this.#options.readonly) {
      this.#status |= STATUS_ERASE_ERROR;
      return;
    }
    const at = this.#options.hostOffset + offset - (offset % this.#blockSize);
    this.#ports.bytes.fill(0xff, at, at + this.#blockSize);
    this.#ports.written(at, this.#blockSize);
  }

  /** Byte of the CFI table: identification, geometry and timing as QEMU fills them for one region of equal blocks. */
  #cfi(offset: number): number {
    const blocks = this.#options.sizeBytes / this.#blockSize - 1;
    const table: Record<number, number> = {
      0x10: 0x51,
      0x11: 0x52,
      0x12: 0x59,
      0x13: 0x01,
      0x15: 0x31,
      0x1b: 0x45,
      0x1c: 0x55,
      0x1f: 0x07,
      0x20: 0x07,
      0x21: 0x0a,
      0x23: 0x04,
      0x24: 0x04,
      0x25: 0x04,
      0x27: Math.ceil(Math.log2(this.#options.sizeBytes)),
      0x28: 0x02,
      0x2a: 0x0b,
      0x2c: 0x01,
      0x2d: blocks & 0xff,
      0x2e: (blocks >>> 8) & 0xff,
      0x2f: (this.#blockSize >>> 8) & 0xff,
      0x30: (this.#blockSize >>> 16) & 0xff,
    };
    return table[offset] ?? 0;
  }
}
