/** Walks over entries that change under the walker, as registers may and memory here does not. */
import { CR0_PE, CR0_PG } from '@smm/x86-defs';
import { expect, it } from 'vitest';
import { ACCESS_WRITE, GuestWalker, type TableMemory, unpagedState, WALK_OK } from '../src/index.ts';

it('a walk whose flags never stick ends, and nothing of it may be cached', () => {
  let exchanges = 0;
  const registers: TableMemory = {
    locate: (gpa) => gpa,
    read32: () => 0x5007,
    compareExchange32: () => {
      exchanges++;
      return false;
    },
  };
  const paging = { ...unpagedState(), cr0: (CR0_PG | CR0_PE) >>> 0, cr3: 0x1000 };
  const walk = new GuestWalker(registers).walk(paging, 0x1234, ACCESS_WRITE, false, false);
  expect(walk).toMatchObject({ outcome: WALK_OK, gpa: 0x5000, tlbRights: 0 });
  expect(exchanges).toBeGreaterThan(1);
});
