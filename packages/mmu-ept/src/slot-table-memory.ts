/** Guest paging structures as the hypervisor itself reads them: through the memory slots, without EPT. */
import type { AddressSpaceId, MemorySlots } from './memory-slots.ts';
import { type HostMemory, TABLE_ACCESS_FAILED, type TableMemory } from './table-memory.ts';

/**
 * The tables of a guest in one address space, for KVM's software walks (shadow paging, instruction emulation).
 * Accessed and dirty flags in a read-only slot are left alone, as KVM does: a table in ROM still works.
 */
export class SlotTableMemory implements TableMemory {
  /** The address space whose slots are looked up; may change between walks. */
  asId: AddressSpaceId;
  readonly #slots: MemorySlots;
  readonly #host: HostMemory;
  /** The location found last is in a read-only slot. */
  #readonly = false;

  /** Reads through `slots` of address space `asId` into `host`. */
  constructor(slots: MemorySlots, host: HostMemory, asId: AddressSpaceId) {
    this.#slots = slots;
    this.#host = host;
    this.asId = asId;
  }

  /** See {@link TableMemory.locate}; fails where no slot is. */
  locate(gpa: number, _write: boolean): number {
    const slot = this.#slots.find(this.asId, gpa);
    if (slot === undefined) return TABLE_ACCESS_FAILED;
    this.#readonly = slot.readonly;
    return slot.hostOffset + (gpa - slot.gpa);
  }

  /** See {@link TableMemory.read32}. */
  read32(location: number): number {
    return this.#host.read32(location);
  }

  /** See {@link TableMemory.compareExchange32}; a read-only slot takes the write and drops it. */
  compareExchange32(location: number, expected: number, desired: number): boolean {
    if (this.#host.read32(location) !== expected) return false;
    if (!this.#readonly) this.#host.write32(location, desired);
    return true;
  }
}
