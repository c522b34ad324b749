/** Disks over images: overlays against plain memory, and what snapshots hold of either. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DirectDisk, MemoryStore, OverlayDisk } from '../src/index.ts';

const SIZE = 0x8000;
const base = Uint8Array.from({ length: SIZE }, (_, i) => (i >>> 8) ^ i);

const piece = fc.record({
  at: fc.nat({ max: SIZE - 1 }),
  length: fc.constantFrom(1, 512, 4096, 9000),
  value: fc.nat({ max: 255 }),
});

function all(disk: { sizeBytes: number; read(at: number, into: Uint8Array): void }): Uint8Array {
  const bytes = new Uint8Array(disk.sizeBytes);
  disk.read(0, bytes);
  return bytes;
}

describe('an overlay', () => {
  it('reads what was written last, anywhere, and leaves the image alone', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), fc.array(piece, { maxLength: 10 }), (writes, reads) => {
        const image = new MemoryStore(base);
        const disk = new OverlayDisk(image);
        const expected = base.slice();
        for (const { at, length, value } of writes) {
          const bytes = new Uint8Array(Math.min(length, SIZE - at)).fill(value);
          disk.write(at, bytes);
          expected.set(bytes, at);
        }
        for (const { at, length } of reads) {
          const found = new Uint8Array(Math.min(length, SIZE - at));
          disk.read(at, found);
          expect(Buffer.compare(found, expected.subarray(at, at + found.length))).toBe(0);
        }
        expect(Buffer.compare(all(disk), expected)).toBe(0);
        expect(Buffer.compare(image.bytes, base)).toBe(0);
        const other = new OverlayDisk(new MemoryStore(base));
        other.write(100, Uint8Array.of(1, 2, 3));
        other.restore(structuredClone(disk.save()));
        expect(Buffer.compare(all(other), expected)).toBe(0);
        expect(other.save().pieces.map(({ at }) => at)).toEqual(disk.save().pieces.map(({ at }) => at));
        disk.reset();
        expect(Buffer.compare(all(disk), base)).toBe(0);
      }),
    );
  });

  it('keeps no more than it may', () => {
    const disk = new OverlayDisk(new MemoryStore(base), { limitBytes: 0x2000 });
    disk.write(0x1000, Uint8Array.of(1));
    disk.write(0x5000, Uint8Array.of(2));
    disk.write(0x1fff, Uint8Array.of(3));
    expect(() => disk.write(0x6000, Uint8Array.of(4))).toThrow('has written 8192 bytes');
    expect(all(disk)[0x1fff]).toBe(3);
  });

  it('takes no part in what its snapshot becomes', () => {
    const disk = new OverlayDisk(new MemoryStore(base));
    disk.write(0, Uint8Array.of(9));
    const saved = disk.save();
    disk.write(0, Uint8Array.of(8));
    expect(saved.pieces[0]!.bytes[0]).toBe(9);
    disk.restore(saved);
    disk.write(0, Uint8Array.of(7));
    expect(saved.pieces[0]!.bytes[0]).toBe(9);
  });
});

describe('a disk that is written at once', () => {
  const written = (...writes: readonly (readonly [number, number])[]): DirectDisk => {
    const disk = new DirectDisk(new MemoryStore(base));
    for (const [at, value] of writes) disk.write(at, new Uint8Array(512).fill(value));
    return disk;
  };

  it('takes a snapshot back where the same was written, in the same order', () => {
    const saved = written([0, 1], [512, 2]).save();
    written([0, 1], [512, 2]).restore(saved);
    for (const other of [
      written(),
      written([0, 1]),
      written([512, 2], [0, 1]),
      written([0, 1], [512, 3]),
      written([0, 1], [1024, 2]),
    ])
      expect(() => other.restore(saved)).toThrow('cannot be put back');
  });

  it('keeps what is written over power-on', () => {
    const disk = written([0, 1]);
    const saved = disk.save();
    disk.reset();
    expect(disk.save()).toEqual(saved);
    expect(all(disk)[0]).toBe(1);
  });
});
