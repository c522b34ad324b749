/** Which images are opened, and what is said of those that are not. */
import { deflateRawSync } from 'node:zlib';
import { SmmError } from '@smm/x86-defs';
import { describe, expect, it } from 'vitest';
import { createQcow2, MemoryStore, openImage } from '../src/index.ts';
import { inflateRaw } from './support.ts';

const SIZE = 2 ** 20;

function qcow2(change: (view: DataView, bytes: Uint8Array) => void = () => undefined): MemoryStore {
  const file = new MemoryStore();
  createQcow2(file, { sizeBytes: SIZE });
  const { bytes } = file;
  change(new DataView(bytes.buffer), bytes);
  return new MemoryStore(bytes);
}

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (SmmError.isInstance(error)) return error.code;
    throw error;
  }
  return undefined;
}

describe('an image', () => {
  it('is raw unless it looks like another', () => {
    const file = new MemoryStore(Uint8Array.from({ length: 700 }, (_, i) => i));
    const disk = openImage(file);
    expect(disk.sizeBytes).toBe(1024);
    const end = new Uint8Array(512).fill(0xee);
    disk.read(512, end);
    expect([...end.subarray(186, 190)]).toEqual([698 & 0xff, 699 & 0xff, 0, 0]);
    disk.write(512, end.fill(7));
    expect(file.sizeBytes).toBe(1024);
    expect(codeOf(() => disk.write(1024, end))).toBe('BLOCK_WRITE');
    expect(codeOf(() => openImage(file, { readonly: true }).write(0, end))).toBe('BLOCK_WRITE');
  });

  it('of another program is refused by name, and taken as it is if it is called raw', () => {
    for (const [mark, name] of [
      ['KDMV', 'vmdk'],
      ['vhdxfile', 'vhdx'],
      ['conectix', 'vpc'],
      ['<<< Oracle', 'vdi'],
    ] as const) {
      const file = new MemoryStore(new TextEncoder().encode(mark.padEnd(512)));
      expect(() => openImage(file)).toThrow(name);
      expect(openImage(file, { format: 'raw' }).sizeBytes).toBe(512);
    }
    expect(codeOf(() => openImage(new MemoryStore(new Uint8Array(512)), { format: 'qcow2' }))).toBe(
      'IMAGE_FORMAT',
    );
  });

  it.each([
    ['version 1', (v: DataView) => v.setUint32(4, 1), 'IMAGE_FEATURE'],
    ['version 4', (v: DataView) => v.setUint32(4, 4), 'IMAGE_FORMAT'],
    ['clusters of 256 bytes', (v: DataView) => v.setUint32(20, 8), 'IMAGE_FORMAT'],
    ['clusters of 4 MiB', (v: DataView) => v.setUint32(20, 22), 'IMAGE_FORMAT'],
    ['encryption', (v: DataView) => v.setUint32(32, 1), 'IMAGE_FEATURE'],
    ['a first table that is too short', (v: DataView) => v.setUint32(36, 0), 'IMAGE_FORMAT'],
    ['a first table of gigabytes', (v: DataView) => v.setUint32(36, 0x1000_0000), 'IMAGE_FORMAT'],
    ['a first table between clusters', (v: DataView) => v.setUint32(44, 0x123), 'IMAGE_FORMAT'],
    ['no refcount table', (v: DataView) => v.setUint32(56, 0), 'IMAGE_FORMAT'],
    ['a refcount table of gigabytes', (v: DataView) => v.setUint32(56, 0x10_0000), 'IMAGE_FORMAT'],
    ['refcounts of 128 bits', (v: DataView) => v.setUint32(96, 7), 'IMAGE_FORMAT'],
    ['a header without end', (v: DataView) => v.setUint32(100, 0xffff_fff8), 'IMAGE_FORMAT'],
    ['a size beyond all files', (v: DataView) => v.setUint32(24, 0xffff_ffff), 'IMAGE_FORMAT'],
    ['a data file', (v: DataView) => v.setUint32(76, 4), 'IMAGE_FEATURE'],
    ['extended entries', (v: DataView) => v.setUint32(76, 16), 'IMAGE_FEATURE'],
    ['a feature that nobody knows', (v: DataView) => v.setUint32(72, 1), 'IMAGE_FEATURE'],
    ['a mark of damage', (v: DataView) => v.setUint32(76, 1), 'IMAGE_FORMAT'],
    [
      'a long name below',
      (v: DataView) => {
        v.setUint32(12, 512);
        v.setUint32(16, 5000);
      },
      'IMAGE_FORMAT',
    ],
    [
      'another image below that is not given',
      (v: DataView) => {
        v.setUint32(12, 512);
        v.setUint32(16, 5);
      },
      'IMAGE_BACKING',
    ],
  ] as const)('with %s is refused', (_, change, code) => {
    expect(codeOf(() => openImage(qcow2(change)))).toBe(code);
  });

  it('with a mark of damage can still be read', () => {
    const disk = openImage(
      qcow2((v) => v.setUint32(76, 3)),
      { readonly: true },
    );
    const bytes = Uint8Array.of(1);
    disk.read(0, bytes);
    expect([disk.readonly, bytes[0]]).toEqual([true, 0]);
  });

  it('with tables that lead nowhere is an error when they are needed', () => {
    const sector = new Uint8Array(512);
    const l1 = 3 * 0x1_0000;
    const astray = qcow2((view) => view.setUint32(l1 + 4, 0x1_0200));
    expect(codeOf(() => openImage(astray).read(0, sector))).toBe('IMAGE_DAMAGED');
    const counted = qcow2((view) => view.setUint32(0x1_0004, 0x2_0200));
    expect(codeOf(() => openImage(counted).write(0, sector))).toBe('IMAGE_DAMAGED');
  });

  it('forgets features that it does not keep up when it is written, not before', () => {
    const file = qcow2((view) => view.setUint32(92, 1));
    const disk = openImage(file);
    expect(file.bytes[95]).toBe(1);
    disk.write(0, new Uint8Array(512));
    expect(file.bytes[95]).toBe(0);
  });

  it('with compressed clusters needs somebody who unpacks them', () => {
    const content = new Uint8Array(0x1_0000).fill(0x5a);
    const packed = deflateRawSync(content);
    const file = qcow2();
    const [l2, data] = [0x4_0000, 0x5_0000];
    const entry = new Uint8Array(8);
    new DataView(entry.buffer).setUint32(0, 0x4000_0000);
    new DataView(entry.buffer).setUint32(4, data + 16);
    file.write(0x3_0000, Uint8Array.of(0, 0, 0, 0, 0, 4, 0, 0));
    file.write(l2, entry);
    file.write(data + 16, packed);
    const bytes = new Uint8Array(0x1_0000);
    expect(codeOf(() => openImage(file).read(0, bytes))).toBe('IMAGE_FEATURE');
    openImage(file, { inflateRaw }).read(0, bytes);
    expect(bytes).toEqual(content);
    file.write(data + 16, new Uint8Array(packed.length).fill(0xff));
    expect(codeOf(() => openImage(file, { inflateRaw }).read(0, bytes))).toBe('IMAGE_DAMAGED');
  });
});
