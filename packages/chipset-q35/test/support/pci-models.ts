/**
 * Functions with the ranges and interrupts of QEMU's test devices, and local APICs that note what reaches them. Test
 * code only.
 */
import type { AccessSize, MmioDevice } from '@smm/bus';
import { TX_DMA } from '@smm/bus';
import {
  expressCapability,
  type IoApicMessage,
  Msi,
  Msix,
  PciDevice,
  type PciPlace,
} from '../../src/index.ts';

/** QEMU's `edu` as docs/specs/edu describes it, without its DMA timer: a transfer ends at once. */
export class Edu extends PciDevice {
  readonly msi: Msi;
  status = 0;
  #live = 0;
  readonly #dma = new Uint32Array(8);
  readonly #buffer = new Uint8Array(4096);

  constructor(place: PciPlace) {
    const msi = new Msi({ offset: 0x40, vectors: 1, address64: true, maskable: false });
    const registers: MmioDevice = {
      name: 'edu',
      read: (offset, size) => this.#read(offset, size),
      write: (offset, size, value) => this.#write(offset, size, value),
    };
    super({
      ...{ name: 'edu', place, vendorId: 0x1234, deviceId: 0x11e8, revision: 0x10, classCode: 0x00_ff00 },
      multifunction: false,
      bars: [{ index: 0, kind: 'memory32', sizeBytes: 0x10_0000, device: registers }],
      interruptPin: 1,
      capabilities: [msi],
    });
    this.msi = msi;
  }

  #read(offset: number, size: AccessSize): number {
    if (offset < 0x80 && size !== 4) return 0xffff_ffff;
    switch (offset) {
      case 0x00:
        return 0x0100_00ed;
      case 0x04:
        return this.#live;
      case 0x24:
        return this.status;
      default:
        return 0xffff_ffff;
    }
  }

  #write(offset: number, size: AccessSize, value: number): void {
    if (offset < 0x80 && size !== 4) return;
    if (offset === 0x04) this.#live = ~value >>> 0;
    else if (offset === 0x60) this.#raise(value);
    else if (offset === 0x64) {
      this.status = (this.status & ~value) >>> 0;
      if (this.status === 0) this.setIntx(false);
    } else if (offset >= 0x80 && offset < 0xa0) {
      this.#dma[(offset - 0x80) / 4] = value;
      if (offset === 0x98 && (value & 1) !== 0) this.#transfer(value);
    }
  }

  #raise(bits: number): void {
    this.status = (this.status | bits) >>> 0;
    if (this.status === 0) return;
    if (this.msi.enabled) this.msi.raise(0);
    else this.setIntx(true);
  }

  /** Bit 1: from the buffer at 40000h to memory, else the other way; bit 2: interrupt 100h at the end. */
  #transfer(command: number): void {
    const [source, , destination, , count] = this.#dma as unknown as number[];
    if ((command & 2) !== 0)
      this.dmaWrite(destination!, this.#buffer.subarray(source! - 0x4_0000).subarray(0, count!));
    else this.dmaRead(source!, this.#buffer.subarray(destination! - 0x4_0000).subarray(0, count!));
    if ((command & 4) !== 0) this.#raise(0x100);
  }
}

/** The ranges of QEMU's `pci-testdev` with `membar=64K`: byte 0 of each range is storage here. */
export class TestDev extends PciDevice {
  constructor(place: PciPlace) {
    const storage = (name: string): MmioDevice => ({ name, read: () => 0, write: () => {} });
    super({
      ...{
        name: 'pci-testdev',
        place,
        vendorId: 0x1b36,
        deviceId: 0x0005,
        revision: 0,
        classCode: 0x00_ff00,
      },
      multifunction: false,
      bars: [
        { index: 0, kind: 'memory32', sizeBytes: 0x1000, device: storage('testdev-memory') },
        { index: 1, kind: 'io', sizeBytes: 0x100, device: storage('testdev-ports') },
        {
          index: 2,
          kind: 'memory64',
          prefetchable: true,
          sizeBytes: 0x1_0000,
          device: storage('testdev-wide'),
        },
      ],
    });
  }
}

/**
 * The ranges and the MSI-X of QEMU's `e1000e`; a write to ICS (C8h) raises the vector that IVAR (E4h) has for other
 * causes.
 */
export class E1000eShape extends PciDevice {
  readonly msix: Msix;
  #ivar = 0;

  constructor(place: PciPlace) {
    const msix = new Msix({ offset: 0xa0, vectors: 5, bar: 3, tableOffset: 0, pbaOffset: 0x2000 });
    const registers: MmioDevice = {
      name: 'e1000e',
      read: () => 0,
      write: (offset, _size, value) => {
        if (offset === 0xe4) this.#ivar = value;
        else if (offset === 0xc8 && (this.#ivar & 0x8_0000) !== 0) msix.raise((this.#ivar >>> 16) & 7);
      },
    };
    const none: MmioDevice = { name: 'e1000e-none', read: () => 0, write: () => {} };
    super({
      ...{ name: 'e1000e', place, vendorId: 0x8086, deviceId: 0x10d3, revision: 0, classCode: 0x02_0000 },
      multifunction: false,
      subsystem: { vendorId: 0x8086, id: 0 },
      bars: [
        { index: 0, kind: 'memory32', sizeBytes: 0x2_0000, device: registers },
        { index: 1, kind: 'memory32', sizeBytes: 0x2_0000, device: none },
        { index: 2, kind: 'io', sizeBytes: 0x20, device: none },
        { index: 3, kind: 'memory32', sizeBytes: 0x4000, device: msix },
      ],
      interruptPin: 1,
      capabilities: [msix],
    });
    this.msix = msix;
  }
}

/** The range of QEMU's `nvme` and its PCI Express capability, by which it is reset alone. */
export class NvmeShape extends PciDevice {
  constructor(place: PciPlace) {
    const device: MmioDevice = { name: 'nvme', read: () => 0, write: () => {} };
    super({
      ...{ name: 'nvme', place, vendorId: 0x1b36, deviceId: 0x0010, revision: 2, classCode: 0x01_0802 },
      multifunction: false,
      bars: [{ index: 0, kind: 'memory64', sizeBytes: 0x4000, device }],
      interruptPin: 1,
      capabilities: [expressCapability(0x80)],
    });
  }
}

/**
 * A page at FEE00000h that notes vectors for destination 0 in IRR, as an enabled local APIC of a halted processor does.
 */
export class FakeApic implements MmioDevice {
  readonly name = 'fake-apic';
  readonly irr = new Uint32Array(8);
  /** Every dword written by a device: address and datum, with the requester id. */
  readonly messages: { address: number; data: number; requester: number }[] = [];

  deliver(message: Pick<IoApicMessage, 'destination' | 'vector'>): void {
    if (message.destination === 0) this.irr[message.vector >>> 5]! |= 1 << (message.vector & 31);
  }

  read(offset: number): number {
    return offset >= 0x200 && offset < 0x280 ? this.irr[(offset - 0x200) >>> 4]! : 0;
  }

  write(offset: number, size: AccessSize, value: number, attrs: number): void {
    if ((attrs & TX_DMA) === 0 || size !== 4) return;
    this.messages.push({ address: 0xfee0_0000 + offset, data: value, requester: attrs & 0xffff });
    // No logical id
    if ((offset & 4) === 0) this.deliver({ destination: (offset >>> 12) & 0xff, vector: value & 0xff });
  }
}
