/**
 * Access to PCI configuration space: mechanism #1 at CF8h/CFCh, ECAM, and the reset control register that hides at
 * CF9h. Sources: PCI Local Bus Specification, "Configuration Mechanism #1"; PCI Express Base Specification, "Enhanced
 * Configuration Access Mechanism"; Intel 316972, "RST_CNT".
 */
import type {
  AccessSize,
  InterruptLine,
  IoPortSpace,
  MmioDevice,
  PioDevice,
  Snapshottable,
  TxAttrs,
} from '@smm/bus';
import { PciBus } from './pci-bus.ts';
import { type PciFunction, ROOT_BUS } from './pci-function.ts';
import { requireVersion1 } from './snapshot.ts';

/** First port of the configuration mechanism. */
export const PCI_CONFIG_ADDRESS_PORT = 0xcf8;
/** First of the four data ports. */
export const PCI_CONFIG_DATA_PORT = 0xcfc;
/** Reset control register, byte accesses only. */
export const ICH9_RST_CNT_PORT = 0xcf9;
/** RST_CNT: a write with this bit set resets. */
export const ICH9_RST_CNT_RST_CPU = 0x04;
/** RST_CNT: reset the system (set) or only the processors (clear). */
export const ICH9_RST_CNT_SYS_RST = 0x02;

const ENABLE = 0x8000_0000;

/** Architectural state of a {@link PciHost}. */
export interface PciHostState {
  /** Layout version of this object. */
  version: 1;
  /** CONFIG_ADDRESS, 32 bit. */
  configAddress: number;
  /** RST_CNT, 8 bit. */
  resetControl: number;
}

/**
 * Routes configuration accesses to functions. An absent function reads all-ones and ignores writes. CONFIG_ADDRESS
 * takes dword accesses alone; narrower ones at CF8h to CFBh reach no register (except RST_CNT) and read all-ones.
 */
export class PciHost implements PioDevice, MmioDevice, Snapshottable<PciHostState> {
  /** Name in traces. */
  readonly name = 'pci-host';
  // wiring
  readonly #bus = new PciBus('00');
  readonly #reset: (kind: 'system' | 'cpu') => void;
  readonly #intx: (device: number, pin: number) => InterruptLine;
  // architectural state
  #configAddress = 0;
  #resetControl = 0;

  constructor(ports: {
    /** Called when RST_CNT asks for a reset. */
    readonly reset: (kind: 'system' | 'cpu') => void;
    /** A new input to interrupt pin 1 to 4 of a device number. Left out: pins lead nowhere. */
    readonly intx?: (device: number, pin: number) => InterruptLine;
  }) {
    this.#reset = ports.reset;
    this.#intx = ports.intx ?? (() => ({ set: () => {} }));
  }

  /** Puts a function on bus 0. Throws `SmmError` `PCI_SLOT` when its place is taken or is none. */
  attach(pciFunction: PciFunction): void {
    this.#bus.attach(pciFunction);
    const { device } = pciFunction.place;
    pciFunction.connect({ ...ROOT_BUS, intx: (pin) => this.#intx(device, pin) });
  }

  /** Registers the ports. ECAM is where the MCH says. */
  map(io: IoPortSpace): void {
    io.add({ name: this.name, first: PCI_CONFIG_ADDRESS_PORT, count: 8, device: this });
  }

  /** IN from CF8h to CFFh. */
  in(port: number, size: AccessSize, attrs: TxAttrs): number {
    if (port === PCI_CONFIG_ADDRESS_PORT && size === 4) return this.#configAddress;
    if (port === ICH9_RST_CNT_PORT && size === 1) return this.#resetControl;
    if (port < PCI_CONFIG_DATA_PORT || (this.#configAddress & ENABLE) === 0) return 0xffff_ffff;
    return this.#read((this.#configAddress >>> 8) & 0xffff, this.#offset(port), size, attrs);
  }

  /** OUT to CF8h to CFFh. */
  out(port: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if (port === PCI_CONFIG_ADDRESS_PORT && size === 4) {
      this.#configAddress = value;
    } else if (port === ICH9_RST_CNT_PORT && size === 1) {
      this.#resetControl = value & ICH9_RST_CNT_SYS_RST;
      if ((value & ICH9_RST_CNT_RST_CPU) !== 0) {
        this.#reset((value & ICH9_RST_CNT_SYS_RST) !== 0 ? 'system' : 'cpu');
      }
    } else if (port >= PCI_CONFIG_DATA_PORT && (this.#configAddress & ENABLE) !== 0) {
      this.#write((this.#configAddress >>> 8) & 0xffff, this.#offset(port), size, value, attrs);
    }
  }

  /** ECAM read: `offset` is bus << 20 | device << 15 | function << 12 | register. */
  read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    return this.#read(offset >>> 12, offset & 0xfff, size, attrs);
  }

  /** ECAM write. */
  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    this.#write(offset >>> 12, offset & 0xfff, size, value, attrs);
  }

  /** State after RESET. */
  reset(): void {
    this.#configAddress = 0;
    this.#resetControl = 0;
  }

  /** Copies the state out. */
  save(): PciHostState {
    return { version: 1, configAddress: this.#configAddress, resetControl: this.#resetControl };
  }

  /** Puts a saved state back. Throws `SmmError` `SNAPSHOT_VERSION` for another version. */
  restore(state: PciHostState): void {
    requireVersion1(this.name, state);
    this.#configAddress = state.configAddress;
    this.#resetControl = state.resetControl;
  }

  #offset(port: number): number {
    return (this.#configAddress & 0xff) | (port & 3);
  }

  #read(busDeviceFunction: number, offset: number, size: AccessSize, attrs: TxAttrs): number {
    return (
      this.#bus
        .route(0, busDeviceFunction >>> 8, busDeviceFunction & 0xff)
        ?.readConfig(offset, size, attrs) ?? 0xffff_ffff
    );
  }

  #write(busDeviceFunction: number, offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    this.#bus
      .route(0, busDeviceFunction >>> 8, busDeviceFunction & 0xff)
      ?.writeConfig(offset, size, value, attrs);
  }
}
