/** What the ACPI tables say of the board, beside what its parts say of themselves. */
import type { SleepStates } from '../fw-cfg-files.ts';
import type { EcamWindow } from '../mch.ts';
import type { AcpiDescription } from './description.ts';

/** The board as it is when the tables are made. */
export interface AcpiBoard {
  /** Number of processors; their APIC ids count from 0. */
  readonly cpuCount: number;
  /** End of RAM below 4 GiB, guest-physical. */
  readonly topOfLowRam: number;
  /** First port of the PM block. */
  readonly pmBase: number;
  /** Where ECAM is, or undefined while it is off. */
  readonly ecam: Omit<EcamWindow, 'enabled'> | undefined;
  /** Sleep states. */
  readonly sleep: SleepStates;
  /** PIRQ, 0 (A) to 7 (H), of interrupt pin 1 to 4 of a PCI device number. */
  readonly pirqOf: (device: number, pin: number) => number;
  /** What parts say. */
  readonly parts: readonly AcpiDescription[];
}
