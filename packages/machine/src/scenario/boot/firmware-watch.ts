/** Follows where the firmware of one machine is: the module at an address, and the phase of the boot. */
import type { Machine } from '../../machine.ts';
import { BdsWatch } from './bds.ts';
import { type LoadedImage, type ModuleLocation, ModuleMap } from './module-map.ts';
import { PhaseTracker, phaseOf } from './phase.ts';
import { firmwareAddress, isBeyondFirmware } from './whereabouts.ts';

/**
 * Instructions after which unknown code makes memory worth another look; twice as many each time that nothing new was
 * in it, up to the second number.
 */
const LEARN_EVERY = [20_000_000, 1_280_000_000] as const;
/** Instructions between two looks at the phase. */
const PHASE_EVERY = 100_000;

/** Register number of RSP. */
const RSP = 4;

/** Looks at one machine, without effect on it. */
export class FirmwareWatch {
  /** The phase, and the SMIs of each. */
  readonly phases: PhaseTracker = new PhaseTracker();
  readonly #machine: Machine;
  readonly #modules: ModuleMap;
  readonly #ram: Uint8Array;
  #bds: BdsWatch;
  #dxeCore: LoadedImage | undefined;
  #learnedAt = Number.NEGATIVE_INFINITY;
  #learnEvery: number = LEARN_EVERY[0];
  /** Looks come at fixed instruction counts, so that a boot continued from a snapshot takes the same course. */
  #lookedIn = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#modules = new ModuleMap((gpa, size) => machine.peek(gpa, size, true));
    const { ramOffset } = machine.plan;
    this.#ram = machine.bytes.subarray(ramOffset, ramOffset + machine.chipset.memoryMap.ram.belowBytes);
    this.#bds = this.#newBdsWatch();
  }

  /** The firmware starts anew. */
  restart(): void {
    this.phases.restart();
    this.#bds = this.#newBdsWatch();
    this.#dxeCore = undefined;
  }

  /** The firmware module at a linear address, by the volumes and images that are in memory. */
  moduleAt(address: number): ModuleLocation | undefined {
    return this.#modules.find(address) ?? (this.#learn() ? this.#modules.find(address) : undefined);
  }

  /** Module that the boot processor is in, as far as known without a new look at memory. */
  moduleNow(): ModuleLocation | undefined {
    const at = firmwareAddress(this.#machine, 0);
    return at === undefined ? undefined : this.#modules.find(at);
  }

  /** A file of this GUID is in a firmware volume in memory. */
  hasFile(guid: string): boolean {
    this.#learn();
    return this.#modules.hasFile(guid);
  }

  /**
   * Looks at the phase, if it is time to.
   * @param printed - the firmware has printed something
   */
  follow(printed: boolean): void {
    const { phases } = this;
    const { retired, chipsetSmis } = this.#machine;
    const period = Math.floor(retired / PHASE_EVERY);
    if (period === this.#lookedIn) return;
    this.#lookedIn = period;
    if (phases.phase === 'OS' || isBeyondFirmware(this.#machine, 0)) {
      phases.see('OS', chipsetSmis);
      return;
    }
    let module = this.moduleNow();
    if (module === undefined && retired >= this.#learnedAt + this.#learnEvery && this.#learn())
      module = this.moduleNow();
    if (module === undefined && printed && phases.phase === 'reset') phases.see('BIOS', chipsetSmis);
    if (module?.kind === 'DXE core') this.#dxeCore = this.#modules.imageAt(module.base);
    phases.see(module && phaseOf(module.kind), chipsetSmis);
    if (phases.phase === 'DXE' && this.#bdsBegun()) phases.see('BDS', chipsetSmis);
  }

  #bdsBegun(): boolean {
    const { state } = this.#machine.processors[0]!;
    return this.#dxeCore !== undefined && !state.smm && this.#bds.begun(this.#dxeCore, state.gpr32(RSP));
  }

  #newBdsWatch(): BdsWatch {
    return new BdsWatch({ start: 0, bytes: this.#ram }, (address) => this.#modules.imageAt(address));
  }

  /** Looks for firmware in memory, if the guest has run since the last time. */
  #learn(): boolean {
    const { retired, bytes } = this.#machine;
    if (retired === this.#learnedAt) return false;
    this.#learnedAt = retired;
    const { ramOffset, romOffset, romSize } = this.#machine.plan;
    const used = this.#machine
      .writtenRanges(ramOffset, ramOffset + this.#ram.length)
      .map(([from, to]) => [from - ramOffset, to - ramOffset] as const);
    const news = this.#modules.learn([
      { start: 0, bytes: this.#ram, used },
      { start: 0x1_0000_0000 - romSize, bytes: bytes.subarray(romOffset, romOffset + romSize) },
    ]);
    this.#learnEvery = news > 0 ? LEARN_EVERY[0] : Math.min(this.#learnEvery * 2, LEARN_EVERY[1]);
    return true;
  }
}
