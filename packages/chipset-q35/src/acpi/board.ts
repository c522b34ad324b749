/** What the ACPI tables say of the board, beside what its parts say of themselves. */
import type { SleepStates } from '../fw-cfg-files.ts';
import type { EcamWindow } from '../mch.ts';
import type { RamLayout } from '../memory-map.ts';
import type { AcpiDescription } from './description.ts';
import type { AcpiTable } from './loader.ts';

/** A processor. */
export interface AcpiProcessor {
  /** APIC id, 32 bit. */
  readonly apicId: number;
  /** It is there. */
  readonly present: boolean;
}

/** The board as it is when the tables are made. */
export interface AcpiBoard {
  /** Processors by index: those that are there, and those that there is room for. */
  readonly processors: readonly AcpiProcessor[];
  /** How RAM is split; its ends are where the windows of PCI begin. */
  readonly ram: RamLayout;
  /** First port of the PM block. */
  readonly pmBase: number;
  /** Where ECAM is, or undefined while it is off. */
  readonly ecam: Omit<EcamWindow, 'enabled'> | undefined;
  /** Sleep states. */
  readonly sleep: SleepStates;
  /** PIRQ, 0 (A) to 7 (H), of interrupt pin 1 to 4 of a PCI device number. */
  readonly pirqOf: (device: number, pin: number) => number;
  /** Further tables. */
  readonly tables: readonly AcpiTable[];
  /** What parts say. */
  readonly parts: readonly AcpiDescription[];
}
