/** The local APICs on the bus: all answer at one guest-physical address, each to its own processor. */
import type { AccessSize, MmioDevice, TxAttrs } from '@smm/bus';
import { TX_DMA, txInitiator } from '@smm/bus';
import type { ApicBus, LocalApic } from '@smm/xapic';

/** Guest-physical address of the local APIC page. */
export const APIC_PAGE = 0xfee0_0000;
/** Size of the region that APICs and MSIs share. */
export const APIC_REGION_SIZE = 0x10_0000;

/**
 * Routes accesses to FEE00000h..FEEFFFFFh. A processor's go to its own APIC in the first page, its writes beyond that
 * are MSIs. A device reaches no APIC: each dword that it writes is an interrupt message, to whatever destination;
 * narrower writes are none, reads give all-ones. IA32_APIC_BASE does not move the page, as in QEMU (7.2 measured); an
 * in-kernel APIC that moves is the kvm accelerator's. So it never lies over SMRAM, as hardware before SMRR let it (the
 * "memory sinkhole" of 2015).
 */
export class ApicPage implements MmioDevice {
  readonly name = 'lapic';
  readonly #apics: readonly LocalApic[];
  readonly #bus: ApicBus;

  constructor(apics: readonly LocalApic[], bus: ApicBus) {
    this.#apics = apics;
    this.#bus = bus;
  }

  read(offset: number, size: AccessSize, attrs: TxAttrs): number {
    if ((attrs & TX_DMA) !== 0) return 0xffff_ffff;
    if (offset > 0xfff) return 0;
    return this.#apics[txInitiator(attrs)]!.read(offset, size, attrs);
  }

  write(offset: number, size: AccessSize, value: number, attrs: TxAttrs): void {
    if ((attrs & TX_DMA) !== 0) {
      if (size === 4) this.#bus.deliverMsi(APIC_PAGE + offset, value);
    } else if (offset > 0xfff) this.#bus.deliverMsi(APIC_PAGE + offset, value);
    else this.#apics[txInitiator(attrs)]!.write(offset, size, value, attrs);
  }
}
