/** Where things are: flash, low RAM, the two images, save-state fields and selectors. All addresses are guest-physical. */
import { SMM_DEFAULT_SMBASE, SMRAM_SAVE_STATE_MAP_OFFSET } from '@smm/x86-defs';

/** Size of the flash image in bytes. */
export const FLASH_SIZE = 0x1_0000;
/** First address of the flash; it ends at 4 GiB. */
export const FLASH_BASE = 0x1_0000_0000 - FLASH_SIZE;
/** Bytes at the end of the flash that hold the code executed in place; the images lie below it. */
export const FLASH_CODE_SIZE = 0x1000;

/** SIPI vector; the APs start at 1000h times this. */
export const AP_START_VECTOR = 0x88;

/** Low RAM block through which the firmware phases hand data to each other (edk2 would use HOBs). */
export const PLATFORM_BASE = 0x1_0000;
/** Size of the block at {@link PLATFORM_BASE}. */
export const PLATFORM_SIZE = 0x1000;
/** Top of the stack that the flash code uses. */
export const FLASH_STACK_TOP = 0x2_0000;

/** Distance of the SMM image from the top of low RAM. The tile buffer ends right below it. */
export const SMM_IMAGE_SIZE = 0x2_e000;
/** Size of the DXE (or PEI) image; it lies right below TSEG in normal RAM. */
export const DXE_IMAGE_SIZE = 0x4_0000;

/** Fields of the platform block by symbol name. */
export const PLATFORM_FIELDS = {
  gTolud: PLATFORM_BASE,
  gTsegBase: PLATFORM_BASE + 0x04,
  gSmmImageBase: PLATFORM_BASE + 0x08,
  gDxeImageBase: PLATFORM_BASE + 0x0c,
  gNumberOfProcessors: PLATFORM_BASE + 0x10,
  gExpectedAps: PLATFORM_BASE + 0x14,
  gApSlots: PLATFORM_BASE + 0x18,
  gApsFinished: PLATFORM_BASE + 0x1c,
  gFirstSmiDone: PLATFORM_BASE + 0x20,
  gCheckInCount: PLATFORM_BASE + 0x24,
  gProcessorId: PLATFORM_BASE + 0x400,
  gSmmBaseHob: PLATFORM_BASE + 0x800,
  gCheckIn: PLATFORM_BASE + 0xc00,
  gCheckInApicId: PLATFORM_BASE + 0xd00,
} as const;

/** More processors than xAPIC ids. */
export const MAX_PROCESSORS = 255;

const MAP = SMM_DEFAULT_SMBASE + 0x8000;

/**
 * Save-state fields at the power-up SMBASE, in the 32-bit and in the AMD64 layout.
 * AMD APM volume 2, "SMM State-Save Area"; Intel SDM volume 3, "SMRAM State Save Map".
 */
export const SAVE_STATE = {
  saveRevision: MAP + 0x7efc,
  saveSmbase32: MAP + 0x7ef8,
  saveEip32: MAP + 0x7ff0,
  saveAutoHalt32: MAP + 0x7f02,
  saveSmbase64: MAP + 0x7f00,
  saveRip64: MAP + 0x7f78,
  saveAutoHalt64: MAP + 0x7ec9,
  saveEfer64: MAP + 0x7ed0,
} as const;

/** Selectors of edk2's SMM GDT. edk2 UefiCpuPkg/PiSmmCpuDxeSmm, "SmiEntry". */
export const SELECTORS = {
  CODE32: 0x08,
  DATA32: 0x20,
  CODE64: 0x38,
  TSS: 0x40,
} as const;

/** Bytes saved at the template's place; the template must not be larger. edk2 name BACK_BUF_SIZE. */
export const BACK_BUF_SIZE = 0x20;
/** Size of the save-state map that edk2 reserves. */
export const SAVE_STATE_MAP_SIZE = 0x400;
/** Size of the processor SMM descriptor. */
export const PSD_SIZE = 0x60;
/** Where the processor SMM descriptor is, offset from SMBASE. */
export const PSD_OFFSET = 0xfb00;
/** Largest SMI handler that 16 and more CPUs with 800h tiles leave room for. */
export const MAX_SMI_HANDLER_SIZE = 0x300;

/** Symbols that every part of the source can use. */
export const COMMON_SYMBOLS: Readonly<Record<string, number>> = {
  ...PLATFORM_FIELDS,
  ...SAVE_STATE,
  ...SELECTORS,
  SMM_DEFAULT_SMBASE,
  SMM_INIT_TEMPLATE: MAP,
  SMM_INIT_SAVE_STATE: SMM_DEFAULT_SMBASE + SMRAM_SAVE_STATE_MAP_OFFSET,
  SAVE_STATE_MAP_SIZE,
  BACK_BUF_SIZE,
  PSD_OFFSET,
  PSD_SIZE,
  PLATFORM_BASE,
  PLATFORM_SIZE,
  FLASH_STACK_TOP,
  SMM_IMAGE_SIZE,
  DXE_IMAGE_SIZE,
  AP_START_VECTOR,
  LOCAL_APIC_BASE: 0xfee0_0000,
};
