/** The functions on one PCI bus by place, and the way of a configuration access to them. */
import { SmmError } from '@smm/x86-defs';
import type { PciFunction } from './pci-function.ts';

/** One bus. */
export class PciBus {
  readonly #name: string;
  readonly #functions = new Map<number, PciFunction>();

  /** `name` is for errors: a bus number, or the name of the bridge above. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Takes a function in. Throws `SmmError` `PCI_SLOT` when its place is taken or is none. */
  attach(pciFunction: PciFunction): void {
    const { device, function: fn } = pciFunction.place;
    const key = (device << 3) | fn;
    if (device !== ((key >>> 3) & 0x1f) || fn !== (key & 7)) {
      throw new SmmError(
        'PCI_SLOT',
        `${pciFunction.name} asks for PCI device ${device}, function ${fn}, which a bus does not have`,
        'Give device numbers 0 to 31 and function numbers 0 to 7.',
        { device, function: fn },
      );
    }
    const other = this.#functions.get(key);
    if (other !== undefined) {
      throw new SmmError(
        'PCI_SLOT',
        `PCI ${this.#name}:${device.toString(16)}.${fn} is taken by ${other.name}`,
        'Give each function its own device and function number.',
        { device, function: fn, other: other.name },
      );
    }
    this.#functions.set(key, pciFunction);
  }

  /**
   * The function at a bus number and `device << 3 | function`, when this bus has number `own`: one of its own (a type 0
   * access), or one behind a bridge that passes the number on (type 1).
   */
  route(own: number, busNumber: number, deviceFunction: number): PciFunction | undefined {
    if (busNumber === own) return this.#functions.get(deviceFunction);
    for (const pciFunction of this.#functions.values()) {
      const found = pciFunction.route(busNumber, deviceFunction);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}
