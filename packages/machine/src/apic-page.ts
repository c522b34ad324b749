/** The local APICs on the bus: all answer at one guest-physical address, each to its own processor. */
import type { AccessSize, MmioDevice, TxAttrs } from '@smm/bus';
import { txInitiator } from '@smm/bus';
import type { ApicBus, LocalApic } from '@smm/xapic';

/** Guest-physical address of the local APIC page. */
export const APIC_PAGE = 0xfee0_0000;
/** Size of the region that APICs and MSIs share. */
export const APIC_REGION_SIZE = 0x10_0000;

/** Routes accesses to FEE00000h..FEEFFFFFh: the first page to the initiator's APIC, writes beyond it as MSIs. */
export class ApicPage implements MmioDevice {
  readonly name = 'lapic';
  readonly #apics: readonly LocalApic[];
  readonly #bus: ApicBus;

  constructor(apics: readonly LocalApic[], bus: ApicBus) {
    this.#apics = apics;
    this.#bus = bus;
  }

  read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    if (offset > 0xfff) return 0;
    return this.#apics[txInitiator(attrs)]!.read(offset, size, attrs);
  }

  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if (offset > 0xfff) this.#bus.deliverMsi(APIC_PAGE + offset, value);
    else this.#apics[txInitiator(attrs)]!.write(offset, size, value, attrs);
  }
}
