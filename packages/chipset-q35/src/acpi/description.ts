/** What a part says of itself in ACPI. */
import type { Aml } from './aml.ts';
import type { AcpiTable } from './loader.ts';

/** A part's share of the tables; what it leaves out it does not have. */
export interface AcpiDescription {
  /** Terms in `\_SB`. */
  readonly system?: Aml;
  /** Terms in the root: event handlers, which name their scope. */
  readonly root?: Aml;
  /** Terms in `\_SB.PCI0`: what takes ports or memory of the PCI root. */
  readonly bus?: Aml;
  /** Terms in `\_SB.PCI0.ISA`: devices behind the LPC bridge. */
  readonly isa?: Aml;
  /** Tables of its own. */
  readonly tables?: readonly AcpiTable[];
  /** Entries of the MADT. */
  readonly madt?: readonly number[];
  /** Bits of the FADT's IAPC_BOOT_ARCH. */
  readonly bootArchitecture?: number;
}
