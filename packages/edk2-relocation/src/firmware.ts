/** Builds the flash image. */
import { assemble } from '@smm/asm';
import {
  checkOptions,
  isFlag,
  isListOf,
  isOneOf,
  isText,
  isWhole,
  maybe,
  type OptionShape,
  SmmError,
} from '@smm/x86-defs';
import {
  BACK_BUF_SIZE,
  COMMON_SYMBOLS,
  DXE_IMAGE_SIZE,
  FLASH_BASE,
  FLASH_CODE_SIZE,
  FLASH_SIZE,
  MAX_SMI_HANDLER_SIZE,
  PLATFORM_FIELDS,
  SMM_IMAGE_SIZE,
} from './layout.ts';
import { link, type RelocatableImage } from './link.ts';
import { DXE_IMAGE_CODE_LIMIT, dxeImage } from './source/dxe.ts';
import {
  SMM_IMAGE_CODE_LIMIT,
  SMM_IMAGE_VARIABLES,
  SMM_IMAGE_VARIABLES_SIZE,
  smmImage,
} from './source/pi-smm-cpu.ts';
import { flashCode } from './source/reset.ts';
import { type FirmwareShape, TILE_SIZE_2024 } from './tiles.ts';
import { checkQuirks, type FirmwareQuirk, type FirmwareVariant } from './variant.ts';
import { type WaitLoop, waitLoopsOf } from './wait-loops.ts';

/** Choices of {@link buildFirmware}. */
export interface FirmwareOptions {
  /** Width of DXE and SMM code. */
  readonly bitness: 32 | 64;
  /** PiSmmCpuDxeSmm of 2015, or SmmRelocationLib of 2024. */
  readonly shape: FirmwareShape;
  /** False builds a firmware whose BSP does not wait for the APs' mRebased flags: a race on purpose. True if absent. */
  readonly waitForRebased?: boolean;
  /** Size of TSEG in MiB; 8 if absent. */
  readonly tsegMb?: 1 | 2 | 8;
  /**
   * A firmware that sleeps in S3 after its first normal SMI, is woken by the RTC within a second and relocates again;
   * of the 2015 shape alone. False if absent; Q11 brings it.
   */
  readonly s3?: boolean;
  /** Historical defects to build in. */
  readonly quirks?: readonly FirmwareQuirk[];
  /** Polls without a new arrival after which the first normal SMI gives up on the missing CPUs; 100000h if absent. */
  readonly gatherPolls?: number;
  /**
   * Top of low usable DRAM for `symbols`, guest-physical; 80000000h (`-m 2048`) if absent. The image itself works for
   * any.
   */
  readonly tolud?: number;
}

const FIRMWARE_SHAPE: OptionShape<FirmwareOptions> = {
  bitness: isOneOf([32, 64]),
  shape: isOneOf(['2015', '2024']),
  waitForRebased: maybe(isFlag),
  s3: maybe(isFlag),
  tsegMb: maybe(isOneOf([1, 2, 8])),
  quirks: maybe(isListOf(isText)), // checkQuirks knows them
  gatherPolls: maybe(isWhole(1, 0xffff_ffff)),
  tolud: maybe(isWhole(0, 0xffff_ffff)),
};

/** What {@link buildFirmware} returns. */
export interface Firmware {
  /** Flash contents; a power of two in size, to be mapped so that it ends at 4 GiB. */
  readonly image: Uint8Array;
  /** Guest-physical address of the first byte of `image`. */
  readonly base: number;
  /** Guest-physical addresses of code and data for `options.tolud`. */
  readonly symbols: ReadonlyMap<string, number>;
  /** The same for another top of low DRAM. */
  readonly symbolsAt: (tolud: number) => ReadonlyMap<string, number>;
  /** Loops in which a CPU can be found waiting or halted, for `tolud` (default `options.tolud`). */
  readonly waitLoops: (tolud?: number) => readonly WaitLoop[];
  /** Size of the SMI handler template in bytes. */
  readonly handlerSize: number;
  /** TSEG size in MiB. */
  readonly tsegMb: 1 | 2 | 8;
}

function variantOf(options: FirmwareOptions): FirmwareVariant {
  const { bitness, shape, quirks = [] } = options;
  checkQuirks(quirks, bitness, shape);
  const chosen = new Set(quirks);
  return {
    bitness,
    shape,
    waitForRebased: options.waitForRebased ?? true,
    tsegMb: options.tsegMb ?? 8,
    gatherPolls: options.gatherPolls ?? 0x10_0000,
    s3: sleeps(options),
    has: (quirk) => chosen.has(quirk),
  };
}

/** Throws SmmError `FIRMWARE_S3` for a shape that has no resume path. */
function sleeps({ s3 = false, quirks = [], shape }: FirmwareOptions): boolean {
  if (s3 && shape !== '2015') {
    throw new SmmError(
      'FIRMWARE_S3',
      `firmware of ${shape} has no resume from S3 here`,
      'Use the 2015 shape, or leave S3 out.',
      { shape },
    );
  }
  return s3 || quirks.includes('Q11');
}

function sizeBetween(image: RelocatableImage, start: string, end: string): number {
  return (image.symbols.get(end) ?? 0) - (image.symbols.get(start) ?? 0);
}

/** Places `bytes` into `flash` at `offset`, after what is there; throws when it runs into the code. */
class FlashWriter {
  readonly bytes = new Uint8Array(FLASH_SIZE).fill(0xff);
  #next = 0;

  add(bytes: Uint8Array): number {
    const at = this.#next;
    if (at + bytes.length > FLASH_SIZE - FLASH_CODE_SIZE) {
      throw new SmmError('FIRMWARE_IMAGE', 'the images do not fit the flash', 'Enlarge FLASH_SIZE.', { at });
    }
    this.bytes.set(bytes, at);
    this.#next = (at + bytes.length + 15) & ~15;
    return FLASH_BASE + at;
  }

  addRelocations(offsets: readonly number[]): number {
    const table = new Uint8Array(offsets.length * 2);
    const view = new DataView(table.buffer);
    offsets.forEach((offset, index) => {
      view.setUint16(index * 2, offset, true);
    });
    return this.add(table);
  }
}

/**
 * Builds a flash image that relocates SMBASE as edk2 does, on QEMU's q35 or a machine like it.
 *
 * Throws `SmmError` `OPTION_VALUE` for options that are none, `FIRMWARE_QUIRK` when the quirks do not fit the shape or
 * width.
 */
export function buildFirmware(options: FirmwareOptions): Firmware {
  checkOptions('the options of the firmware', options, FIRMWARE_SHAPE);
  const variant = variantOf(options);
  const common = { ...COMMON_SYMBOLS, TILE_SIZE: TILE_SIZE_2024 };
  const smm = link('SMM image', smmImage(variant), common, SMM_IMAGE_CODE_LIMIT);
  const dxe = link('DXE image', dxeImage(variant), common, DXE_IMAGE_CODE_LIMIT);
  const relocator = variant.shape === '2015' ? smm : dxe;
  const handlerSize = sizeBetween(smm, 'gcSmiHandlerTemplate', 'gcSmiHandlerTemplateEnd');
  const templateSize = sizeBetween(relocator, 'SmmInitTemplate', 'SmmInitTemplateEnd');
  if (handlerSize > MAX_SMI_HANDLER_SIZE || templateSize > BACK_BUF_SIZE || templateSize <= 0) {
    const details = { handlerSize, templateSize };
    throw new SmmError('FIRMWARE_IMAGE', 'a template is too large', 'Shorten it.', details);
  }
  const startup = relocator.symbols.get('SmmStartup') ?? 0;
  if (startup >> 12 !== (startup + sizeBetween(relocator, 'SmmStartup', 'SmmStartup16End') - 1) >> 12) {
    throw new SmmError('FIRMWARE_IMAGE', 'SmmStartup crosses a page', 'Align it to more than its size.', {
      startup,
    });
  }
  const flash = new FlashWriter();
  const flashSymbols = {
    ...common,
    FLASH_CODE_BASE: FLASH_BASE + FLASH_SIZE - FLASH_CODE_SIZE,
    FLASH_CODE_SIZE,
    SMM_IMAGE_VARIABLES,
    SMM_IMAGE_VARIABLES_SIZE,
    SmmBlob: flash.add(smm.bytes),
    SmmBlobSize: smm.bytes.length,
    SmmRelocs: flash.addRelocations(smm.relocations),
    SmmRelocCount: smm.relocations.length,
    DxeBlob: flash.add(dxe.bytes),
    DxeBlobSize: dxe.bytes.length,
    DxeRelocs: flash.addRelocations(dxe.relocations),
    DxeRelocCount: dxe.relocations.length,
  };
  const code = assemble(flashCode(variant), { symbols: flashSymbols });
  flash.bytes.set(code.bytes, FLASH_SIZE - FLASH_CODE_SIZE);

  const symbolsAt = (tolud: number): ReadonlyMap<string, number> => {
    const symbols = new Map<string, number>([...Object.entries(PLATFORM_FIELDS), ...code.symbols]);
    const dxeBase = tolud - variant.tsegMb * 0x10_0000 - DXE_IMAGE_SIZE;
    // Both images link the same libraries; the one that relocates comes last and keeps the plain names.
    const images = [
      { image: dxe, base: dxeBase, prefix: 'dxe.' },
      { image: smm, base: tolud - SMM_IMAGE_SIZE, prefix: 'smm.' },
    ];
    if (relocator === dxe) images.reverse();
    for (const { image, base, prefix } of images) {
      for (const [name, value] of image.symbols) {
        symbols.set(name, value + base);
        symbols.set(prefix + name, value + base);
      }
    }
    return symbols;
  };
  const tolud = options.tolud ?? 0x8000_0000;
  return {
    image: flash.bytes,
    base: FLASH_BASE,
    symbols: symbolsAt(tolud),
    symbolsAt,
    waitLoops: (top = tolud) => waitLoopsOf(symbolsAt(top), variant.shape),
    handlerSize,
    tsegMb: variant.tsegMb,
  };
}
