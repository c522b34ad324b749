/**
 * SMBASE relocation as edk2 does it, as guest machine code: flash images in the 2015 and the 2024 shape, 32- and
 * 64-bit, tile planning and log formats.
 * @packageDocumentation
 */
export { buildFirmware, type Firmware, type FirmwareOptions } from './firmware.ts';
export {
  AP_START_VECTOR,
  DXE_IMAGE_SIZE,
  FLASH_BASE,
  FLASH_SIZE,
  MAX_PROCESSORS,
  PLATFORM_BASE,
  PLATFORM_FIELDS,
  SMM_IMAGE_SIZE,
} from './layout.ts';
export { type ExpectedLogRequest, expectedLog, logLines } from './log.ts';
export { type MemoryRange, memoryMap } from './memory-map.ts';
export {
  type FirmwareShape,
  planTiles,
  TILE_SIZE_2024,
  type TilePlan,
  type TileRequest,
  tileSize2015,
} from './tiles.ts';
export { FIRMWARE_QUIRKS, type FirmwareQuirk, type FirmwareQuirkInfo } from './variant.ts';
export type { WaitLoop } from './wait-loops.ts';
