import { SmmError } from '@smm/x86-defs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AS_NORMAL, AS_SMM, type MemorySlot, MemorySlots } from '../src/index.ts';

const slot = (id: number, gpa: number, sizeBytes: number, asId: 0 | 1 = 0): MemorySlot => ({
  id,
  asId,
  gpa,
  sizeBytes,
  hostOffset: id * 0x10_0000,
  readonly: false,
});

/** The error that `action` throws. */
function errorOf(action: () => void): SmmError {
  try {
    action();
  } catch (error) {
    if (SmmError.isInstance(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('MemorySlots', () => {
  it('names both slots and ranges of an overlap, and changes nothing', () => {
    const slots = new MemorySlots();
    slots.set(slot(3, 0x1000, 0x3000));
    const generation = slots.generation;
    const error = errorOf(() => slots.set(slot(4, 0x3000, 0x1000)));
    expect(error.code).toBe('MMU_SLOT_OVERLAP');
    expect(error.message).toContain('slot 4 of address space 0 (3000..3fff)');
    expect(error.message).toContain('slot 3 of address space 0 (1000..3fff)');
    expect(slots.generation).toBe(generation);
    expect(slots.list(AS_NORMAL)).toHaveLength(1);
  });

  it('lets the two address spaces hold different pages at one address', () => {
    const slots = new MemorySlots();
    slots.set(slot(1, 0xa_0000, 0x2_0000, AS_SMM));
    expect(slots.hostAddress(AS_SMM, 0xa_1234)).toBe(0x10_1234);
    expect(slots.hostAddress(AS_NORMAL, 0xa_1234)).toBe(-1);
  });

  it.each([
    ['MMU_SLOT_EXISTS', slot(1, 0x8000, 0x1000)],
    ['MMU_SLOT_UNALIGNED', slot(2, 0x8010, 0x1000)],
    ['MMU_SLOT_UNALIGNED', slot(2, 0x8000, 0)],
  ])('refuses with %s', (code, bad) => {
    const slots = new MemorySlots();
    slots.set(slot(1, 0, 0x1000));
    expect(errorOf(() => slots.set(bad)).code).toBe(code);
  });

  it('refuses to delete what is not there', () => {
    expect(errorOf(() => new MemorySlots().delete(AS_NORMAL, 5)).code).toBe('MMU_SLOT_UNKNOWN');
  });

  it('finds pages as a linear search over the accepted slots does, before and after a snapshot', () => {
    const spec = fc.record({
      gpa: fc.nat(40).map((n) => n * 0x1000),
      sizeBytes: fc.integer({ min: 1, max: 6 }).map((n) => n * 0x1000),
      asId: fc.constantFrom(AS_NORMAL, AS_SMM),
    });
    fc.assert(
      fc.property(fc.array(spec, { maxLength: 12 }), (specs) => {
        const slots = new MemorySlots();
        const model: MemorySlot[] = [];
        specs.forEach((s, id) => {
          const candidate = slot(id, s.gpa, s.sizeBytes, s.asId);
          const clash = model.some(
            (m) => m.asId === s.asId && s.gpa < m.gpa + m.sizeBytes && m.gpa < s.gpa + s.sizeBytes,
          );
          if (clash) {
            expect(errorOf(() => slots.set(candidate)).code).toBe('MMU_SLOT_OVERLAP');
          } else {
            slots.set(candidate);
            model.push(candidate);
          }
        });
        const copy = new MemorySlots();
        copy.restore(structuredClone(slots.save()));
        for (const asId of [AS_NORMAL, AS_SMM] as const) {
          for (let gpa = 0x800; gpa < 48 * 0x1000; gpa += 0x1000) {
            const m = model.find((s) => s.asId === asId && gpa >= s.gpa && gpa < s.gpa + s.sizeBytes);
            const expected = m === undefined ? -1 : m.hostOffset + gpa - m.gpa;
            expect(slots.hostAddress(asId, gpa)).toBe(expected);
            expect(copy.hostAddress(asId, gpa)).toBe(expected);
          }
        }
        expect(copy.generation).toBe(slots.generation);
      }),
      { numRuns: 200 },
    );
  });
});
