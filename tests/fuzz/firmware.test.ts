/** Any bytes may be firmware: volumes that hold files, loaded images, and what a machine starts with. */
import { Boot } from '@smm/machine';
import { expect, it } from 'vitest';
import { findFirmwareFiles } from '../../packages/machine/src/scenario/boot/firmware-volumes.ts';
import { ModuleMap } from '../../packages/machine/src/scenario/boot/module-map.ts';
import { pe, volume } from '../../packages/machine/test/firmware-builder.ts';
import { damaged, fromHex, fuzz, toHex } from '../support/fuzz.ts';

const SIZE = 0x8000;
const GOOD = volume(
  [
    { name: 'SecMain', type: 3, image: Uint8Array.of(1, 2, 3, 4, 5), te: true },
    { name: 'CpuDxe', type: 7, image: pe(0x1000, 0x3000) },
    { name: 'PiSmmCpuDxeSmm', type: 10, image: pe(0x1200, 0x5000) },
    { name: 'Logo', type: 2 },
  ],
  0x1000,
);

/** One to four volumes, damaged, among each other. */
const image = (random: Parameters<typeof damaged>[0]): Uint8Array => {
  const bytes = new Uint8Array(SIZE).fill(random.pick([0, 0xff]));
  for (let n = random.below(4); n >= 0; n--) {
    const part = damaged(random, GOOD).subarray(0, 0x1000);
    bytes.set(part, 0x1000 * random.below(SIZE / 0x1000));
  }
  return bytes;
};

it('files and modules are found, or not', () => {
  let files = 0;
  let modules = 0;
  fuzz<Uint8Array>({
    runs: [3000, 1_000_000],
    make: image,
    use: (bytes) => {
      for (const { start, end, image: at, imageSize } of findFirmwareFiles(bytes)) {
        files++;
        if (start >= end || end > bytes.length || (at >= 0 && at + imageSize > bytes.length))
          throw new Error(`a file from ${start} to ${end} with its image at ${at}`);
      }
      const peek = (gpa: number, size: number): Uint8Array => bytes.slice(gpa, gpa + size);
      const map = new ModuleMap(peek);
      map.learn([{ start: 0, bytes }]);
      for (let address = 0x77; address < SIZE; address += 0x800) if (map.find(address)) modules++;
    },
    show: toHex,
  });
  expect(files).toBeGreaterThan(1000);
  expect(modules).toBeGreaterThan(1000);
});

it('a machine starts with any flash images, and runs them', () => {
  const { taken, refused } = fuzz<readonly [code: Uint8Array, vars: Uint8Array, memoryMiB: number]>({
    runs: [25, 2000],
    corpus: [[new Uint8Array(0), fromHex('ff'), 16]],
    make: (random) => {
      const bytes = (): Uint8Array =>
        new Uint8Array(
          random.below(8) ? random.pick([0x1000, 0x2000, 0x2_0000]) : random.pick([0, 1, 0xfff]),
        );
      const code = bytes().map(() => random.next());
      if (code.length >= 16 && random.below(2)) code.set([0xe9, random.next(), 0xff], code.length - 16);
      const vars = bytes();
      vars.set(damaged(random, GOOD).subarray(0, Math.min(vars.length, 0x1000)));
      return [code, vars, random.below(4) ? 32 : random.pick([1, 0, -1, 0.5, Number.NaN])];
    },
    use: ([code, vars, memoryMiB]) => {
      const boot = new Boot({ code, vars, memoryMiB, tier: 'interpreter' });
      boot.run(2000);
    },
    show: ([code, vars, memoryMiB]) => `${toHex(code)} ${toHex(vars)} ${memoryMiB}`,
  });
  expect(taken).toBeGreaterThan(5);
  expect(refused.get('FLASH_SIZE')).toBeGreaterThan(0);
});
