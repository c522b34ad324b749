/** Addresses and lengths as a guest can give them: every access ends, and none reaches what it does not name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AccessSize,
  PHYSICAL_ADDRESS_LIMIT,
  PhysicalAddressSpace,
  physicalAddress,
  TX_DEBUG,
  type UnclaimedAccess,
} from '../src/index.ts';

const runs = process.env['SMM_FULL'] === '1' ? 100_000 : 1000;
const word = fc.oneof(
  fc.constantFrom(
    0,
    1,
    0xfff,
    0x1000,
    0x000f_ffff,
    0x0010_0000,
    0x001f_ffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
  ),
  fc.integer({ min: 0, max: 0xffff_ffff }),
);

function map() {
  const ram = new Uint8Array(0x4000);
  const unclaimed: UnclaimedAccess[] = [];
  const bus = new PhysicalAddressSpace({ ram, onUnclaimed: (access) => unclaimed.push(access) });
  const device = { name: 'device', read: () => 0x5a5a_5a5a, write: () => undefined };
  bus.addAll([
    { kind: 'ram', name: 'low', start: 0, sizeBytes: 0x2000, hostOffset: 0 },
    { kind: 'mmio', name: 'device', start: 0x4000, sizeBytes: 0x100_0000, device },
    {
      kind: 'ram',
      name: 'top',
      start: PHYSICAL_ADDRESS_LIMIT - 0x1000,
      sizeBytes: 0x1000,
      hostOffset: 0x2000,
    },
  ]);
  return { bus, ram, unclaimed };
}

describe('physicalAddress', () => {
  it('is the 64-bit value below 2^52, and one number for all that does not exist', () => {
    fc.assert(
      fc.property(word, word, (high, low) => {
        const exact = (BigInt(high) << 32n) | BigInt(low);
        const limit = BigInt(PHYSICAL_ADDRESS_LIMIT);
        expect(BigInt(physicalAddress(high, low))).toBe(exact < limit ? exact : limit);
      }),
      { numRuns: runs },
    );
  });

  it('takes the halves as 32 bits, signed or not', () => {
    expect(physicalAddress(0, -1)).toBe(0xffff_ffff);
    expect(physicalAddress(-1, -1)).toBe(PHYSICAL_ADDRESS_LIMIT);
  });
});

describe('an access at any address', () => {
  it('gives byte for byte what lies there, and all-ones beyond the end', () => {
    const { bus, ram } = map();
    ram.forEach((_, i) => {
      ram[i] = (i * 7 + 3) & 0xff;
    });
    const byteAt = (gpa: number): number => {
      if (gpa < 0x2000) return ram[gpa]!;
      if (gpa >= 0x4000 && gpa < 0x100_4000) return 0x5a;
      const top = gpa - (PHYSICAL_ADDRESS_LIMIT - 0x1000);
      return top >= 0 && top < 0x1000 ? ram[0x2000 + top]! : 0xff;
    };
    const near = fc.constantFrom(
      0x2000,
      0x4000,
      PHYSICAL_ADDRESS_LIMIT - 0x1000,
      PHYSICAL_ADDRESS_LIMIT,
      2 ** 64,
    );
    const anywhere = fc.oneof(
      fc.tuple(word, word).map(([high, low]) => physicalAddress(high, low)),
      fc.tuple(near, fc.integer({ min: -5, max: 5 })).map(([at, by]) => at + by),
    );
    const size = fc.constantFrom<AccessSize>(1, 2, 4);
    fc.assert(
      fc.property(anywhere, size, fc.integer({ min: 1, max: 0x3000 }), (gpa, width, length) => {
        let value = 0;
        for (let i = width - 1; i >= 0; i--) value = value * 256 + byteAt(gpa + i);
        expect(bus.read(gpa, width, 0)).toBe(value);
        const block = new Uint8Array(length);
        bus.readBlock(gpa, block, TX_DEBUG);
        for (let i = 0; i < length; i++)
          if (block[i] !== byteAt(gpa + i)) expect([i, block[i]]).toEqual([i, byteAt(gpa + i)]);
      }),
      { numRuns: runs },
    );
  });

  it('does not come back at address 0 when it runs over the end', () => {
    const { bus, ram } = map();
    for (const gpa of [PHYSICAL_ADDRESS_LIMIT - 2, PHYSICAL_ADDRESS_LIMIT, 2 ** 53, 2 ** 64 - 2, 2 ** 64]) {
      bus.write(gpa, 4, 0xffff_ffff, 0);
      bus.writeBlock(gpa, new Uint8Array(0x3000).fill(0xff), 0);
    }
    expect(ram.subarray(0, 0x2ffe).every((byte) => byte === 0)).toBe(true);
    expect([...ram.subarray(0x2ffe, 0x3000)]).toEqual([0xff, 0xff]);
  });

  it('reports what a block meets once for each piece', () => {
    const { bus, unclaimed } = map();
    bus.writeBlock(0x1ff0, new Uint8Array(0x1000).fill(7), 5);
    bus.readBlock(PHYSICAL_ADDRESS_LIMIT - 0x10, new Uint8Array(0x100_0000), 5);
    expect(unclaimed).toEqual([
      { gpa: 0x2000, sizeBytes: 0xff0, value: 7, attrs: 5, name: '' },
      { gpa: PHYSICAL_ADDRESS_LIMIT, sizeBytes: 0xff_fff0, value: undefined, attrs: 5, name: '' },
    ]);
  });

  it('refuses long blocks on a device', () => {
    const { bus } = map();
    expect(() => bus.writeBlock(0x4000, new Uint8Array(0x1_0000), 0)).toThrow(/device, which is no memory/);
    expect(() => bus.readBlock(0x4000, new Uint8Array(0x1_0000), 0)).toThrow(/device, which is no memory/);
    bus.readBlock(0x4000, new Uint8Array(0xffff), 0);
    bus.readBlock(0x4000, new Uint8Array(0x1_0000), TX_DEBUG);
  });
});
