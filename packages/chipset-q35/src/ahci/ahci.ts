/**
 * The SATA controller of the ICH9 in AHCI mode, PCI 00:1F.2: six ports, 32 commands each.
 *
 * Interrupt status of the controller follows that of the ports. What the controller itself writes by DMA does not reach
 * its registers: a device is never the target of its own transactions. Not modelled: IDE mode, port multipliers, hot
 * plug, enclosure management, coalescing.
 * Sources: Serial ATA AHCI 1.3.1; Intel 316972, "SATA Controller Registers (D31:F2)"; QEMU 7.2 measured.
 */
import {
  type AccessSize,
  type Clock,
  type MmioDevice,
  RegisterFile,
  type RegisterFileState,
  type RegisterSpec,
  type RegisterWrite,
  TX_DMA,
  type TxAttrs,
} from '@smm/bus';
import { PCI_VENDOR_ID_INTEL } from '@smm/x86-defs';
import type { PartState, ResetKind } from '../part.ts';
import type { PciCapability } from '../pci-capabilities.ts';
import { PciDevice, type PciDeviceState } from '../pci-device.ts';
import { Msi } from '../pci-msi.ts';
import { requireVersion1 } from '../snapshot.ts';
import { AhciPort } from './ahci-port.ts';
import type { AtaDevice } from './ata-device.ts';
import { PORT_BYTES, PORTS_OFFSET, PortRegisters, portRows } from './port-registers.ts';

/** Ports of the controller. */
export const AHCI_PORTS = 6;

const REGISTER_BYTES = 0x1000;
/** Six ports, 32 slots, first generation, AHCI only, queueing, 64-bit addresses. */
const CAP = 0xc014_1f05;
const VERSION = 0x0001_0000;
const GHC_RESET = 1;
const GHC_INTERRUPTS = 2;
const GHC_AHCI = 0x8000_0000;
/** Where the index and data registers are in the I/O range. */
const INDEX_PORT = 0x10;
const DATA_PORT = 0x14;
const CAP_ID_SATA = 0x12;

const ROWS: readonly RegisterSpec[] = [
  { name: 'CAP', offset: 0x00, width: 4, reset: CAP },
  { name: 'GHC', offset: 0x04, width: 4, reset: GHC_AHCI, writable: GHC_RESET | GHC_INTERRUPTS },
  { name: 'IS', offset: 0x08, width: 4 },
  { name: 'PI', offset: 0x0c, width: 4, reset: 2 ** AHCI_PORTS - 1 },
  { name: 'VS', offset: 0x10, width: 4, reset: VERSION },
];

/** What the controller is given. */
export interface AhciOptions {
  /** Virtual time. */
  readonly clock: Clock;
  /** Devices by port; ports without one have nothing plugged in. */
  readonly devices: readonly (AtaDevice | undefined)[];
}

/** Architectural state. */
export interface AhciState extends PciDeviceState {
  /** The registers behind the memory range. */
  registers: RegisterFileState;
  /** The index register behind the I/O range. */
  index: number;
  /** Ports in order. */
  ports: PartState[];
}

/** The controller. */
export class Ahci extends PciDevice {
  readonly #msi: Msi;
  readonly #registers: RegisterFile;
  readonly #ports: readonly AhciPort[];
  /** What the access at hand set in CI and SACT, by port. */
  #set = new Map<number, { ci: number; sact: number }>();
  #index = 0;

  constructor({ clock, devices }: AhciOptions) {
    const msi = new Msi({ offset: 0x80, vectors: 1, address64: true, maskable: false });
    const memory: MmioDevice = {
      name: 'ahci',
      read: (offset, size, attrs) => this.#read(offset, size, attrs),
      write: (offset, size, value, attrs) => this.#write(offset, size, value, attrs),
    };
    const ports: MmioDevice = {
      name: 'ahci-index',
      read: (offset, size, attrs) => this.#indexRead(offset, size, attrs),
      write: (offset, size, value, attrs) => this.#indexWrite(offset, size, value, attrs),
    };
    super({
      ...{
        name: 'ahci',
        place: { device: 0x1f, function: 2 },
        vendorId: PCI_VENDOR_ID_INTEL,
        deviceId: 0x2922,
      },
      ...{ revision: 2, classCode: 0x01_0601, multifunction: true, interruptPin: 1 },
      bars: [
        { index: 4, kind: 'io', sizeBytes: 0x20, device: ports },
        { index: 5, kind: 'memory32', sizeBytes: REGISTER_BYTES, device: memory },
      ],
      capabilities: [msi, sataCapability(0xa8)],
      registers: [{ name: 'MAP', offset: 0x90, width: 1, reset: 0x40, writable: 0xff }],
    });
    this.#msi = msi;
    const rows = Array.from({ length: AHCI_PORTS }, (_, i) => portRows(i, devices[i] !== undefined)).flat();
    this.#registers = new RegisterFile('ahci', REGISTER_BYTES, [...ROWS, ...rows], {
      read: (name, stored) => (name === 'IS' ? this.#status() : stored),
      write: (write) => this.#noteSet(write),
    });
    const host = {
      clock,
      dma: {
        read: (gpa: number, into: Uint8Array) => this.dmaRead(gpa, into),
        write: (gpa: number, bytes: Uint8Array) => this.dmaWrite(gpa, bytes),
      },
      changed: (event: boolean) => this.#interrupt(event),
    };
    this.#ports = Array.from(
      { length: AHCI_PORTS },
      (_, i) => new AhciPort(i, host, new PortRegisters(this.#registers, i), devices[i]),
    );
  }

  override reset(kind: ResetKind): void {
    this.#registers.reset();
    this.#index = 0;
    for (const port of this.#ports) port.reset(kind === 'power-on');
    super.reset(kind);
  }

  override save(): AhciState {
    return {
      ...super.save(),
      registers: this.#registers.save(),
      index: this.#index,
      ports: this.#ports.map((port) => port.save()),
    };
  }

  override restore(state: AhciState): void {
    requireVersion1(this.name, state);
    this.#ports.forEach((port, i) => {
      port.restore(state.ports[i] as ReturnType<AhciPort['save']>);
    });
    this.#registers.restore(state.registers);
    this.#index = state.index;
    super.restore(state);
  }

  #read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    return (attrs & TX_DMA) !== 0 ? 0xffff_ffff : this.#registers.read(offset, size, attrs);
  }

  #write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if ((attrs & TX_DMA) !== 0) return;
    this.#set = new Map();
    this.#registers.write(offset, size, value, attrs);
    const first = Math.floor((offset - PORTS_OFFSET) / PORT_BYTES);
    const last = Math.floor((offset + size - 1 - PORTS_OFFSET) / PORT_BYTES);
    for (const i of new Set([first, last])) this.#ports[i]?.written(this.#set.get(i) ?? { ci: 0, sact: 0 });
    if ((this.#registers.get('GHC') & GHC_RESET) !== 0) {
      this.#registers.set('GHC', GHC_AHCI);
      for (const port of this.#ports) port.controllerReset();
    }
    this.#interrupt(false);
  }

  /** CI and SACT are set by writing 1; the port takes the bits after the access. */
  #noteSet({ name, value, raw }: RegisterWrite<string>): number {
    const [, port, register] = /^P(\d)(CI|SACT)$/.exec(name) ?? [];
    if (port !== undefined) {
      const set = this.#set.get(Number(port)) ?? { ci: 0, sact: 0 };
      if (register === 'CI') set.ci = raw;
      else set.sact = raw;
      this.#set.set(Number(port), set);
    }
    return value;
  }

  #indexRead(offset: number, size: AccessSize, attrs: TxAttrs): number {
    if (offset === INDEX_PORT) return this.#index;
    return offset === DATA_PORT ? this.#read(this.#index, size, attrs) : 0;
  }

  #indexWrite(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if (offset === INDEX_PORT) this.#index = value & (REGISTER_BYTES - 4);
    else if (offset === DATA_PORT) this.#write(this.#index, size, value, attrs);
  }

  /** Ports that ask for an interrupt. */
  #status(): number {
    let status = 0;
    for (let i = 0; i < AHCI_PORTS; i++)
      if ((this.#registers.get(`P${i}IS`) & this.#registers.get(`P${i}IE`)) !== 0) status |= 1 << i;
    return status;
  }

  /** Drives the pin, or sends a message when there is news. */
  #interrupt(event: boolean): void {
    const asks = this.#status() !== 0 && (this.#registers.get('GHC') & GHC_INTERRUPTS) !== 0;
    this.setIntx(asks);
    if (asks && event) this.#msi.raise(0);
  }
}

/** Where the index and data registers are. Source: Serial ATA AHCI 1.3.1, "Serial ATA Capability". */
function sataCapability(offset: number): PciCapability {
  return {
    id: CAP_ID_SATA,
    offset,
    rows: [
      { name: 'SATA_REVISION', offset: offset + 2, width: 2, reset: 0x10 },
      { name: 'SATA_PLACE', offset: offset + 4, width: 4, reset: 0x48 },
    ],
  };
}
