/**
 * KVM's memory slots: which host pages lie behind which guest-physical addresses, once per address space.
 *
 * Not modelled: dirty logging, moving a slot in place (delete it and set it again).
 * Sources: Linux Documentation/virt/kvm/api.rst, "KVM_SET_USER_MEMORY_REGION"; relocation facts, "Memslots".
 */
import { SmmError } from '@smm/x86-defs';
import { PAGE_SIZE } from './paging-bits.ts';

/** Address space of a processor outside SMM. */
export const AS_NORMAL = 0;
/** Address space of a processor in SMM. */
export const AS_SMM = 1;
/** {@link AS_NORMAL} or {@link AS_SMM}: KVM_ADDRESS_SPACE_NUM is 2 on x86 since Linux 4.2. */
export type AddressSpaceId = 0 | 1;

/** First slot id that user space cannot use. Linux 4.4 arch/x86/include/asm/kvm_host.h, KVM_USER_MEM_SLOTS. */
export const KVM_USER_MEM_SLOTS = 509;
/** Private slot of the TSS for real mode by virtual-8086 mode. */
export const TSS_PRIVATE_MEMSLOT = KVM_USER_MEM_SLOTS + 0;
/** Private slot of the APIC-access page. */
export const APIC_ACCESS_PAGE_PRIVATE_MEMSLOT = KVM_USER_MEM_SLOTS + 1;
/** Private slot of the identity-map page table. */
export const IDENTITY_PAGETABLE_PRIVATE_MEMSLOT = KVM_USER_MEM_SLOTS + 2;

/** One memory slot. Sizes and addresses in bytes, multiples of 4096. */
export interface MemorySlot {
  /** Id, unique inside its address space. */
  readonly id: number;
  /** The address space it belongs to. */
  readonly asId: AddressSpaceId;
  /** First guest-physical address. */
  readonly gpa: number;
  /** Length in bytes. */
  readonly sizeBytes: number;
  /** Host-physical address (offset in the RAM window) of the first byte. */
  readonly hostOffset: number;
  /** KVM_MEM_READONLY: guest writes exit to user space instead. */
  readonly readonly: boolean;
}

/** Plain state of all slots, for snapshots. */
export interface MemorySlotsState {
  /** Format of this object. */
  readonly version: 1;
  /** Generation at the time of the snapshot. */
  readonly generation: number;
  /** Every slot of both address spaces. */
  readonly slots: readonly MemorySlot[];
}

/** Name of a slot in an error: id, address space and range. */
function describe(slot: MemorySlot): string {
  const end = slot.gpa + slot.sizeBytes - 1;
  return `slot ${slot.id} of address space ${slot.asId} (${slot.gpa.toString(16)}..${end.toString(16)})`;
}

/** The slots of one virtual machine in both address spaces. */
export class MemorySlots {
  /** Sorted by gpa, without overlap, one list per address space. */
  readonly #slots: [MemorySlot[], MemorySlot[]] = [[], []];
  #generation = 0;

  /** Counts changes; an MMIO mark in a page table carries it, and is stale when it differs. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * Adds a slot. Throws `SmmError` `MMU_SLOT_UNALIGNED`, `MMU_SLOT_EXISTS` (same id) or `MMU_SLOT_OVERLAP`, which
   * names both slots; no slot changes then. Page tables made from the slots must be zapped after a change.
   */
  set(slot: MemorySlot): void {
    const { gpa, sizeBytes, hostOffset } = slot;
    if (![gpa, sizeBytes, hostOffset].every((n) => n >= 0 && n % PAGE_SIZE === 0) || sizeBytes === 0) {
      throw new SmmError(
        'MMU_SLOT_UNALIGNED',
        `${describe(slot)} at host offset ${hostOffset.toString(16)} is not made of whole pages`,
        'Give gpa, sizeBytes and hostOffset as multiples of 4096, and a size above 0.',
        { slot },
      );
    }
    const list = this.#slots[slot.asId];
    for (const other of list) {
      if (other.id === slot.id) {
        throw new SmmError(
          'MMU_SLOT_EXISTS',
          `${describe(slot)} has the id of ${describe(other)}`,
          'Delete the old slot first, or take another id.',
          { slot, other },
        );
      }
      if (gpa < other.gpa + other.sizeBytes && other.gpa < gpa + sizeBytes) {
        throw new SmmError(
          'MMU_SLOT_OVERLAP',
          `${describe(slot)} overlaps ${describe(other)}`,
          'Shrink or move one of the two slots; slots of one address space share no page.',
          { slot, other },
        );
      }
    }
    list.push({ ...slot });
    list.sort((a, b) => a.gpa - b.gpa);
    this.#generation++;
  }

  /** Removes a slot and returns it. Throws `SmmError` `MMU_SLOT_UNKNOWN`. */
  delete(asId: AddressSpaceId, id: number): MemorySlot {
    const list = this.#slots[asId];
    const index = list.findIndex((slot) => slot.id === id);
    const slot = list[index];
    if (slot === undefined) {
      throw new SmmError(
        'MMU_SLOT_UNKNOWN',
        `address space ${asId} has no slot ${id}`,
        `Delete one of the slots that exist: ${list.map((s) => s.id).join(', ') || 'none'}.`,
        { asId, id },
      );
    }
    list.splice(index, 1);
    this.#generation++;
    return slot;
  }

  /** The slot that holds guest-physical `gpa` in an address space, or undefined (MMIO). */
  find(asId: AddressSpaceId, gpa: number): MemorySlot | undefined {
    const list = this.#slots[asId];
    let low = 0;
    let high = list.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const slot = list[middle] as MemorySlot;
      if (gpa < slot.gpa) high = middle - 1;
      else if (gpa >= slot.gpa + slot.sizeBytes) low = middle + 1;
      else return slot;
    }
    return undefined;
  }

  /** Host-physical address behind guest-physical `gpa`, or -1 when no slot holds it. */
  hostAddress(asId: AddressSpaceId, gpa: number): number {
    const slot = this.find(asId, gpa);
    return slot === undefined ? -1 : slot.hostOffset + (gpa - slot.gpa);
  }

  /** The slots of one address space in address order. */
  list(asId: AddressSpaceId): readonly MemorySlot[] {
    return this.#slots[asId];
  }

  /** Copies the state out. */
  save(): MemorySlotsState {
    return {
      version: 1,
      generation: this.#generation,
      slots: this.#slots.flat().map((slot) => ({ ...slot })),
    };
  }

  /** Puts a saved state back. */
  restore(state: MemorySlotsState): void {
    for (const asId of [AS_NORMAL, AS_SMM] as const) {
      this.#slots[asId] = state.slots.filter((slot) => slot.asId === asId);
    }
    this.#generation = state.generation;
  }
}
