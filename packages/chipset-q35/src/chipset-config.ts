/**
 * The ICH9's chipset configuration registers, 16 KiB of memory where RCBA says: which PIRQ an interrupt pin of devices
 * 25 to 31 leads to, and whether the watchdog may reset. The other registers are storage without effect, as in QEMU
 * 7.2 (measured). Source: Intel 316972, "Chipset Configuration Registers".
 */
import type {
  AccessSize,
  IoPortSpace,
  MmioDevice,
  PhysicalAddressSpace,
  RegionHandle,
  TxAttrs,
} from '@smm/bus';
import { PRIORITY } from './memory-map.ts';
import type { Part } from './part.ts';
import { requireVersion1 } from './snapshot.ts';

/** Bytes of the block. */
export const ICH9_CC_SIZE = 0x4000;
/** Interrupt routes of devices 31, 29, 28, 27, 26, 25, 16 bit each: a PIRQ number for each pin, pin 1 lowest. */
const ROUTES = new Map([
  [31, 0x3140],
  [29, 0x3144],
  [28, 0x3146],
  [27, 0x3148],
  [26, 0x314c],
  [25, 0x3150],
]);
const ROUTE_RESET = 0x3210;
const ROUTE_BITS = 4;
const ROUTE_MASK = 7;
/** General control and status, 32 bit. */
const GCS = 0x3410;
const GCS_NO_REBOOT = 0x20;

/** Architectural state of a {@link ChipsetConfig}. */
export interface ChipsetConfigState {
  /** Layout version of this object. */
  version: 1;
  /** The block. */
  bytes: Uint8Array;
}

/** The block. */
export class ChipsetConfig implements Part, MmioDevice {
  readonly name = 'chipset-config';
  // wiring
  readonly #routesChanged: () => void;
  #region: RegionHandle | undefined;
  // architectural state
  readonly #bytes = new Uint8Array(ICH9_CC_SIZE);
  readonly #view = new DataView(this.#bytes.buffer);

  constructor(ports: {
    /** {@link ChipsetConfig.pirqOf} may answer otherwise now. */
    readonly routesChanged: () => void;
  }) {
    this.#routesChanged = ports.routesChanged;
  }

  map(_io: IoPortSpace, memory: PhysicalAddressSpace): void {
    const place = { start: 0, sizeBytes: ICH9_CC_SIZE, priority: PRIORITY.device, enabled: false };
    this.#region = memory.add({ kind: 'mmio', name: this.name, ...place, device: this });
  }

  /** RCBA changed: `start` is guest-physical. */
  place(enabled: boolean, start: number): void {
    this.#region?.set(enabled ? { enabled, start } : { enabled });
  }

  /** The second time-out of the watchdog does not reset. */
  noReboot(): boolean {
    return (this.#view.getUint32(GCS, true) & GCS_NO_REBOOT) !== 0;
  }

  /**
   * PIRQ, 0 (A) to 7 (H), of interrupt pin 1 to 4 of a device number. Those without a register are wired as in QEMU.
   */
  pirqOf(device: number, pin: number): number {
    const register = ROUTES.get(device);
    if (register !== undefined) {
      return (this.#view.getUint16(register, true) >>> ((pin - 1) * ROUTE_BITS)) & ROUTE_MASK;
    }
    const first = device === 30 ? 0 : device; // 30 is the bridge to conventional PCI
    return 4 + ((first + pin - 1) % 4);
  }

  read(offset: number, size: AccessSize, _attrs: TxAttrs): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.#bytes[offset + i] ?? 0);
    return value;
  }

  write(offset: number, size: AccessSize, value: number, _attrs: TxAttrs): void {
    for (let i = 0; i < size; i++) this.#bytes[offset + i] = value >>> (8 * i);
    this.#routesChanged();
  }

  reset(): void {
    this.#bytes.fill(0);
    for (const register of ROUTES.values()) this.#view.setUint16(register, ROUTE_RESET, true);
    this.#view.setUint32(GCS, GCS_NO_REBOOT, true);
    this.#routesChanged();
  }

  save(): ChipsetConfigState {
    return { version: 1, bytes: this.#bytes.slice() };
  }

  restore(state: ChipsetConfigState): void {
    requireVersion1(this.name, state);
    this.#bytes.set(state.bytes);
    this.#routesChanged();
  }
}
