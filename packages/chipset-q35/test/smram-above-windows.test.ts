/**
 * In SMM, each range of SMRAM lies above whatever window software has moved there; outside SMM the window is no way in
 * either.
 */
import { type MmioDevice, TX_DMA, TX_SMM } from '@smm/bus';
import type { SmramRange } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { PRIORITY } from '../src/memory-map.ts';
import { buildModel } from './support/model.ts';

const MIB = 0x10_0000;
const COMMON = { inSmm: true, locked: true } as const;
const RANGES: readonly SmramRange[] = [
  { ...COMMON, name: 'compatible', start: 0xa_0000, sizeBytes: 0x2_0000, ramStart: 0xa_0000, outside: 'bus' },
  { ...COMMON, name: 'high', start: 0xfeda_0000, sizeBytes: 0x2_0000, ramStart: 0xa_0000, outside: 'bus' },
  { ...COMMON, name: 'tseg', start: 15 * MIB, sizeBytes: MIB, ramStart: 15 * MIB, outside: 'hole' },
  {
    ...COMMON,
    name: 'default-smbase',
    start: 0x3_0000,
    sizeBytes: 0x2_0000,
    ramStart: 0x3_0000,
    outside: 'hole',
  },
];
/** Every priority below SMRAM's: RAM, ROM, shadow, devices, BARs, ECAM and whatever will come. */
const BELOW = [...new Set(Object.values(PRIORITY))].filter((priority) => priority !== PRIORITY.smram);

describe.each(RANGES)('$name', (range) => {
  it('is above windows of every other priority, moved there before and after', () => {
    expect(Math.max(...BELOW)).toBeLessThan(PRIORITY.smram);
    const { memory, chipset, window } = buildModel(16 * MIB, () => [range]);
    const seen: number[] = [];
    const device: MmioDevice = {
      name: 'window',
      read: () => 0x55,
      write: (_offset, _size, value) => seen.push(value),
    };
    const { start, sizeBytes, ramStart } = range;
    BELOW.forEach((priority, i) => {
      const place = { start: 0x8000_0000 + i * 2 * MIB, sizeBytes, priority };
      const handle = memory.add({ kind: 'mmio', name: `window-${i}`, device, ...place });
      handle.set({ start });
      memory.write(start + sizeBytes - 4, 4, 0x1234_5678 + i, TX_SMM);
      expect(memory.read(start + sizeBytes - 4, 4, TX_SMM)).toBe(0x1234_5678 + i);
      for (const attrs of [0, TX_DMA]) {
        memory.write(start + sizeBytes - 4, 4, 0, attrs);
        expect(memory.read(start + sizeBytes - 4, 4, attrs)).not.toBe(0x1234_5678 + i);
      }
      expect(new DataView(window.buffer).getUint32(ramStart + sizeBytes - 4, true)).toBe(0x1234_5678 + i);
      chipset.memoryMap.setSmram([range]);
      expect(memory.read(start + sizeBytes - 4, 4, TX_SMM)).toBe(0x1234_5678 + i);
    });
    expect(seen).not.toContain(0x1234_5678);
  });
});
