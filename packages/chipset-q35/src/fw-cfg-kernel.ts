/**
 * A kernel for the firmware to start (`-kernel`), as fw_cfg items: the image in two pieces, setup code and the rest,
 * with what a boot loader fills in, and beside it an initial RAM disk and a command line.
 * Source: Linux, Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"; addresses are those of QEMU 7.2
 * (measured; a test compares them).
 */
import { isBytes, isShape, isText, maybe, SmmError, wholeNumber } from '@smm/x86-defs';
import { littleEndian } from './fw-cfg.ts';

/** What `-kernel`, `-initrd` and `-append` give. */
export interface KernelFiles {
  /** A bzImage, or another EFI application. */
  readonly image: Uint8Array;
  /** Initial RAM disk. */
  readonly initrd?: Uint8Array;
  /** Command line. Default: empty. */
  readonly commandLine?: string;
}

/** Refuses what is none. */
export const isKernelFiles = isShape<KernelFiles>({
  image: isBytes,
  initrd: maybe(isBytes),
  commandLine: maybe(isText),
});

/** What the file `bootorder` says where a kernel is given: the option ROM by which a BIOS starts it. */
export const KERNEL_BOOT_ORDER = '/rom@genroms/linuxboot_dma.bin';

/** Keys: load address, size and content, each a 32-bit number but for the last. */
const KEYS = {
  kernel: { address: 0x07, size: 0x08, data: 0x11 },
  initrd: { address: 0x0a, size: 0x0b, data: 0x12 },
  commandLine: { address: 0x13, size: 0x14, data: 0x15 },
  setup: { address: 0x16, size: 0x17, data: 0x18 },
} as const;

/** Offsets in the setup code, "Details of Header Fields". */
const HEADER = {
  setupSects: 0x1f1,
  videoMode: 0x1fa,
  magic: 0x202,
  version: 0x206,
  typeOfLoader: 0x210,
  loadFlags: 0x211,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  heapEnd: 0x224,
  commandLine: 0x228,
  initrdMax: 0x22c,
  extendedLoadFlags: 0x236,
  end: 0x238,
} as const;
const MAGIC = 'HdrS';
const LOADED_HIGH = 0x01;
const CAN_USE_HEAP = 0x80;
const CAN_BE_LOADED_ABOVE_4G = 0x02;
/** Loader type of QEMU, version 0. */
const LOADER_QEMU = 0xb0;
const SECTOR = 512;
/** Number of setup sectors that 0 stands for. */
const DEFAULT_SETUP_SECTS = 4;
const PAGE = 0x1000;
/** Bytes below the top of low RAM that are left to the firmware's tables. */
const LEFT_TO_TABLES = 0x2_8000;
/** Highest address of an initial RAM disk for kernels that name none. */
const OLD_INITRD_MAX = 0x37ff_ffff;
/** Magic and offset of a command line for kernels before protocol 2.02. */
const OLD_COMMAND_LINE = { magicAt: 0x20, magic: 0xa33f, offsetAt: 0x22 } as const;
/** Bytes that a command line takes, or a multiple. */
const LINE_UNIT = 16;
/** Bytes between heap and command line. */
const ABOVE_HEAP = 0x200;
/** Values of `vga=` that have names. */
const VIDEO_MODES: Readonly<Record<string, number>> = { normal: 0xffff, ext: 0xfffe, ask: 0xfffd };

/**
 * The items. `topOfLowRam` is the end of RAM below 4 GiB, guest-physical. Throws `SmmError` `KERNEL_IMAGE` for an image
 * that no firmware starts, `KERNEL_INITRD` for an initial RAM disk that does not fit, `OPTION_VALUE`.
 */
export function kernelItems(files: KernelFiles, topOfLowRam: number): Map<number, Uint8Array> {
  isKernelFiles('the kernel', files);
  const { image, initrd, commandLine = '' } = files;
  const version = protocolOf(image);
  const sectors = image[HEADER.setupSects]! || DEFAULT_SETUP_SECTS;
  const setupBytes = (sectors + 1) * SECTOR;
  if (setupBytes > image.length) {
    throw new SmmError(
      'KERNEL_IMAGE',
      `the kernel image has ${image.length} bytes, and its header speaks of ${setupBytes} bytes of setup code`,
      'The file is cut off: copy it anew.',
      { size: image.length, setupBytes },
    );
  }
  const setup = image.slice(0, setupBytes);
  const line = new TextEncoder().encode(`${commandLine}\0`);
  const high = version >= 0x200 && (setup[HEADER.loadFlags]! & LOADED_HIGH) !== 0;
  const modern = high && version >= 0x202;
  const at = {
    setup: modern ? 0x1_0000 : 0x9_0000,
    kernel: high ? 0x10_0000 : 0x1_0000,
    commandLine: modern ? 0x2_0000 : 0x9_a000 - Math.ceil(line.length / LINE_UNIT) * LINE_UNIT,
  };
  const put = (offset: number, value: number, bytes: number): void => {
    setup.set(littleEndian(value, bytes), offset);
  };
  if (version >= 0x202) put(HEADER.commandLine, at.commandLine, 4);
  else if (version > 0) {
    put(OLD_COMMAND_LINE.magicAt, OLD_COMMAND_LINE.magic, 2);
    put(OLD_COMMAND_LINE.offsetAt, at.commandLine - at.setup, 2);
  }
  const mode = /vga=([^ ]*)/.exec(commandLine)?.[1];
  if (mode !== undefined) put(HEADER.videoMode, videoMode(mode), 2);
  if (version >= 0x200) setup[HEADER.typeOfLoader] = LOADER_QEMU;
  if (version >= 0x201) {
    setup[HEADER.loadFlags]! |= CAN_USE_HEAP;
    put(HEADER.heapEnd, at.commandLine - at.setup - ABOVE_HEAP, 2);
  }
  const items = new Map<number, Uint8Array>();
  const add = (keys: (typeof KEYS)[keyof typeof KEYS], address: number, data: Uint8Array): void => {
    items.set(keys.address, littleEndian(address, 4));
    items.set(keys.size, littleEndian(data.length, 4));
    items.set(keys.data, data);
  };
  if (initrd !== undefined) {
    const address = initrdAddress(image, version, initrd.length, topOfLowRam);
    put(HEADER.ramdiskImage, address, 4);
    put(HEADER.ramdiskSize, initrd.length, 4);
    add(KEYS.initrd, address, initrd);
  }
  add(KEYS.commandLine, at.commandLine, line);
  add(KEYS.kernel, at.kernel, image.slice(setupBytes));
  add(KEYS.setup, at.setup, setup);
  return items;
}

/** The number that a `vga=` of the command line means. */
function videoMode(text: string): number {
  return (
    VIDEO_MODES[text] ??
    wholeNumber('vga= of the command line', text === '' ? Number.NaN : Number(text), 0, 0xffff)
  );
}

/** Version of the boot protocol, 0 for an EFI application that is no Linux kernel. */
function protocolOf(image: Uint8Array): number {
  const text = (offset: number, length: number): string =>
    String.fromCharCode(...image.subarray(offset, offset + length));
  const long = image.length >= HEADER.end;
  if (long && text(HEADER.magic, MAGIC.length) === MAGIC)
    return image[HEADER.version]! + 256 * image[HEADER.version + 1]!;
  if (long && text(0, 2) === 'MZ') return 0;
  throw new SmmError(
    'KERNEL_IMAGE',
    `the kernel image is neither a bzImage nor an EFI application${text(1, 3) === 'ELF' ? ' but an ELF file' : ''}`,
    'Give what the distribution installs as /boot/vmlinuz-VERSION, or a file that ends in .efi.',
    { size: image.length },
  );
}

function initrdAddress(image: Uint8Array, version: number, size: number, topOfLowRam: number): number {
  if (version < 0x200) {
    throw new SmmError(
      'KERNEL_INITRD',
      'the kernel image does not take an initial RAM disk: it has no header of boot protocol 2.00 or later',
      'Leave out the initial RAM disk, or give a Linux kernel.',
      { version },
    );
  }
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const anywhere =
    version >= 0x20c && (view.getUint16(HEADER.extendedLoadFlags, true) & CAN_BE_LOADED_ABOVE_4G) !== 0;
  const highest = anywhere
    ? 0xffff_ffff
    : version >= 0x203
      ? view.getUint32(HEADER.initrdMax, true)
      : OLD_INITRD_MAX;
  const last = Math.min(highest, topOfLowRam - LEFT_TO_TABLES - 1);
  if (size >= last) {
    throw new SmmError(
      'KERNEL_INITRD',
      `the initial RAM disk has ${size} bytes, and there is room for ${Math.max(0, last)}`,
      'Give the machine more memory (-m), or a smaller initial RAM disk.',
      { size, room: last },
    );
  }
  return Math.floor((last - size) / PAGE) * PAGE;
}
