/**
 * QEMU's firmware configuration device: selector, data port, DMA, file directory, writable files.
 * Not modelled: the MMIO variant, writes through the data port (removed from QEMU in 2.4).
 * Source: QEMU docs/specs/fw_cfg.rst, "QEMU Firmware Configuration (fw_cfg) Device".
 */
import {
  type AccessSize,
  type IoPortSpace,
  type PioDevice,
  physicalAddress,
  type Snapshottable,
  TX_DEBUG,
  TX_DMA,
  type TxAttrs,
} from '@smm/bus';
import { isBytes, isFlag, isFunction, isListOf, isShape, isText, maybe, SmmError } from '@smm/x86-defs';
import { device, integer, name, text } from './acpi/aml.ts';
import type { AcpiDescription } from './acpi/description.ts';
import { ports, resources } from './acpi/resources.ts';
import { requireVersion1 } from './snapshot.ts';

/** Selector port, 16 bit; the data port follows it. */
export const FW_CFG_PORT = 0x510;
/** DMA address port, 64 bit big-endian: high half at 514h, low half at 518h starts the transfer. */
export const FW_CFG_DMA_PORT = 0x514;

/** Key: signature `QEMU`. */
const FW_CFG_SIGNATURE = 0x00;
/** Key: feature bits, bit 0 traditional interface, bit 1 DMA. */
const FW_CFG_ID = 0x01;
/** Key: RAM in bytes, 64 bit. */
export const FW_CFG_RAM_SIZE = 0x03;
/** Key: number of processors, 16 bit. */
const FW_CFG_NB_CPUS = 0x05;
/** Key: boot menu wanted, 16 bit. */
export const FW_CFG_BOOT_MENU = 0x0e;
/** Key: largest number of processors, 16 bit. */
const FW_CFG_MAX_CPUS = 0x0f;
/** Key: file directory. */
const FW_CFG_FILE_DIR = 0x19;
/** First key of a file. */
export const FW_CFG_FILE_FIRST = 0x20;
/** Bit 15 of a key: items of the architecture, a space of their own. */
export const FW_CFG_ARCH_LOCAL = 0x8000;
/** Bit 14 of a key: once meant writing, ignored. */
const WRITE_CHANNEL = 0x4000;
/** Longest run of zeros written at once when the guest reads past an item. */
const ZEROS = 0x1_0000;

/** `_STA`: there, working, and shown to nobody. */
const PRESENT_AND_HIDDEN = 0x0b;
const DMA_ERROR = 0x01;
const DMA_READ = 0x02;
const DMA_SKIP = 0x04;
const DMA_SELECT = 0x08;
const DMA_WRITE = 0x10;
/** What the DMA address register reads: `QEMU CFG`. */
const DMA_SIGNATURE = [0x5145_4d55, 0x2043_4647] as const;

/** A named file. */
export interface FwCfgFile {
  /** Name of at most 55 ASCII characters, such as `etc/system-states`. */
  readonly name: string;
  /** Contents; the guest's writes change them. */
  readonly data: Uint8Array;
  /** The guest may write by DMA. */
  readonly writable?: boolean;
  /** Called when the guest selects the file, before it reads. */
  readonly onSelect?: () => void;
}

const isFile = isShape<FwCfgFile>({
  name: isText,
  data: isBytes,
  writable: maybe(isFlag),
  onSelect: maybe(isFunction),
});

/** What the device reaches. */
export interface FwCfgPorts {
  /** Reads guest-physical memory. */
  readonly readBlock: (gpa: number, into: Uint8Array, attrs: TxAttrs) => void;
  /** Writes guest-physical memory. */
  readonly writeBlock: (gpa: number, bytes: Uint8Array, attrs: TxAttrs) => void;
}

/** Architectural state of an {@link FwCfg}. */
export interface FwCfgState {
  /** Layout version of this object. */
  version: 1;
  /** Selected key, 16 bit. */
  key: number;
  /** Read position in bytes. */
  offset: number;
  /** High half of the DMA address. */
  dmaHigh: number;
  /** Contents of the files that change: those that the guest or the machine writes. */
  files: {
    /** Name in the directory. */
    name: string;
    /** All its bytes. */
    data: Uint8Array;
  }[];
}

/** The device. Items are little-endian where they are numbers; the directory and the DMA structure are big-endian. */
export class FwCfg implements PioDevice, Snapshottable<FwCfgState> {
  /** Name in traces. */
  readonly name = 'fw-cfg';
  // wiring
  readonly #ports: FwCfgPorts;
  readonly #items: ReadonlyMap<number, Uint8Array>;
  readonly #files: readonly FwCfgFile[];
  readonly #initial: readonly Uint8Array[];
  // architectural state
  #key = FW_CFG_SIGNATURE;
  #offset = 0;
  #dmaHigh = 0;

  /**
   * The files are sorted by name as QEMU sorts them, and get their keys in that order. `items` holds further items by
   * key, such as {@link FW_CFG_ARCH_LOCAL} ones and {@link FW_CFG_RAM_SIZE}; they replace those made here. Throws
   * `SmmError` `FW_CFG_NAME` for a file name that is too long or taken, `OPTION_VALUE` for what is no file.
   */
  constructor(
    ports: FwCfgPorts,
    cpuCount: number,
    files: readonly FwCfgFile[],
    items: ReadonlyMap<number, Uint8Array> = new Map(),
  ) {
    isListOf(isFile)('fw_cfg files', files);
    this.#ports = ports;
    this.#files = [...files].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    this.#files.forEach(({ name }, i) => {
      if (name.length > 55 || name === this.#files[i + 1]?.name) {
        throw new SmmError(
          'FW_CFG_NAME',
          `fw_cfg file name ${name} is too long or taken`,
          'Use unique names of at most 55 characters.',
          { name },
        );
      }
    });
    this.#initial = this.#files.map((file) => file.data.slice());
    this.#items = new Map<number, Uint8Array>([
      [FW_CFG_SIGNATURE, new TextEncoder().encode('QEMU')],
      [FW_CFG_ID, littleEndian(3, 4)],
      [FW_CFG_NB_CPUS, littleEndian(cpuCount, 2)],
      [FW_CFG_BOOT_MENU, littleEndian(0, 2)],
      [FW_CFG_MAX_CPUS, littleEndian(cpuCount, 2)],
      [FW_CFG_FILE_DIR, directory(this.#files)],
      ...this.#files.map((file, i): [number, Uint8Array] => [FW_CFG_FILE_FIRST + i, file.data]),
      ...items,
    ]);
  }

  /** Registers selector, data and DMA ports. */
  map(io: IoPortSpace): void {
    io.add({ name: this.name, first: FW_CFG_PORT, count: 2, device: this });
    io.add({ name: 'fw-cfg-dma', first: FW_CFG_DMA_PORT, count: 8, device: this });
  }

  /** How ACPI describes it. */
  acpi(): AcpiDescription {
    const found = resources(ports(FW_CFG_PORT, FW_CFG_DMA_PORT + 8 - FW_CFG_PORT));
    const state = name('_STA', integer(PRESENT_AND_HIDDEN));
    return { bus: device('FWCF', name('_HID', text('QEMU0002')), state, name('_CRS', found)) };
  }

  /** IN: data bytes at 510h and 511h, the DMA signature at 514h. Words and dwords of the former two read 0. */
  in(port: number, size: AccessSize, attrs: TxAttrs): number {
    if (port <= FW_CFG_PORT + 1 && size === 1) return this.#nextByte((attrs & TX_DEBUG) !== 0);
    if (port >= FW_CFG_DMA_PORT && port < FW_CFG_DMA_PORT + 8) {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + dmaSignatureByte(port + i - FW_CFG_DMA_PORT);
      return value;
    }
    return 0;
  }

  /** OUT: selector (16 bit at 510h), DMA address halves (32 bit, big-endian). Other writes are ignored. */
  out(port: number, size: AccessSize, value: number, _attrs: TxAttrs): void {
    if (port === FW_CFG_PORT && size === 2) this.#select(value);
    else if (port === FW_CFG_DMA_PORT && size === 4) this.#dmaHigh = swap32(value);
    else if (port === FW_CFG_DMA_PORT + 4 && size === 4) {
      const high = this.#dmaHigh;
      this.#dmaHigh = 0;
      this.#transfer(physicalAddress(high, swap32(value)));
    }
  }

  /** System reset: selection and writable files to their initial state. */
  reset(): void {
    this.#key = FW_CFG_SIGNATURE;
    this.#offset = 0;
    this.#dmaHigh = 0;
    this.#files.forEach((file, i) => {
      file.data.set(this.#initial[i]!);
    });
  }

  /** Copies the state out. */
  save(): FwCfgState {
    return {
      version: 1,
      key: this.#key,
      offset: this.#offset,
      dmaHigh: this.#dmaHigh,
      files: this.#files
        .filter((file) => file.writable === true || file.onSelect !== undefined)
        .map(({ name, data }) => ({ name, data: data.slice() })),
    };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: FwCfgState): void {
    requireVersion1(this.name, state);
    this.#key = state.key;
    this.#offset = state.offset;
    this.#dmaHigh = state.dmaHigh;
    for (const { name, data } of state.files) this.#files.find((file) => file.name === name)?.data.set(data);
  }

  #select(key: number): void {
    this.#key = key & ~WRITE_CHANNEL;
    this.#offset = 0;
    this.#files[this.#key - FW_CFG_FILE_FIRST]?.onSelect?.();
  }

  #nextByte(debug: boolean): number {
    const byte = this.#items.get(this.#key)?.[this.#offset] ?? 0;
    if (!debug) this.#offset++;
    return byte;
  }

  /** One DMA command: control, length and address in a structure at `gpa`, completed at once. */
  #transfer(gpa: number): void {
    const block = new Uint8Array(16);
    this.#ports.readBlock(gpa, block, TX_DMA);
    const view = new DataView(block.buffer);
    const control = view.getUint32(0);
    if (control & DMA_SELECT) this.#select(control >>> 16);
    const address = physicalAddress(view.getUint32(8), view.getUint32(12));
    const ok = this.#move(control, view.getUint32(4), address);
    const status = new Uint8Array(4);
    new DataView(status.buffer).setUint32(0, ok ? 0 : DMA_ERROR);
    this.#ports.writeBlock(gpa, status, TX_DMA);
  }

  #move(control: number, length: number, address: number): boolean {
    const data = this.#items.get(this.#key) ?? new Uint8Array(0);
    const at = this.#offset;
    const available = Math.min(length, Math.max(0, data.length - at));
    this.#offset += (control & (DMA_READ | DMA_WRITE | DMA_SKIP)) === 0 ? 0 : available;
    if (control & DMA_READ) {
      this.#ports.writeBlock(address, data.subarray(at, at + available), TX_DMA);
      // Past the end of an item, and from an item that does not exist, reads give zeros.
      const zeros = new Uint8Array(Math.min(ZEROS, length - available));
      for (let done = available; done < length; done += ZEROS) {
        this.#ports.writeBlock(address + done, zeros.subarray(0, Math.min(ZEROS, length - done)), TX_DMA);
      }
    } else if ((control & DMA_WRITE) !== 0 && length > 0) {
      if (this.#files[this.#key - FW_CFG_FILE_FIRST]?.writable !== true || available < length) return false;
      this.#ports.readBlock(address, data.subarray(at, at + length), TX_DMA);
    }
    return true;
  }
}

/** Little-endian bytes of a number of at most 48 bits. */
export function littleEndian(value: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) & 0xff);
}

function directory(files: readonly FwCfgFile[]): Uint8Array {
  const bytes = new Uint8Array(4 + files.length * 64);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, files.length);
  files.forEach(({ name, data }, i) => {
    const at = 4 + i * 64;
    view.setUint32(at, data.length);
    view.setUint16(at + 4, FW_CFG_FILE_FIRST + i);
    bytes.set(new TextEncoder().encode(name), at + 8);
  });
  return bytes;
}

function dmaSignatureByte(index: number): number {
  const half = DMA_SIGNATURE[index < 4 ? 0 : 1];
  return (half >>> (24 - 8 * (index & 3))) & 0xff;
}

function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
