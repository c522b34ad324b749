import { UnmodelledError } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import {
  FlatMemory,
  GuestWalker,
  loadPdptes,
  pagingMode,
  type TableMemory,
  unpagedState,
  WALK_OK,
  WALK_TABLE_ACCESS,
} from '../src/index.ts';

const PAE = { ...unpagedState(), cr0: 0x8000_0001, cr4: 0x20, cr3: 0x1fe0 };

describe('paging modes', () => {
  it.each([
    ['none', 0x1, 0x30, 0x500],
    ['32-bit', 0x8000_0001, 0x10, 0],
    ['pae', 0x8000_0001, 0x20, 0x800],
    ['pae', 0x8000_0001, 0x20, 0x100],
    ['4-level', 0x8000_0001, 0x20, 0x500],
  ])('%s: CR0 %x CR4 %x EFER %x', (mode, cr0, cr4, efer) => {
    expect(pagingMode({ ...unpagedState(), cr0, cr4, efer })).toBe(mode);
  });

  it.each([
    ['MMU_LA57', 0x1020],
    ['MMU_PROTECTION_KEYS', 0x40_0020],
    ['MMU_PROTECTION_KEYS', 0x100_0020],
  ])('%s is loud', (code, cr4) => {
    const paging = { ...PAE, cr4, efer: 0x500 };
    const walk = () => new GuestWalker(new FlatMemory(0x1000)).walk(paging, 0, 0, false, false);
    expect(walk).toThrow(UnmodelledError);
    expect(walk).toThrow(expect.objectContaining({ code }));
  });
});

describe('PDPTE registers', () => {
  it('are loaded from the 32-byte aligned CR3 and outlive the memory they came from', () => {
    const memory = new FlatMemory(0x8000);
    memory.write64(0x1fe8, 0x3001, 0);
    memory.write64(0x3000, 0x83, 0);
    const pdptes = new Uint32Array(8);
    expect(loadPdptes(memory, 0x1ffb, 36, pdptes)).toBe('loaded');
    memory.write64(0x1fe8, 0, 0);
    const walker = new GuestWalker(memory);
    expect(walker.walk({ ...PAE, pdptes }, 0x4000_0000, 0, false, false).outcome).toBe(WALK_OK);
    expect(walker.walk(PAE, 0x4000_0000, 0, false, false).errorCode).toBe(0);
  });

  it.each([
    ['bit 1', 0x3003, 0],
    ['bit 5', 0x3021, 0],
    ['bit 36', 0x3001, 0x10],
    ['bit 63', 0x3001, 0x8000_0000],
  ])('a reserved bit (%s) refuses all four', (_name, low, high) => {
    const memory = new FlatMemory(0x2000);
    memory.write64(0x1fe0, 0x3001, 0);
    memory.write64(0x1ff8, low, high);
    const pdptes = new Uint32Array(8).fill(7);
    expect(loadPdptes(memory, 0x1fe0, 36, pdptes)).toBe('reserved');
    expect([...pdptes]).toEqual([7, 7, 7, 7, 7, 7, 7, 7]);
  });

  it('reserved bits of an entry that is not present do not matter', () => {
    expect(loadPdptes(new FlatMemory(0x2000), 0x1fe0, 36, new Uint32Array(8))).toBe('loaded');
  });
});

describe('the memory port', () => {
  /** Flat memory whose entry at `gpa` cannot be written (`failWrite`) or changes under the first update (`race`). */
  class Odd extends FlatMemory implements TableMemory {
    races = 0;
    failWriteAt = -1;
    override locate(gpa: number, write: boolean): number {
      return write && gpa === this.failWriteAt ? -1 : super.locate(gpa, write);
    }
    override compareExchange32(location: number, expected: number, desired: number): boolean {
      if (this.races-- > 0) {
        this.write32(location, this.read32(location) ^ 0x2000);
        return false;
      }
      return super.compareExchange32(location, expected, desired);
    }
  }
  const paging = { ...unpagedState(), cr0: 0x8000_0001, cr3: 0x1000 };

  it('an update that is refused names the entry', () => {
    const memory = new Odd(0x8000);
    memory.write32(0x1000, 0x2023);
    memory.write32(0x2000, 0x5023);
    memory.failWriteAt = 0x2000;
    const walker = new GuestWalker(memory);
    expect(walker.walk(paging, 0, 0, false, false).outcome).toBe(WALK_OK); // accessed already
    const r = walker.walk(paging, 0, 1, false, false);
    expect([r.outcome, r.tableGpa, r.tableWrite]).toEqual([WALK_TABLE_ACCESS, 0x2000, true]);
  });

  it('an entry that changes under the update is walked again', () => {
    const memory = new Odd(0x8000);
    memory.write32(0x1000, 0x2003);
    memory.write32(0x0000, 0x7003);
    memory.write32(0x2000, 0x5003);
    memory.races = 1;
    const r = new GuestWalker(memory).walk(paging, 0, 0, false, false);
    expect([r.outcome, r.gpa, memory.read32(0x1000)]).toEqual([WALK_OK, 0x7000, 0x23]);
  });

  it('a debug walk changes nothing and grants no TLB rights', () => {
    const memory = new FlatMemory(0x8000);
    memory.write32(0x1000, 0x2003);
    memory.write32(0x2000, 0x5003);
    const r = new GuestWalker(memory).walk(paging, 0x123, 1, false, true);
    expect([r.outcome, r.gpa, r.rights, r.tlbRights, r.dirtyOk]).toEqual([WALK_OK, 0x5000, 7, 0, false]);
    expect([memory.read32(0x1000), memory.read32(0x2000)]).toEqual([0x2003, 0x5003]);
  });
});
