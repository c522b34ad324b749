/**
 * An 82093AA I/O APIC of 24 pins, version 20h with an EOI register: redirection entries, edge and level trigger.
 *
 * Delivery takes no time, so the delivery status bit reads 0. Source: Intel 82093AA data sheet, "I/O APIC Registers";
 * Intel 316972, "APIC Registers".
 */
import type {
  AccessSize,
  InterruptLine,
  IoPortSpace,
  MmioDevice,
  PhysicalAddressSpace,
  Snapshottable,
  TxAttrs,
} from '@smm/bus';
import type { AcpiDescription } from './acpi/description.ts';
import { ioapicEntries } from './acpi/madt-entries.ts';
import { PRIORITY } from './memory-map.ts';
import { requireVersion1 } from './snapshot.ts';

/** Where QEMU's q35 and the ICH9 have it, guest-physical. */
export const IOAPIC_BASE = 0xfec0_0000;
/** Bytes that it decodes. */
export const IOAPIC_SIZE = 0x1000;
/** Number of pins. */
export const IOAPIC_PINS = 24;

const SELECT = 0x00;
const WINDOW = 0x10;
const EOI = 0x40;
const REG_ID = 0x00;
const REG_VERSION = 0x01;
const REG_ARBITRATION = 0x02;
const REG_REDIRECTION = 0x10;
const VERSION = ((IOAPIC_PINS - 1) << 16) | 0x20;
const MASKED = 0x1_0000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const READ_ONLY = 0x5000;
const LOGICAL = 0x0800;
const DELIVERY_MODE = 0x0700;
const EXT_INT = 0x0700;

/** A message to the local APICs; `ApicBus.deliver` of `@smm/xapic` takes it as it is. */
export interface IoApicMessage {
  /** Delivery mode, bits 10:8 of the redirection entry in place. */
  readonly deliveryMode: number;
  /** Vector, 8 bit. */
  readonly vector: number;
  /** Trigger mode. */
  readonly trigger: 'edge' | 'level';
  /** Always true: asserted. */
  readonly level: boolean;
  /** Destination, 8 bit. */
  readonly destination: number;
  /** How the destination is to be read. */
  readonly destinationMode: 'physical' | 'logical';
}

/** What an {@link IoApic} is given. */
export interface IoApicPorts {
  /** Sends a message. */
  readonly deliver: (message: IoApicMessage) => void;
  /** Interrupt acknowledge of the 8259 pair, for entries in ExtINT mode. */
  readonly acknowledgeExternal: () => number;
}

/** Architectural state of an {@link IoApic}. */
export interface IoApicState {
  /** Layout version of this object. */
  version: 1;
  /** APIC id, 4 bit. */
  id: number;
  /** Selected register, 8 bit. */
  select: number;
  /** Levels of the pins, one bit each. */
  lines: number;
  /** Bits 31:0 of the redirection entries. */
  low: number[];
  /** Bits 63:32 of the redirection entries. */
  high: number[];
}

/** The device. Registers take dwords alone; other accesses of the window read 0 and write nothing. */
export class IoApic implements MmioDevice, Snapshottable<IoApicState> {
  /** Name in traces. */
  readonly name = 'ioapic';
  // wiring
  readonly #ports: IoApicPorts;
  // architectural state
  #state = initialState();

  constructor(ports: IoApicPorts) {
    this.#ports = ports;
  }

  /** Input pin 0 to 23. Of ISA lines, 0 (the PIT) is wired to pin 2 and the others to the pin of their number. */
  pin(number: number): InterruptLine {
    const bit = 1 << number;
    return {
      set: (level) => {
        const rises = level && (this.#state.lines & bit) === 0;
        this.#state.lines = level ? this.#state.lines | bit : this.#state.lines & ~bit;
        const entry = this.#state.low[number]!;
        // An edge at a masked pin is lost.
        if ((entry & LEVEL) !== 0 ? level : rises) this.#service(number);
      },
    };
  }

  /**
   * A local APIC ended a level-triggered interrupt: entries of that vector are free again, and ask again while their
   * line is up.
   */
  endOfInterrupt(vector: number): void {
    this.#state.low.forEach((entry, pin) => {
      if ((entry & 0xff) !== vector || (entry & REMOTE_IRR) === 0) return;
      this.#state.low[pin] = entry & ~REMOTE_IRR;
      this.#serviceLevel(pin);
    });
  }

  /** Registers the block. */
  map(_io: IoPortSpace, memory: PhysicalAddressSpace): void {
    const place = { start: IOAPIC_BASE, sizeBytes: IOAPIC_SIZE, priority: PRIORITY.device };
    memory.add({ kind: 'mmio', name: this.name, ...place, device: this });
  }

  /** Its entries in the MADT. */
  acpi(): AcpiDescription {
    return { madt: ioapicEntries(IOAPIC_BASE) };
  }

  /** Reads the select register or the window. */
  read(offset: number, size: AccessSize, _attrs: TxAttrs): number {
    switch (offset & 0xff) {
      case SELECT:
        return this.#state.select;
      case WINDOW:
        return size === 4 ? this.#readRegister(this.#state.select) : 0;
      default:
        return 0;
    }
  }

  /** Writes the select register, the window or EOI. */
  write(offset: number, size: AccessSize, value: number, _attrs: TxAttrs): void {
    switch (offset & 0xff) {
      case SELECT:
        this.#state.select = value & 0xff;
        return;
      case WINDOW:
        if (size === 4) this.#writeRegister(this.#state.select, value);
        return;
      case EOI:
        if (size === 4) this.endOfInterrupt(value & 0xff);
    }
  }

  /** State after RESET: every pin masked. The levels of the pins are their drivers'. */
  reset(): void {
    const { lines } = this.#state;
    this.#state = { ...initialState(), lines };
  }

  /** Copies the state out. */
  save(): IoApicState {
    return structuredClone(this.#state);
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: IoApicState): void {
    requireVersion1(this.name, state);
    this.#state = structuredClone(state);
  }

  #readRegister(index: number): number {
    const { id, low, high } = this.#state;
    if (index === REG_ID || index === REG_ARBITRATION) return id * 0x100_0000;
    if (index === REG_VERSION) return VERSION;
    const pin = (index - REG_REDIRECTION) >> 1;
    return ((index & 1 ? high : low)[pin] ?? 0) >>> 0;
  }

  #writeRegister(index: number, value: number): void {
    if (index === REG_ID) {
      this.#state.id = (value >>> 24) & 0xf;
      return;
    }
    const pin = (index - REG_REDIRECTION) >> 1;
    if (index < REG_REDIRECTION || pin >= IOAPIC_PINS) return;
    if ((index & 1) !== 0) {
      this.#state.high[pin] = value;
      return;
    }
    const kept = this.#state.low[pin]! & READ_ONLY;
    const entry = ((value & ~READ_ONLY) | kept) >>> 0;
    this.#state.low[pin] = (entry & LEVEL) === 0 ? entry & ~REMOTE_IRR : entry;
    this.#serviceLevel(pin);
  }

  #serviceLevel(pin: number): void {
    const waiting = ((this.#state.lines >>> pin) & 1) !== 0;
    if (waiting && (this.#state.low[pin]! & LEVEL) !== 0) this.#service(pin);
  }

  #service(pin: number): void {
    const entry = this.#state.low[pin]!;
    const high = this.#state.high[pin]!;
    if ((entry & MASKED) !== 0 || (entry & REMOTE_IRR) !== 0) return;
    const level = (entry & LEVEL) !== 0;
    if (level) this.#state.low[pin] = entry | REMOTE_IRR;
    const deliveryMode = entry & DELIVERY_MODE;
    this.#ports.deliver({
      deliveryMode,
      vector: deliveryMode === EXT_INT ? this.#ports.acknowledgeExternal() : entry & 0xff,
      trigger: level ? 'level' : 'edge',
      level: true,
      destination: high >>> 24,
      destinationMode: (entry & LOGICAL) !== 0 ? 'logical' : 'physical',
    });
  }
}

function initialState(): IoApicState {
  return {
    version: 1,
    id: 0,
    select: 0,
    lines: 0,
    low: new Array<number>(IOAPIC_PINS).fill(MASKED),
    high: new Array<number>(IOAPIC_PINS).fill(0),
  };
}
