/**
 * NOR flash with the Intel command set (CFI01) as QEMU's pflash_cfi01 behaves for OVMF: array reads straight from
 * memory, one-byte programs, block erase, status, CFI tables. With `secure`, commands work in SMM alone and everybody
 * else sees the array. An erase happens when it is confirmed (QEMU does not wait for that). Not modelled:
 * identification (QEMU's chips have none), block locks (accepted, without effect), program suspend, timing: operations
 * end at once. Sources: Intel 298161 "Basic Command Set"; JEDEC JEP137 "Common Flash Interface"; QEMU 7.2 measured.
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
import { checkOptions, isFlag, isText, isWhole, maybe, type OptionShape } from '@smm/x86-defs';
import { requireVersion1 } from './snapshot.ts';

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
const LOCK_BLOCK = 0x01;

const STATUS_READY = 0x80;
const STATUS_ERASE_ERROR = 0x20;
const STATUS_PROGRAM_ERROR = 0x10;

/**
 * CFI bytes that do not depend on the size: query string and command set, voltages and times, interface and one erase
 * region, "PRI" table.
 */
const CFI_TABLE: ReadonlyMap<number, number> = new Map([
  ...[0x51, 0x52, 0x59, 0x01, 0x00, 0x31].map((v, i): [number, number] => [0x10 + i, v]),
  ...[0x45, 0x55, 0x00, 0x00, 0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04].map((v, i): [number, number] => [
    0x1b + i,
    v,
  ]),
  ...[0x02, 0x00, 0x08, 0x00, 0x01].map((v, i): [number, number] => [0x28 + i, v]),
  ...[0x50, 0x52, 0x49, 0x31, 0x30].map((v, i): [number, number] => [0x31 + i, v]),
  [0x3f, 0x01],
]);

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

const PFLASH_SHAPE: OptionShape<PflashOptions> = {
  name: isText,
  start: isWhole(0),
  hostOffset: isWhole(0),
  sizeBytes: isWhole(1),
  blockSize: maybe(isWhole(1)),
  readonly: isFlag,
  secure: isFlag,
};

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
  /** Name in traces, such as `pflash0`. */
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
  #status = STATUS_READY;
  #bufferLeft = 0;

  /** Maps the chip at `priority`, which must be above RAM's and ROM's. Throws `SmmError` `OPTION_VALUE`. */
  constructor(ports: PflashPorts, options: PflashOptions, priority: number) {
    checkOptions('the options of a flash chip', options, PFLASH_SHAPE);
    this.name = options.name;
    this.#options = options;
    this.#ports = ports;
    this.#blockSize = options.blockSize ?? 0x1000;
    const { start, sizeBytes, hostOffset, secure, name } = options;
    const region = { kind: 'mmio' as const, start, sizeBytes, priority, device: this, hostOffset };
    if (secure) ports.space.add({ ...region, name: `${name}-array`, visible: 'normal-only' });
    this.#region = ports.space.add({ ...region, name, ...(secure ? { visible: 'smm-only' as const } : {}) });
  }

  /** Reads the array, or what the command in progress presents. */
  read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    if (this.#command === READ_ARRAY || (this.#options.secure && (attrs & TX_SMM) === 0)) {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + this.#byte(offset + i);
      return value;
    }
    if (this.#command === READ_ID) return 0; // QEMU's PC machines give their chips no identity
    if (this.#command === CFI_QUERY) return this.#cfi(offset & 0xff);
    return size === 4 ? this.#status * 0x1_0001 : this.#status;
  }

  /** A write cycle. Outside SMM it is lost when `secure`. */
  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if (this.#options.secure && (attrs & TX_SMM) === 0) return;
    if (this.#cycle === 0) this.#begin(value & 0xff);
    else this.#continue(offset, size, value);
    this.#present();
  }

  /** Power-on state; the array keeps its contents. */
  reset(): void {
    this.#command = READ_ARRAY;
    this.#cycle = 0;
    this.#status = STATUS_READY;
    this.#bufferLeft = 0;
    this.#present();
  }

  /** Copies the state out. */
  save(): PflashState {
    return {
      version: 1,
      command: this.#command,
      cycle: this.#cycle,
      status: this.#status,
      bufferLeft: this.#bufferLeft,
    };
  }

  /**
   * Puts a saved state back; the array is the owner's business. Throws `SmmError` `SNAPSHOT_VERSION` for another
   * version.
   */
  restore(state: PflashState): void {
    requireVersion1(this.name, state);
    this.#command = state.command;
    this.#cycle = state.cycle;
    this.#status = state.status;
    this.#bufferLeft = state.bufferLeft;
    this.#present();
  }

  #byte(offset: number): number {
    return this.#ports.bytes[this.#options.hostOffset + offset]!;
  }

  /** Array mode reads straight from memory, any other mode asks this device. */
  #present(): void {
    const array = this.#command === READ_ARRAY;
    this.#region.set({ hostOffset: array ? this.#options.hostOffset : undefined });
  }

  #readArray(): void {
    this.#command = READ_ARRAY;
    this.#cycle = 0;
  }

  #done(): void {
    this.#status |= STATUS_READY;
    this.#cycle = 0;
  }

  /** First write cycle of a command. What is no command leads to the array. */
  #begin(command: number): void {
    switch (command) {
      case PROGRAM:
      case PROGRAM_ALTERNATE:
      case LOCK:
      case CFI_QUERY:
        this.#command = command;
        this.#cycle = 1;
        return;
      case ERASE:
      case WRITE_BUFFER:
        this.#command = command;
        this.#cycle = 1;
        this.#status |= STATUS_READY;
        return;
      case CLEAR_STATUS:
        this.#status = 0;
        this.#readArray();
        return;
      case READ_STATUS:
      case READ_ID:
        this.#command = command;
        return;
      default:
        this.#readArray();
    }
  }

  /** Further write cycles. */
  #continue(offset: number, size: AccessSize, value: number): void {
    const byte = value & 0xff;
    if (this.#command === CFI_QUERY) {
      if (byte === READ_ARRAY) this.#readArray(); // nothing else ends a query
    } else if (this.#command === WRITE_BUFFER) this.#buffered(offset, size, value);
    else if (this.#command === ERASE && byte === CONFIRM) this.#erase(offset);
    else if (this.#command === ERASE) this.#readArray();
    else if (this.#command === LOCK && byte !== CONFIRM && byte !== LOCK_BLOCK) this.#readArray();
    else {
      if (this.#command !== LOCK) this.#program(offset, size, value);
      this.#done();
    }
  }

  /**
   * Cycles of a buffered write: count less one, that many bytes and one, confirmation. Bytes are stored as they come.
   */
  #buffered(offset: number, size: AccessSize, value: number): void {
    if (this.#cycle === 1) {
      this.#bufferLeft = (value & 0xff) + 1;
      this.#cycle = 2;
    } else if (this.#cycle === 2) {
      this.#program(offset, size, value);
      this.#status |= STATUS_READY;
      this.#bufferLeft -= 1;
      if (this.#bufferLeft === 0) this.#cycle = 3;
    } else if ((value & 0xff) === CONFIRM) this.#done();
    else this.#readArray();
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
    this.#done();
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
    const { sizeBytes } = this.#options;
    const blocks = sizeBytes / this.#blockSize - 1;
    switch (offset) {
      case 0x27: // size as a power of two; QEMU takes the lowest bit of sizes that are none
        return 31 - Math.clz32(sizeBytes & -sizeBytes);
      case 0x2d:
        return blocks & 0xff;
      case 0x2e:
        return (blocks >>> 8) & 0xff;
      case 0x2f:
        return (this.#blockSize >>> 8) & 0xff;
      case 0x30:
        return (this.#blockSize >>> 16) & 0xff;
      default:
        return CFI_TABLE.get(offset) ?? 0;
    }
  }
}
