/** Who uses which guest-physical memory during a boot of the firmware. */
import { SMM_DEFAULT_SMBASE } from '@smm/x86-defs';
import {
  AP_START_VECTOR,
  BACK_BUF_SIZE,
  DXE_IMAGE_SIZE,
  FLASH_BASE,
  FLASH_SIZE,
  FLASH_STACK_TOP,
  PLATFORM_BASE,
  PLATFORM_SIZE,
  SAVE_STATE_MAP_SIZE,
  SMM_IMAGE_SIZE,
} from './layout.ts';
import { planTiles, type TileRequest } from './tiles.ts';

/** One range of guest-physical memory. */
export interface MemoryRange {
  /** What it is. */
  readonly name: string;
  /** First address. */
  readonly start: number;
  /** Address behind the last byte. */
  readonly end: number;
  /** Inside TSEG: hidden outside SMM once the firmware has closed it. */
  readonly smram: boolean;
}

/** All ranges that the firmware uses, by ascending address. Throws what {@link planTiles} throws. */
export function memoryMap(request: TileRequest): readonly MemoryRange[] {
  const plan = planTiles(request);
  const { tolud } = request;
  const range = (name: string, start: number, size: number, smram = false): MemoryRange => ({
    name,
    start,
    end: start + size,
    smram,
  });
  return [
    range('platform block', PLATFORM_BASE, PLATFORM_SIZE),
    range('flash code stack', FLASH_STACK_TOP - 0x1000, 0x1000),
    range('SMI template at the power-up entry point, borrowed', SMM_DEFAULT_SMBASE + 0x8000, BACK_BUF_SIZE),
    range('power-up save-state map, borrowed', SMM_DEFAULT_SMBASE + 0xfc00, SAVE_STATE_MAP_SIZE),
    range('AP trampoline', AP_START_VECTOR << 12, 0x1000),
    range('DXE image', plan.tsegBase - DXE_IMAGE_SIZE, DXE_IMAGE_SIZE),
    range('SMBASE tiles', plan.buffer, plan.bufferSize, true),
    range('SMM image', tolud - SMM_IMAGE_SIZE, SMM_IMAGE_SIZE, true),
    range('flash', FLASH_BASE, FLASH_SIZE),
  ];
}
