import { SmmError } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import {
  buildFirmware,
  expectedLog,
  FIRMWARE_QUIRKS,
  type FirmwareQuirk,
  type FirmwareShape,
  memoryMap,
  planTiles,
  tileSize2015,
} from '../src/index.ts';

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (SmmError.isInstance(error)) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

// The lines of the edk2-devel mail of 2015-10-21, and the one that it waits for in vain.
const MAIL = `SMRAM TileSize = 00000800
CPU[000]  APIC ID=0000  SMBASE=7FFC1000  SaveState=7FFD0C00  Size=00000400
CPU[001]  APIC ID=0001  SMBASE=7FFC1800  SaveState=7FFD1400  Size=00000400
SmmRelocateBases: sending SMI IPI to APIC ID 0x1
SmmRelocateBases: APIC ID 0x1 has processed its first SMI
`;

describe('tiles', () => {
  it('are those of the mail for two processors and 2 GiB', () => {
    const plan = planTiles({ tolud: 0x8000_0000, cpus: 2, shape: '2015' });
    expect(plan.tileSize).toBe(0x800);
    expect(plan.buffer).toBe(0x7ffc_9000);
    expect(plan.bufferSize).toBe(0x9000);
    expect(plan.smbase).toEqual([0x7ffc_1000, 0x7ffc_1800]);
    expect(plan.saveState).toEqual([0x7ffd_0c00, 0x7ffd_1400]);
  });

  it('are 800h for every handler of 1 to 3A0h bytes, as the mail implies', () => {
    expect(tileSize2015(1)).toBe(0x800);
    expect(tileSize2015(0x3a0)).toBe(0x800);
    expect(tileSize2015(0x3a1)).toBe(0x1000);
  });

  it.each(['2015', '2024'] as const)(
    'of %s never overlap, from 1 to 255 processors',
    (shape: FirmwareShape) => {
      for (const cpus of [1, 2, 3, 15, 16, 17, 31, 32, 64, 255]) {
        const plan = planTiles({ tolud: 0x2000_0000, cpus, shape });
        const parts = plan.smbase.flatMap((smbase) => [
          [smbase + 0x8000, smbase + 0x8300],
          [smbase + 0xfb00, smbase + 0xfb60],
          [smbase + 0xfc00, smbase + 0x1_0000],
        ]);
        parts.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
        for (let at = 1; at < parts.length; at++)
          expect(parts[at]?.[0]).toBeGreaterThanOrEqual(parts[at - 1]?.[1] ?? 0);
        expect(parts[0]?.[0]).toBe(plan.buffer);
        expect(parts.at(-1)?.[1]).toBeLessThanOrEqual(plan.buffer + plan.bufferSize);
      }
    },
  );

  it('are refused when they do not fit', () => {
    expect(codeOf(() => planTiles({ tolud: 0x8000_0000, cpus: 255, shape: '2024', tsegMb: 1 }))).toBe(
      'FIRMWARE_TILES',
    );
    expect(codeOf(() => planTiles({ tolud: 0x8000_0000, cpus: 0, shape: '2015' }))).toBe('FIRMWARE_TILES');
    expect(codeOf(() => planTiles({ tolud: 0x8000_0000, cpus: 256, shape: '2015' }))).toBe('FIRMWARE_TILES');
  });
});

describe('log', () => {
  it('begins with the lines of the mail', () => {
    expect(expectedLog({ tolud: 0x8000_0000, cpus: 2, shape: '2015' }).startsWith(MAIL)).toBe(true);
  });
});

describe('image', () => {
  it.each([
    [32, '2015'],
    [64, '2015'],
    [32, '2024'],
    [64, '2024'],
  ] as const)(
    '%d-bit %s: power of two, reset vector at FFFFFFF0h, handler at most 300h',
    (bitness, shape) => {
      const { image, base, handlerSize, symbols } = buildFirmware({ bitness, shape });
      expect(Math.log2(image.length) % 1).toBe(0);
      expect(base + image.length).toBe(0x1_0000_0000);
      expect(symbols.get('ResetVector')).toBe(0xffff_fff0);
      expect(image[image.length - 16]).toBe(0xe9);
      expect(handlerSize).toBeLessThanOrEqual(0x300);
      expect(tileSize2015(handlerSize)).toBe(0x800);
    },
  );

  it('asks for the APIC id with 8B 1B on the way back to HLT', () => {
    for (const bitness of [32, 64] as const) {
      const { image, symbols } = buildFirmware({ bitness, shape: '2015' });
      // mov ebx, FEE00020h; mov ebx, [ebx]; shr ebx, 24
      const sequence = Buffer.from('bb2000e0fe8b1bc1eb18', 'hex');
      expect(Buffer.from(image).includes(sequence)).toBe(true);
      expect((symbols.get('ApIdle.whoAmI') ?? 0) - (symbols.get('ApIdle.awake') ?? 0)).toBe(5);
    }
  });

  it('is the same for the same options, and differs with the quirks', () => {
    const hex = (quirks: readonly FirmwareQuirk[]) =>
      Buffer.from(buildFirmware({ bitness: 32, shape: '2015', quirks }).image).toString('hex');
    const plain = hex([]);
    expect(hex([])).toBe(plain);
    for (const [quirk, info] of Object.entries(FIRMWARE_QUIRKS)) {
      if (info.bitness.includes(32)) expect(hex([quirk as FirmwareQuirk])).not.toBe(plain);
    }
    const racing = buildFirmware({ bitness: 32, shape: '2015', waitForRebased: false });
    expect(racing.symbols.has('SmmRelocateBases.waitForAp')).toBe(false);
  });

  it('refuses quirks that mean nothing in it', () => {
    expect(codeOf(() => buildFirmware({ bitness: 32, shape: '2015', quirks: ['Q25'] }))).toBe(
      'FIRMWARE_QUIRK',
    );
    const unknown = 'Q99' as FirmwareQuirk;
    expect(codeOf(() => buildFirmware({ bitness: 32, shape: '2015', quirks: [unknown] }))).toBe(
      'FIRMWARE_QUIRK',
    );
  });
});

describe('symbols', () => {
  it('move with the top of low RAM', () => {
    const { symbols, symbolsAt } = buildFirmware({ bitness: 32, shape: '2015' });
    const mRebased = symbols.get('mRebased') ?? 0;
    expect(mRebased).toBe(0x7ffd_2000 + 0xac00);
    expect(symbolsAt(0x2000_0000).get('mRebased')).toBe(mRebased - 0x6000_0000);
    expect(symbolsAt(0x2000_0000).get('ResetVector')).toBe(0xffff_fff0);
  });

  it.each(['2015', '2024'] as const)(
    '%s: wait loops are disjoint ranges, the relocation wait among them',
    (shape) => {
      const loops = [...buildFirmware({ bitness: 64, shape }).waitLoops()].sort((a, b) => a.start - b.start);
      for (const [at, loop] of loops.entries()) {
        expect(loop.end).toBeGreaterThan(loop.start);
        expect(loop.end).toBeLessThanOrEqual(loops[at + 1]?.start ?? Number.POSITIVE_INFINITY);
      }
      const wait = loops.find(({ name }) => name === 'SmmRelocateBases.waitForAp');
      expect(wait?.waitsFor).toBe(shape === '2015' ? 'mRebased[index]' : 'mRebased');
      expect(wait?.polls).toBeDefined();
      expect(loops.map(({ name }) => name)).toContain('ApIdle');
    },
  );
});

describe('memory map', () => {
  it.each(['2015', '2024'] as const)('%s: ranges ascend and do not overlap; SMRAM lies in TSEG', (shape) => {
    const map = memoryMap({ tolud: 0x2000_0000, cpus: 255, shape });
    for (const [at, range] of map.entries()) {
      expect(range.end).toBeGreaterThan(range.start);
      expect(range.end).toBeLessThanOrEqual(map[at + 1]?.start ?? Number.POSITIVE_INFINITY);
      expect(range.smram).toBe(range.start >= 0x1f80_0000 && range.end <= 0x2000_0000);
    }
  });
});
