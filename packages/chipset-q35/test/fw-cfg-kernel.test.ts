/** What `-kernel`, `-initrd`, `-append` and `-boot` put into fw_cfg, and the map of memory, against QEMU's. */
import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { inScratch } from '../../../tests/support/qemu.ts';
import { FW_CFG_BOOT_MENU } from '../src/fw-cfg.ts';
import { memoryMapFile, q35FwCfgItems } from '../src/fw-cfg-files.ts';
import { KERNEL_BOOT_ORDER } from '../src/fw-cfg-kernel.ts';
import {
  type BootPreferences,
  type KernelFiles,
  kernelItems,
  q35FwCfgFiles,
  q35RamLayout,
} from '../src/index.ts';
import { fileOfQemu, readItem } from './support/fw-cfg-of-qemu.ts';
import { oracleMissing, runOnQemu } from './support/qemu-oracle.ts';

const missing = oracleMissing();
const MIB = 0x10_0000;
const hex = (bytes: Iterable<number>): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');

/** A kernel image by the boot protocol, of one sector of setup code unless told otherwise. */
function bzImage(
  version: number,
  more: { loadFlags?: number; initrdMax?: number; xload?: number } = {},
): Uint8Array {
  const image = Uint8Array.from({ length: 1024 + 40 }, (_, i) => (i * 7) & 0xff);
  const view = new DataView(image.buffer);
  image[0x1f1] = 1;
  image.set(new TextEncoder().encode('HdrS'), 0x202);
  view.setUint16(0x206, version, true);
  image[0x211] = more.loadFlags ?? 1;
  view.setUint32(0x22c, more.initrdMax ?? 0x37ff_ffff, true);
  view.setUint16(0x236, more.xload ?? 0, true);
  return image;
}

/** An EFI application that is no Linux kernel. */
function efiApplication(): Uint8Array {
  const image = new Uint8Array(4096).map((_, i) => (i * 5) & 0xff);
  image.set([0x4d, 0x5a]);
  image[0x1f1] = 0; // stands for four sectors
  image.fill(0, 0x202, 0x206);
  return image;
}

const KERNELS: readonly (readonly [string, KernelFiles])[] = [
  [
    'of today',
    { image: bzImage(0x20f, { xload: 0x7f }), initrd: new Uint8Array(5000).fill(9), commandLine: 'quiet' },
  ],
  [
    'with a limit for the RAM disk',
    { image: bzImage(0x20b, { initrdMax: 0x1fff_ffff }), initrd: new Uint8Array(4096) },
  ],
  ['of protocol 2.12 without leave above 4 GiB', { image: bzImage(0x20c), initrd: new Uint8Array(1) }],
  ['with a low limit', { image: bzImage(0x203, { initrdMax: 0x2f_ffff }), initrd: new Uint8Array(77) }],
  ['of protocol 2.02', { image: bzImage(0x202), initrd: new Uint8Array(77), commandLine: 'a b vga=ask' }],
  ['of protocol 2.01', { image: bzImage(0x201), commandLine: 'x' }],
  ['that is loaded low', { image: bzImage(0x200, { loadFlags: 0 }), initrd: new Uint8Array(77) }],
  ['with a video mode', { image: bzImage(0x20f), commandLine: 'vga=0x317 debug' }],
  ['that is another EFI application', { image: efiApplication(), commandLine: 'options' }],
];

describe.skipIf(missing !== undefined)(`a kernel in fw_cfg is as QEMU gives it ${missing ?? ''}`, () => {
  it.each(KERNELS)('%s', (_name, files) => {
    inScratch((path) => {
      const { image, initrd, commandLine } = files;
      writeFileSync(path('kernel'), image);
      if (initrd !== undefined) writeFileSync(path('initrd'), initrd);
      const args = [
        ...['-m', '256', '-kernel', path('kernel')],
        ...(initrd === undefined ? [] : ['-initrd', path('initrd')]),
        ...(commandLine === undefined ? [] : ['-append', commandLine]),
      ];
      const ours = kernelItems(files, 256 * MIB);
      expect([...ours.keys()].sort()).toEqual(
        [
          7,
          8,
          0x11,
          0x13,
          0x14,
          0x15,
          0x16,
          0x17,
          0x18,
          ...(initrd === undefined ? [] : [0xa, 0xb, 0x12]),
        ].sort(),
      );
      // A byte more than is there reads 0 on QEMU; long items are read by their ends.
      const all = [...ours].flatMap(([key, bytes]) => readItem(key, Math.min(bytes.length, 1500)));
      expect(all.length).toBeLessThan(3500);
      const theirs = runOnQemu(all, args);
      const expected = [...ours.values()].flatMap((bytes) => [...bytes.subarray(0, 1500)]);
      expect(hex(expected)).toBe(hex(theirs));
    });
  });

  it.each([false, true])('comes first in the order of booting, strict %s', (strict) => {
    inScratch((path) => {
      writeFileSync(path('kernel'), bzImage(0x20f));
      const args = ['-m', '256', '-kernel', path('kernel'), '-boot', `strict=${strict ? 'on' : 'off'}`];
      const order = fileOfQemu('bootorder', args);
      const [ours] = q35FwCfgFiles({ s3: true, s4: true }, { order: [KERNEL_BOOT_ORDER], strict }).filter(
        ({ name }) => name === 'bootorder',
      );
      expect(hex(ours!.data)).toBe(hex(order!));
    });
  });
});

describe.skipIf(missing !== undefined)(
  `-boot and the map of memory are as QEMU gives them ${missing ?? ''}`,
  () => {
    const BOOTS: readonly (readonly [string, BootPreferences])[] = [
      ['menu=on,splash-time=1234', { menu: true, menuWaitMs: 1234 }],
      ['menu=off,splash-time=0', { menuWaitMs: 0 }],
      ['reboot-timeout=777,strict=on', { failWaitMs: 777, strict: true }],
    ];
    it.each(BOOTS)('-boot %s', (words, boot) => {
      const args = ['-m', '256', '-boot', words];
      for (const name of ['bootorder', 'etc/boot-menu-wait', 'etc/boot-fail-wait']) {
        const ours = q35FwCfgFiles({ s3: true, s4: true }, boot).find((file) => file.name === name);
        const theirs = fileOfQemu(name, args);
        expect(ours && hex(ours.data), name).toBe(theirs && hex(theirs));
      }
      const menu = q35FwCfgItems(256 * MIB, true, boot).get(FW_CFG_BOOT_MENU)!;
      expect(hex(menu)).toBe(hex(runOnQemu(readItem(FW_CFG_BOOT_MENU, 2), args)));
    });

    it.each([
      ['qemu32', 256, []],
      ['qemu64', 512, [{ start: 0xfd_0000_0000, sizeBytes: 0x3_0000_0000 }]],
      ['qemu32', 3072, []],
    ] as const)('etc/e820 of %s with %i MiB', (cpu, memory, reserved) => {
      const theirs = fileOfQemu('etc/e820', ['-m', String(memory), '-cpu', cpu]);
      expect(hex(memoryMapFile(q35RamLayout(memory * MIB), reserved).data)).toBe(hex(theirs!));
    });
  },
);

describe('a kernel that cannot be started', () => {
  const initrd = new Uint8Array(8 * MIB);
  it.each<readonly [string, KernelFiles, string, RegExp]>([
    [
      'is no kernel',
      { image: new Uint8Array(4096) },
      'KERNEL_IMAGE',
      /neither a bzImage nor an EFI application/,
    ],
    [
      'is an ELF file',
      { image: Uint8Array.from([0x7f, 0x45, 0x4c, 0x46]) },
      'KERNEL_IMAGE',
      /but an ELF file/,
    ],
    ['is cut off', { image: bzImage(0x20f).subarray(0, 900) }, 'KERNEL_IMAGE', /speaks of 1024 bytes/],
    ['is empty', { image: new Uint8Array(0) }, 'KERNEL_IMAGE', /neither/],
    ['has a RAM disk larger than memory', { image: bzImage(0x20f), initrd }, 'KERNEL_INITRD', /room for/],
    ['takes no RAM disk', { image: efiApplication(), initrd }, 'KERNEL_INITRD', /does not take/],
    [
      'has a video mode that is none',
      { image: bzImage(0x20f), commandLine: 'vga=big' },
      'OPTION_VALUE',
      /vga=/,
    ],
  ])('because it %s', (_what, files, code, message) => {
    const failure = expect.objectContaining({
      code,
      message: expect.stringMatching(message) as string,
    }) as Error;
    expect(() => kernelItems(files, 8 * MIB)).toThrow(failure);
  });
});
