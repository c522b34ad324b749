/**
 * Memory slots from the address map, as QEMU's two KVM memory listeners keep them: one address space for normal mode,
 * one for SMM.
 */
import type { FlatPiece, PhysicalAddressSpace } from '@smm/bus';
import { AS_NORMAL, AS_SMM, KVM_USER_MEM_SLOTS, type MemorySlot, type MemorySlots } from '@smm/mmu-ept';

/**
 * Brings the user slots of both address spaces in line with the map. Returns true if a slot went away: then all
 * mappings are stale.
 */
export function synchronizeSlots(slots: MemorySlots, space: PhysicalAddressSpace): boolean {
  let removed = false;
  for (const asId of [AS_NORMAL, AS_SMM] as const) {
    const wanted = joined(space.pieces(asId === AS_SMM).flatMap((piece) => slotOf(piece)));
    const user = slots.list(asId).filter((slot) => slot.id < KVM_USER_MEM_SLOTS);
    const kept = user.filter((slot) => wanted.some((other) => same(slot, other)));
    for (const slot of user) {
      if (kept.includes(slot)) continue;
      slots.delete(asId, slot.id);
      removed = true;
    }
    let id = 0;
    for (const want of wanted) {
      if (kept.some((slot) => same(slot, want))) continue;
      while (slots.list(asId).some((slot) => slot.id === id)) id++;
      slots.set({ ...want, id, asId });
    }
  }
  return removed;
}

type Range = Omit<MemorySlot, 'id' | 'asId'>;

function slotOf(piece: FlatPiece): Range[] {
  const { region, start } = piece;
  if (region === undefined || region.kind === 'hole' || region.hostOffset === undefined) return [];
  return [
    {
      gpa: start,
      sizeBytes: piece.lastAddress - start + 1,
      hostOffset: region.hostOffset + (start - region.start),
      readonly: region.kind === 'mmio' || region.readonly === true,
    },
  ];
}

/**
 * One range for neighbours that lie one behind the other in host memory too, as QEMU's flat views have them: SMRAM in
 * SMM is no slot of its own.
 */
function joined(ranges: readonly Range[]): Range[] {
  const list: Range[] = [];
  for (const next of ranges) {
    const last = list.at(-1);
    const goesOn =
      last !== undefined &&
      last.gpa + last.sizeBytes === next.gpa &&
      last.hostOffset + last.sizeBytes === next.hostOffset &&
      last.readonly === next.readonly;
    if (goesOn) list[list.length - 1] = { ...last, sizeBytes: last.sizeBytes + next.sizeBytes };
    else list.push(next);
  }
  return list;
}

function same(a: Range, b: Range): boolean {
  return (
    a.gpa === b.gpa &&
    a.sizeBytes === b.sizeBytes &&
    a.hostOffset === b.hostOffset &&
    a.readonly === b.readonly
  );
}
