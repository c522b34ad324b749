/**
 * System Management Mode constants, under edk2's names. edk2 UefiCpuPkg "SmramSaveStateMap.h"; Intel SDM Vol. 3,
 * "System Management Mode".
 */

/** SMBASE after RESET, guest-physical. */
export const SMM_DEFAULT_SMBASE = 0x3_0000;
/** SMI entry point, offset from SMBASE. */
export const SMM_HANDLER_OFFSET = 0x8000;
/** Where edk2's save-state map starts, offset from SMBASE; 400h bytes. */
export const SMRAM_SAVE_STATE_MAP_OFFSET = 0xfc00;
/** What the processor writes, offset from SMBASE; 200h bytes up to FFFFh. */
export const SMM_SAVE_AREA_OFFSET = 0xfe00;
/** Size in bytes of the area at {@link SMM_SAVE_AREA_OFFSET}. */
export const SMM_SAVE_AREA_SIZE = 0x200;
/** SMM revision identifier of the 32-bit layout (SMBASE relocation supported). */
export const SMM_REVISION_32 = 0x0002_0000;
/** SMM revision identifier of the AMD64 layout (SMBASE relocation supported). */
export const SMM_REVISION_64 = 0x0002_0064;
/** Revision bit: SMBASE relocation supported. */
export const SMM_REVISION_RELOCATION = 0x0002_0000;
