/**
 * How far a boot is: the phase by the kind of module that the boot processor runs (BDS by the call of its protocol, the
 * shell by its banner, an operating system by addresses that firmware has not), and the SMIs that each phase raised.
 */
import type { FirmwareFileKind } from './firmware-volumes.ts';

/**
 * Phases in order; `reset` until the first module is recognised, `BIOS` where firmware without modules prints, `OS`
 * when paging is an operating system's.
 */
export const BOOT_PHASES = ['reset', 'BIOS', 'SEC', 'PEI', 'DXE', 'BDS', 'shell', 'OS'] as const;

/** A phase of the boot. */
export type BootPhase = (typeof BOOT_PHASES)[number];

/** What the UEFI shell prints first. */
export const SHELL_BANNER = 'UEFI Interactive Shell';

/** The phase in which modules of a kind run at the earliest; undefined when it says nothing. */
export function phaseOf(kind: FirmwareFileKind): BootPhase | undefined {
  switch (kind) {
    case 'SEC':
      return 'SEC';
    case 'PEI core':
    case 'PEIM':
      return 'PEI';
    case 'application':
    case 'other':
      return undefined;
    default:
      return 'DXE';
  }
}

/** Follows the phase, which only goes forward until a reset, and counts SMIs by it. */
export class PhaseTracker {
  /** The phase now. */
  phase: BootPhase = 'reset';
  readonly #smis = new Map<BootPhase, number>();
  #counted = 0;

  /** Tells what was seen; `smis` is the number of SMIs of the chipset so far. */
  see(phase: BootPhase | undefined, smis: number): void {
    if (smis > this.#counted) {
      this.#smis.set(this.phase, (this.#smis.get(this.phase) ?? 0) + smis - this.#counted);
      this.#counted = smis;
    }
    if (phase !== undefined && BOOT_PHASES.indexOf(phase) > BOOT_PHASES.indexOf(this.phase))
      this.phase = phase;
  }

  /** SMIs of the chipset by the phase in which they came. */
  get smis(): ReadonlyMap<BootPhase, number> {
    return this.#smis;
  }

  /** The firmware starts anew. */
  restart(): void {
    this.phase = 'reset';
  }
}
