/**
 * KVM's side of EPT: one hierarchy per role (normal, SMM), filled from the memory slots when the processor exits.
 *
 * All processors of a machine share it, so a page is faulted in once per role in the life of the machine.
 * Not modelled: large pages, dirty logging, write tracking. Sources: Linux 4.4 arch/x86/kvm/mmu.c (behaviour of
 * tdp_page_fault and handle_mmio_page_fault); relocation facts, "Fault path and numbers".
 */
import { EPT_QUAL_WRITE } from './ept-bits.ts';
import { type EptOptions, EptTables, type EptTablesState } from './ept-tables.ts';
import { AS_NORMAL, AS_SMM, type MemorySlots } from './memory-slots.ts';
import { PAGE_SIZE, RIGHT_EXEC, RIGHT_READ, RIGHTS_ALL } from './paging-bits.ts';
import type { HostTablePort } from './table-memory.ts';

/**
 * What the hypervisor does after an EPT exit: `mapped`, enter the guest again; `mmio`, no slot is there, so emulate
 * the instruction against the devices; `readonly-write`, emulate too, the slot takes no writes (ROM, flash).
 */
export type TdpFault = 'mapped' | 'mmio' | 'readonly-write';

/** What an EPT misconfiguration means: an MMIO mark that is still true, one from before a slot change, or a defect. */
export type TdpMisconfig = 'mmio' | 'stale' | 'corrupt';

/** Plain state, for snapshots. */
export interface TdpMmuState {
  /** Format of this object. */
  readonly version: 1;
  /** Hierarchy of processors outside SMM. */
  readonly normal: EptTablesState;
  /** Hierarchy of processors in SMM. */
  readonly smm: EptTablesState;
}

/** MMIO marks hold this many values of the slot generation. */
const MMIO_GENERATIONS = 0x10_0000;

/** The EPT hierarchies of one machine. */
export class TdpMmu {
  readonly #slots: MemorySlots;
  readonly #normal: EptTables;
  readonly #smm: EptTables;

  /** Two empty hierarchies in `host`, to be filled from `slots`. */
  constructor(slots: MemorySlots, host: HostTablePort, options: EptOptions) {
    this.#slots = slots;
    this.#normal = new EptTables(host, options);
    this.#smm = new EptTables(host, options);
  }

  /** The hierarchy of a processor that is, or is not, in SMM (the `smm` bit of KVM's page role). */
  tables(smm: boolean): EptTables {
    return smm ? this.#smm : this.#normal;
  }

  /**
   * Handles an EPT violation at guest-physical `gpa`. Maps the 4 KiB page with all the rights that its slot gives, so
   * that one page exits once; marks a page without slot as MMIO, so that later accesses are misconfigurations.
   */
  handleViolation(smm: boolean, gpa: number, qualification: number): TdpFault {
    const tables = this.tables(smm);
    const page = gpa - (gpa % PAGE_SIZE);
    const slot = this.#slots.find(smm ? AS_SMM : AS_NORMAL, page);
    if (slot === undefined) {
      tables.markMmio(page, this.#slots.generation % MMIO_GENERATIONS);
      return 'mmio';
    }
    if (slot.readonly && (qualification & EPT_QUAL_WRITE) !== 0) return 'readonly-write';
    const rights = slot.readonly ? RIGHT_READ | RIGHT_EXEC : RIGHTS_ALL;
    tables.map(page, slot.hostOffset + (page - slot.gpa), rights);
    return 'mapped';
  }

  /**
   * Handles an EPT misconfiguration at `gpa` from the walk's `mmio` and `mmioGeneration`. A stale mark is removed:
   * enter the guest again and the access becomes a violation.
   */
  handleMisconfig(smm: boolean, gpa: number, mmio: boolean, mmioGeneration: number): TdpMisconfig {
    if (!mmio) return 'corrupt';
    if (mmioGeneration === this.#slots.generation % MMIO_GENERATIONS) return 'mmio';
    this.tables(smm).zapRange(gpa, 1);
    return 'stale';
  }

  /** Drops all mappings of both roles, as KVM does when a slot goes away. The processors' TLBs are the caller's. */
  zapAll(): void {
    this.#normal.zapAll();
    this.#smm.zapAll();
  }

  /** Copies the state out. */
  save(): TdpMmuState {
    return { version: 1, normal: this.#normal.save(), smm: this.#smm.save() };
  }

  /** Puts a saved state back, after the host memory and its allocator were restored. */
  restore(state: TdpMmuState): void {
    this.#normal.restore(state.normal);
    this.#smm.restore(state.smm);
  }
}
