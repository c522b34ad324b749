/**
 * A virtio function on PCI: negotiation, queues, interrupts. Devices derive from it and carry out requests, one after
 * the other, each in virtual time. A driver that breaks the rules of a queue gets DEVICE_NEEDS_RESET, and the device
 * does nothing until it is reset.
 *
 * Not modelled: the legacy interface, packed queues, event indices, notification data, queue reset.
 * Source: Virtual I/O Device (VIRTIO) 1.2, "Basic Facilities of a Virtio Device", "Virtio Over PCI Bus".
 */
import {
  type AccessSize,
  type Alarm,
  type Clock,
  type MmioDevice,
  physicalAddress,
  RegisterFile,
  type RegisterFileState,
  type RegisterWrite,
  TX_DMA,
  type TxAttrs,
} from '@smm/bus';
import type { ResetKind } from '../part.ts';
import { PCI_COMMAND_MASTER, PciDevice, type PciDeviceState } from '../pci-device.ts';
import { Msix } from '../pci-msix.ts';
import { requireVersion1 } from '../snapshot.ts';
import {
  COMMON_ROWS,
  CONFIG_WINDOW,
  MSIX_BAR,
  NO_VECTOR,
  NOTIFY_MULTIPLIER,
  PLACES,
  REGISTERS_BAR,
  STATUS,
  virtioCapabilities,
} from './virtio-registers.ts';
import { type Chain, lengthOf, QueueFault, type QueueState, Virtqueue } from './virtqueue.ts';

/** PCI vendor id of virtio. */
const VENDOR = 0x1af4;
/** Device id of virtio device type 0. */
const FIRST_ID = 0x1040;
const RANGE_BYTES = 0x4000;
const ISR_QUEUE = 1;
const ISR_CONFIG = 2;
/** Feature bits of every device here: indirect descriptors, and version 1 in the upper half. */
const RING_INDIRECT_DESC = 2 ** 28;
const VERSION_1_HIGH = 1;
/** Virtual nanoseconds of a request, and of each byte that it moves. */
const REQUEST_NS = 20_000;
const NS_PER_BYTE = 2.5;
const WINDOW_DATA = CONFIG_WINDOW + 16;

/** What a `VirtioPci` is like. */
export interface VirtioOptions {
  /** Name for traces, snapshots and alarms. */
  readonly name: string;
  /** PCI device number. */
  readonly slot: number;
  /** Virtio device type: 2 is a block device, 4 an entropy source. */
  readonly type: number;
  /** PCI class code, 24 bit. */
  readonly classCode: number;
  /** Feature bits 31:0 of its own. */
  readonly features: number;
  /** Queues. */
  readonly queues: number;
  /** Descriptors of each at most, a power of two. */
  readonly queueSize: number;
  /** Virtual time. */
  readonly clock: Clock;
}

/** Architectural state. */
export interface VirtioState extends PciDeviceState {
  /** Common configuration as far as it is storage. */
  common: RegisterFileState;
  /** Device status, 8 bit. */
  status: number;
  /** Features that the driver accepted, low and high half. */
  accepted: number[];
  /** Interrupt status. */
  isr: number;
  /** Queues. */
  queues: QueueState[];
  /** Queues that were notified and not looked through. */
  notified: number[];
}

/** The function. */
export abstract class VirtioPci extends PciDevice {
  readonly #options: VirtioOptions;
  readonly #msix: Msix;
  readonly #common: RegisterFile;
  readonly #alarm: Alarm;
  #status = 0;
  #accepted = [0, 0];
  #isr = 0;
  #queues: QueueState[];
  #notified: number[] = [];

  protected constructor(options: VirtioOptions) {
    const { name, slot, type, classCode, queues, clock } = options;
    const msix = new Msix({
      offset: 0x98,
      vectors: queues + 1,
      bar: MSIX_BAR,
      tableOffset: 0,
      pbaOffset: 0x800,
    });
    const device: MmioDevice = {
      name,
      read: (offset, size, attrs) => this.#read(offset, size, attrs),
      write: (offset, size, value, attrs) => this.#write(offset, size, value, attrs),
    };
    super({
      ...{ name, place: { device: slot, function: 0 }, vendorId: VENDOR, deviceId: FIRST_ID + type },
      ...{ revision: 1, classCode, multifunction: false, interruptPin: 1 },
      bars: [
        { index: MSIX_BAR, kind: 'memory32', sizeBytes: 0x1000, device: msix },
        { index: REGISTERS_BAR, kind: 'memory64', prefetchable: true, sizeBytes: RANGE_BYTES, device },
      ],
      capabilities: [msix, ...virtioCapabilities()],
    });
    this.#options = options;
    this.#msix = msix;
    this.#common = new RegisterFile(`${name} common`, PLACES.common.sizeBytes, COMMON_ROWS, {
      read: (register, stored) => this.#commonRead(register, stored),
      write: (write) => this.#commonWrite(write),
    });
    this.#alarm = clock.createAlarm(name, () => this.#serve());
    this.#queues = this.#freshQueues();
  }

  /** Carries out one request of queue `queue`; answers how many bytes were written to the chain. */
  protected abstract carryOut(queue: number, chain: Chain): number;

  /** Reads its configuration structure at a byte offset. */
  protected abstract configuration(): Uint8Array;

  /** A byte of its configuration structure was written. */
  protected configured(_offset: number, _value: number): void {}

  /** Reads and writes memory in the function's name. */
  protected readonly dma = {
    /** Bytes of memory. False: the function may not master the bus. */
    read: (gpa: number, into: Uint8Array): boolean => this.dmaRead(gpa, into),
    /** Bytes to memory. False: the function may not master the bus. */
    write: (gpa: number, bytes: Uint8Array): boolean => this.dmaWrite(gpa, bytes),
  };

  /** Whether the driver accepted a feature bit below 32. */
  protected accepted(bit: number): boolean {
    return ((this.#accepted[0]! >>> bit) & 1) !== 0;
  }

  /** Device and queues as after power-on. */
  override reset(kind: ResetKind): void {
    this.#deviceReset();
    super.reset(kind);
  }

  /** Registers and queues. */
  override save(): VirtioState {
    return {
      ...super.save(),
      common: this.#common.save(),
      status: this.#status,
      accepted: [...this.#accepted],
      isr: this.#isr,
      queues: this.#queues.map((queue) => ({ ...queue, places: [...queue.places] })),
      notified: [...this.#notified],
    };
  }

  /** Puts registers and queues back. */
  override restore(state: VirtioState): void {
    requireVersion1(this.name, state);
    this.#common.restore(state.common);
    this.#status = state.status;
    this.#accepted = [...state.accepted];
    this.#isr = state.isr;
    this.#queues = state.queues.map((queue) => ({ ...queue, places: [...queue.places] }));
    this.#notified = [...state.notified];
    super.restore(state);
  }

  /** The window of the configuration capability reaches the range. */
  override readConfig(offset: number, size: AccessSize, attrs: TxAttrs): number {
    const at = this.#window(offset, size);
    return at === undefined ? super.readConfig(offset, size, attrs) : this.#read(at, size, attrs);
  }

  override writeConfig(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    const at = this.#window(offset, size);
    if (at === undefined) super.writeConfig(offset, size, value, attrs);
    else this.#write(at, size, value, attrs);
  }

  #window(offset: number, size: AccessSize): number | undefined {
    if (offset !== WINDOW_DATA || this.config.get('WINDOW_BAR') !== REGISTERS_BAR) return undefined;
    const at = this.config.get('WINDOW_OFFSET');
    const fits = this.config.get('WINDOW_SIZE') === size && at % size === 0 && at + size <= RANGE_BYTES;
    return fits ? at : undefined;
  }

  #read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    if ((attrs & TX_DMA) !== 0) return 0xffff_ffff; // a device is never the target of its own transactions
    const { isr, device, notify } = PLACES;
    if (offset < isr.offset) return this.#common.read(offset, size, attrs);
    if (offset >= notify.offset) return 0;
    if (offset >= device.offset) return littleEndian(this.configuration(), offset - device.offset, size);
    const value = offset === isr.offset ? this.#isr : 0;
    this.#isr &= ~value;
    this.setIntx(this.#isr !== 0);
    return value;
  }

  #write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if ((attrs & TX_DMA) !== 0) return;
    const { isr, device, notify } = PLACES;
    if (offset < isr.offset) this.#common.write(offset, size, value, attrs);
    else if (offset >= notify.offset) this.#notify((offset - notify.offset) / NOTIFY_MULTIPLIER);
    else if (offset >= device.offset)
      for (let i = 0; i < size; i++) this.configured(offset - device.offset + i, (value >>> (8 * i)) & 0xff);
  }

  #commonRead(register: string, stored: number): number {
    const queue = this.#queues[this.#common.get('QUEUE_SELECT')];
    switch (register) {
      case 'DEVICE_FEATURE': {
        const select = this.#common.get('DEVICE_FEATURE_SELECT');
        return select === 0 ? this.#offered : select === 1 ? VERSION_1_HIGH : 0;
      }
      case 'DRIVER_FEATURE':
        return this.#accepted[this.#common.get('DRIVER_FEATURE_SELECT')] ?? 0;
      case 'NUM_QUEUES':
        return this.#queues.length;
      case 'STATUS':
        return this.#status;
      case 'QUEUE_SIZE':
        return queue?.size ?? 0;
      case 'QUEUE_VECTOR':
        return queue?.vector ?? NO_VECTOR;
      case 'QUEUE_ENABLE':
        return queue?.enabled === true ? 1 : 0;
      case 'QUEUE_NOTIFY_OFF':
        return queue === undefined ? 0 : this.#common.get('QUEUE_SELECT');
      default:
        return register.startsWith('PLACE') ? (queue?.places[Number(register.at(-1))] ?? 0) : stored;
    }
  }

  get #offered(): number {
    return this.#options.features + RING_INDIRECT_DESC;
  }

  #commonWrite({ name, value, previous, raw, rawMask }: RegisterWrite<string>): number {
    const queue = this.#queues[this.#common.get('QUEUE_SELECT')];
    const vector = raw < this.#queues.length + 1 ? raw : NO_VECTOR;
    switch (name) {
      case 'DRIVER_FEATURE':
        this.#accept(raw);
        return previous;
      case 'CONFIG_VECTOR':
        return vector;
      case 'STATUS':
        this.#setStatus(raw);
        return previous;
      case 'QUEUE_SIZE':
        if (queue !== undefined && !queue.enabled && isQueueSize(raw, this.#options.queueSize))
          queue.size = raw;
        return previous;
      case 'QUEUE_VECTOR':
        if (queue !== undefined) queue.vector = vector;
        return previous;
      case 'QUEUE_ENABLE':
        if (queue !== undefined && raw === 1) queue.enabled = true;
        return previous;
      default:
        if (name.startsWith('PLACE') && queue !== undefined && !queue.enabled) {
          const half = Number(name.at(-1));
          queue.places[half] = ((queue.places[half]! & ~rawMask) | raw) >>> 0;
        }
        return value;
    }
  }

  #accept(bits: number): void {
    if ((this.#status & STATUS.FEATURES_OK) !== 0) return;
    const half = this.#common.get('DRIVER_FEATURE_SELECT');
    if (half < 2) this.#accepted[half] = bits;
  }

  #setStatus(status: number): void {
    if (status === 0) {
      this.#deviceReset();
      return;
    }
    const [low, high] = this.#accepted as [number, number];
    // Version 1 is not to be done without, and nothing may be accepted that was not offered.
    const fits = (low & ~this.#offered) === 0 && high === VERSION_1_HIGH;
    const kept = this.#status & STATUS.NEEDS_RESET;
    this.#status = (fits ? status : status & ~STATUS.FEATURES_OK) | kept;
  }

  #deviceReset(): void {
    this.#common.reset();
    this.#status = 0;
    this.#accepted = [0, 0];
    this.#isr = 0;
    this.#queues = this.#freshQueues();
    this.#notified = [];
    this.#alarm.cancel();
    this.setIntx(false);
  }

  #freshQueues(): QueueState[] {
    const { queues, queueSize } = this.#options;
    return Array.from({ length: queues }, () => ({
      ...{
        size: queueSize,
        vector: NO_VECTOR,
        enabled: false,
        places: [0, 0, 0, 0, 0, 0],
        taken: 0,
        used: 0,
      },
    }));
  }

  #notify(queue: number): void {
    const runs = (this.#status & (STATUS.DRIVER_OK | STATUS.NEEDS_RESET)) === STATUS.DRIVER_OK;
    if (!runs || this.#queues[queue]?.enabled !== true || this.#notified.includes(queue)) return;
    this.#notified.push(queue);
    if (this.#notified.length === 1) this.#alarm.set(this.#options.clock.now() + REQUEST_NS);
  }

  /** One request of the queue that was notified first. */
  #serve(): void {
    const [index] = this.#notified;
    const state = index === undefined ? undefined : this.#queues[index];
    if (index === undefined || state === undefined) return;
    const { clock } = this.#options;
    if ((this.config.get('COMMAND') & PCI_COMMAND_MASTER) === 0) {
      this.#notified = [];
      return;
    }
    try {
      const queue = new Virtqueue(this.dma, state, placesOf(state));
      const before = { ...state };
      const chain = queue.take();
      if (chain === undefined) this.#notified.shift();
      else {
        let written: number;
        try {
          written = this.carryOut(index, chain);
        } catch (error) {
          if (!(error instanceof QueueFault)) state.taken = before.taken; // it is tried again
          throw error;
        }
        if (queue.give(chain, written)) this.#interrupt(ISR_QUEUE, state.vector);
        const bytes = Math.max(written, lengthOf(chain.readable));
        this.#alarm.set(clock.now() + REQUEST_NS + Math.ceil(Math.min(bytes, RANGE_LIMIT) * NS_PER_BYTE));
        return;
      }
    } catch (error) {
      if (!(error instanceof QueueFault)) throw error;
      this.#notified = [];
      this.#status |= STATUS.NEEDS_RESET;
      this.#interrupt(ISR_CONFIG, this.#common.get('CONFIG_VECTOR'));
      return;
    }
    if (this.#notified.length > 0) this.#alarm.set(clock.now() + REQUEST_NS);
  }

  #interrupt(bit: number, vector: number): void {
    if (this.#msix.enabled) {
      if (vector !== NO_VECTOR) this.#msix.raise(vector);
      return;
    }
    this.#isr |= bit;
    this.setIntx(true);
  }
}

/** Bytes of a request that count for its time. */
const RANGE_LIMIT = 2 ** 26;

function isQueueSize(size: number, most: number): boolean {
  return size > 0 && size <= most && (size & (size - 1)) === 0;
}

function placesOf({ places }: QueueState): [number, number, number] {
  const at = (i: number): number => physicalAddress(places[i + 1]!, places[i]!);
  return [at(0), at(2), at(4)];
}

function littleEndian(bytes: Uint8Array, at: number, size: AccessSize): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
