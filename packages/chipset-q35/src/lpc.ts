/**
 * The ICH9 LPC bridge, PCI 00:1F.0: where PM I/O block and chipset configuration registers are, which ISA lines the
 * PIRQs lead to, and the SMI lock.
 *
 * Not modelled: decode ranges of the LPC bus.
 * Sources: Intel 316972, "LPC Interface Bridge Registers (D31:F0)"; QEMU 7.2 measured.
 */
import type { RegisterSpec, RegisterWrite } from '@smm/bus';
import {
  ICH9_ACPI_CNTL,
  ICH9_ACPI_CNTL_ACPI_EN,
  ICH9_GEN_PMCON_1,
  ICH9_GEN_PMCON_1_SMI_LOCK,
  ICH9_PIRQA_ROUT,
  ICH9_PIRQE_ROUT,
  ICH9_PMBASE,
  ICH9_PMBASE_MASK,
  ICH9_RCBA,
  ICH9_RCBA_EN,
  INTEL_ICH9_LPC_DEVICE_ID,
  PCI_VENDOR_ID_INTEL,
} from '@smm/x86-defs';
import { ICH9_CC_SIZE } from './chipset-config.ts';
import { PciFunction, pciHeader, withScratch } from './pci-function.ts';

/** What the LPC bridge is given. */
export interface LpcPorts {
  /** The PM I/O block moved or was switched. `base` is a port number. */
  readonly pmBlockChanged: (enabled: boolean, base: number) => void;
  /** The chipset configuration registers moved or were switched. `start` is guest-physical. */
  readonly chipsetConfigChanged: (enabled: boolean, start: number) => void;
  /** PIRQ[n]_ROUT of PIRQA to PIRQH. */
  readonly routesChanged: (routes: readonly number[]) => void;
}

/** PIRQ routing after reset: not routed. */
const PIRQ_RESET = 0x8080_8080;

/** The bridge's own registers, in offset order; the rest of the space is storage. */
export const LPC_REGISTERS: readonly RegisterSpec[] = [
  ...pciHeader({
    vendorId: PCI_VENDOR_ID_INTEL,
    deviceId: INTEL_ICH9_LPC_DEVICE_ID,
    revision: 2,
    classCode: 0x06_0100,
    multifunction: true,
  }),
  // Bits 2:0 can be written in QEMU; the data sheet has bit 0 read-only 1.
  { name: 'PMBASE', offset: ICH9_PMBASE, width: 4, reset: 1, writable: ICH9_PMBASE_MASK | 7 },
  { name: 'ACPI_CNTL', offset: ICH9_ACPI_CNTL, width: 1, writable: 0xff },
  { name: 'PIRQABCD_ROUT', offset: ICH9_PIRQA_ROUT, width: 4, reset: PIRQ_RESET, writable: 0xffff_ffff },
  { name: 'PIRQEFGH_ROUT', offset: ICH9_PIRQE_ROUT, width: 4, reset: PIRQ_RESET, writable: 0xffff_ffff },
  { name: 'RCBA', offset: ICH9_RCBA, width: 4, writable: 0xffff_ffff },
  { name: 'GEN_PMCON_1', offset: ICH9_GEN_PMCON_1, width: 2, writable: 0xffff },
];

/** The bridge. */
export class Lpc extends PciFunction {
  readonly #ports: LpcPorts;

  constructor(ports: LpcPorts) {
    super('lpc', { device: 0x1f, function: 0 }, withScratch(LPC_REGISTERS));
    this.#ports = ports;
  }

  /** First port of the PM I/O block, 0 while it has no place. */
  pmBase(): number {
    return this.config.get('PMBASE') & ICH9_PMBASE_MASK;
  }

  /** GBL_SMI_EN is frozen until reset. */
  smiLocked(): boolean {
    return (this.config.get('GEN_PMCON_1') & ICH9_GEN_PMCON_1_SMI_LOCK) !== 0;
  }

  protected override configWrite({ name, value, previous }: RegisterWrite<string>): number {
    return name === 'GEN_PMCON_1' ? value | (previous & ICH9_GEN_PMCON_1_SMI_LOCK) : value;
  }

  protected override applied(): void {
    const base = this.pmBase();
    const enabled = (this.config.get('ACPI_CNTL') & ICH9_ACPI_CNTL_ACPI_EN) !== 0 && base !== 0;
    this.#ports.pmBlockChanged(enabled, base);
    const rcba = this.config.get('RCBA');
    this.#ports.chipsetConfigChanged((rcba & ICH9_RCBA_EN) !== 0, rcba - (rcba % ICH9_CC_SIZE));
    const routes = ['PIRQABCD_ROUT', 'PIRQEFGH_ROUT'].map((name) => this.config.get(name));
    this.#ports.routesChanged(
      routes.flatMap((four) => [0, 8, 16, 24].map((shift) => (four >>> shift) & 0xff)),
    );
  }
}
