/** Tile arithmetic of PiSmmCpuDxeSmm and of SmmRelocationLib. */
import {
  checkOptions,
  isNumber,
  isOneOf,
  isWhole,
  maybe,
  SMM_HANDLER_OFFSET,
  SMRAM_SAVE_STATE_MAP_OFFSET,
  SmmError,
} from '@smm/x86-defs';
import { MAX_PROCESSORS, PSD_SIZE, SAVE_STATE_MAP_SIZE, SMM_IMAGE_SIZE } from './layout.ts';

/** Which edk2: PiSmmCpuDxeSmm of October 2015, or SmmRelocationLib of 2024. */
export type FirmwareShape = '2015' | '2024';

/** What {@link planTiles} needs to know. */
export interface TileRequest {
  /** Top of low usable DRAM, guest-physical. */
  readonly tolud: number;
  /** Number of processors, 1-255. */
  readonly cpus: number;
  /** Which edk2. */
  readonly shape: FirmwareShape;
  /** Size of the SMI handler template in bytes; 300h if absent. Only the 2015 tile depends on it. */
  readonly handlerSize?: number;
  /** Size of TSEG in MiB; 8 if absent. Only the 2024 buffer depends on it. */
  readonly tsegMb?: 1 | 2 | 8;
}

/** Where the SMBASE tiles of all processors lie. */
export interface TilePlan {
  /** Distance between the tiles of two processors, bytes. */
  readonly tileSize: number;
  /** Start of the buffer, guest-physical. */
  readonly buffer: number;
  /** Size of the buffer, whole pages, in bytes. */
  readonly bufferSize: number;
  /** First address of TSEG, guest-physical. */
  readonly tsegBase: number;
  /** SMBASE of each processor, guest-physical. */
  readonly smbase: readonly number[];
  /** Start of each processor's save-state map (400h bytes), guest-physical. */
  readonly saveState: readonly number[];
  /** Top of low usable DRAM that the plan is for. */
  readonly tolud: number;
}

/**
 * Tile size of October 2015: twice the largest power of two in what a tile holds. edk2 PiSmmCpuDxeSmm "PiCpuSmmEntry".
 */
export function tileSize2015(handlerSize: number): number {
  const needed = SAVE_STATE_MAP_SIZE + PSD_SIZE + handlerSize - 1;
  return 2 * 2 ** Math.floor(Math.log2(needed));
}

/** Tile size of SmmRelocationLib, constant. edk2 UefiCpuPkg/Library/SmmRelocationLib. */
export const TILE_SIZE_2024 = 0x2000;

/**
 * Computes the tiles as the firmware does. Throws `SmmError` `FIRMWARE_TILES` when they cannot be placed,
 * `OPTION_VALUE` for a request of a wrong kind.
 */
export function planTiles(request: TileRequest): TilePlan {
  checkOptions<TileRequest>('the request for tiles', request, {
    tolud: isWhole(0, 2 ** 32),
    cpus: isNumber,
    shape: isOneOf(['2015', '2024']),
    handlerSize: maybe(isWhole(1)),
    tsegMb: maybe(isWhole(1)),
  });
  const { tolud, cpus, shape, handlerSize = 0x300, tsegMb = 8 } = request;
  if (!Number.isInteger(cpus) || cpus < 1 || cpus > MAX_PROCESSORS) {
    throw new SmmError('FIRMWARE_TILES', `${cpus} processors`, `Use 1 to ${MAX_PROCESSORS} processors.`, {
      cpus,
    });
  }
  const tsegBase = tolud - tsegMb * 0x10_0000;
  const tileSize = shape === '2015' ? tileSize2015(handlerSize) : TILE_SIZE_2024;
  const bufferSize = Math.ceil((SMM_HANDLER_OFFSET + tileSize * (cpus - 1)) / 0x1000) * 0x1000;
  const smmImage = tolud - SMM_IMAGE_SIZE;
  // The first TSEG page is a descriptor of its own (S3 resume state), so the 2024 buffer starts one page higher.
  const buffer = shape === '2015' ? smmImage - bufferSize : tsegBase + 0x1000;
  if (buffer < tsegBase || buffer + bufferSize > smmImage) {
    throw new SmmError(
      'FIRMWARE_TILES',
      `${bufferSize} bytes of tiles for ${cpus} processors do not fit TSEG of ${tsegMb} MiB`,
      'Use a larger TSEG, fewer processors or (in 2015) a smaller handler.',
      { cpus, tsegMb, handlerSize, bufferSize },
    );
  }
  const smbase = Array.from({ length: cpus }, (_, index) => buffer + index * tileSize - SMM_HANDLER_OFFSET);
  const saveState = smbase.map((base) => base + SMRAM_SAVE_STATE_MAP_OFFSET);
  return { tileSize, buffer, bufferSize, tsegBase, smbase, saveState, tolud };
}
