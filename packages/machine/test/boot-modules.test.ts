/** Firmware volumes and loaded images by the layout of the PI specification, built here byte by byte. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findFirmwareFiles } from '../src/scenario/boot/firmware-volumes.ts';
import { ModuleMap } from '../src/scenario/boot/module-map.ts';
import { pe, type TestFile, volume } from './firmware-builder.ts';

describe('volumes', () => {
  const files: TestFile[] = [
    { name: 'SecMain', type: 3, image: Uint8Array.of(1, 2, 3, 4, 5), te: true },
    { name: 'PeiCore', type: 4, image: new Uint8Array(100).fill(7), te: true },
    { name: 'CpuDxe', type: 7, image: pe(0x1000, 0x3000) },
    { name: 'PiSmmCpuDxeSmm', type: 10, image: pe(0x1200, 0x5000) },
    { name: 'Shell', type: 9, image: pe(0x1400, 0x4000) },
    { name: 'Logo', type: 2 },
  ];

  it('give names, kinds and images of their files, wherever they lie', () => {
    const bytes = new Uint8Array(0x4_0000);
    bytes.set(volume(files.slice(0, 2)), 0x1000);
    bytes.set(volume(files.slice(2)), 0x1_1000);
    const found = findFirmwareFiles(bytes);
    expect(found.map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      'SEC SecMain',
      'PEI core PeiCore',
      'driver CpuDxe',
      'SMM PiSmmCpuDxeSmm',
      'application Shell',
      'other Logo',
    ]);
    for (const [i, { image, imageSize }] of found.entries()) {
      const wanted = files[i]!.image;
      if (wanted === undefined) expect(image).toBe(-1);
      else expect(bytes.subarray(image, image + imageSize)).toEqual(wanted);
    }
  });

  it('that are damaged give fewer files, and never an exception', () => {
    const good = volume(files);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(0x600), fc.nat(255)), { maxLength: 12 }),
        fc.nat(good.length),
        (changes, length) => {
          const bytes = good.slice(0, length);
          for (const [at, value] of changes) bytes[at] = value;
          for (const { image, imageSize, start, end } of findFirmwareFiles(bytes)) {
            expect(start).toBeLessThan(end);
            expect(image < 0 || image + imageSize <= bytes.length).toBe(true);
          }
        },
      ),
    );
  });

  it('with headers that point anywhere too, to the last byte of the volume', () => {
    const edge = (max: number) =>
      fc.oneof(
        fc.nat(max),
        fc.nat(64).map((n) => max - n),
      );
    fc.assert(
      fc.property(edge(0xffff), edge(0xffff), fc.nat(40), fc.boolean(), (extended, first, cut, large) => {
        const bytes = new Uint8Array(0x1_0000 - cut).fill(0xff);
        const view = new DataView(bytes.buffer);
        bytes.set(volume(files).subarray(0, 0x48));
        view.setUint32(0x20, bytes.length, true);
        view.setUint16(0x30, first, true);
        view.setUint16(0x34, extended, true);
        const at = Math.min(bytes.length - 24, Math.ceil(first / 8) * 8);
        bytes.set([7, large ? 1 : 0, 24, 0, 0], at + 0x12); // a file header in the volume's last bytes
        for (const { image, imageSize } of findFirmwareFiles(bytes))
          expect(image < 0 || image + imageSize <= bytes.length).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('module map', () => {
  const memory = new Uint8Array(0x10_0000);
  const map = new ModuleMap((gpa, size) => memory.slice(gpa, gpa + size));
  const image = pe(0x1200, 0x5000);
  memory.set(volume([{ name: 'SecMain', type: 3, image: new Uint8Array(64).fill(9), te: true }]), 0);
  memory.set(volume([{ name: 'PiSmmCpuDxeSmm', type: 10, image }]), 0x1_0000);

  it('knows nothing before it has seen the volumes', () => {
    expect(map.find(0x60)).toBeUndefined();
  });

  it('names files that run in place and images that were loaded elsewhere', () => {
    map.learn([{ start: 0, bytes: memory.subarray(0, 0x2_0000) }]);
    const [sec] = findFirmwareFiles(memory);
    expect(map.find(sec!.image + 5)).toEqual({ name: 'SecMain', kind: 'SEC', offset: 5, base: sec!.image });
    memory.set(image, 0x8_0000);
    expect(map.find(0x8_3259)).toEqual({
      name: 'PiSmmCpuDxeSmm',
      kind: 'SMM',
      offset: 0x3259,
      base: 0x8_0000,
    });
    expect(map.find(0x8_5000)).toBeUndefined();
  });

  it('finds nothing at addresses that do not exist, and ends', () => {
    for (const address of [2 ** 52, 0xffff_8000 * 2 ** 32, 2 ** 64 - 2048])
      expect(map.find(address)).toBeUndefined();
  });

  it('forgets an image when its memory has another use', () => {
    memory.fill(0, 0x8_0000, 0x8_0400);
    expect(map.find(0x8_3259)).toBeUndefined();
  });
});
