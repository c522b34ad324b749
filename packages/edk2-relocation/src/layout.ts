/**
 * Where things are: flash, low RAM, the two images, save-state fields and selectors. All addresses are guest-physical.
 */
import {
  APIC_DEFAULT_PHYS_BASE,
  APIC_DEST_ALLBUT,
  APIC_DM_INIT,
  APIC_DM_SMI,
  APIC_DM_STARTUP,
  APIC_ICR,
  APIC_ICR_BUSY,
  APIC_ICR2,
  APIC_ID,
  APIC_INT_ASSERT,
  APIC_SPIV,
  APIC_SPIV_APIC_ENABLED,
  IA32_APIC_BASE,
  IA32_EFER,
  ICH9_ACPI_CNTL,
  ICH9_ACPI_CNTL_ACPI_EN,
  ICH9_APM_CNT,
  ICH9_APM_STS,
  ICH9_GEN_PMCON_1,
  ICH9_GEN_PMCON_1_SMI_LOCK,
  ICH9_PM1_CNT_SLP_EN,
  ICH9_PM1_CNT_SLP_TYP_SHIFT,
  ICH9_PM1_STS_RTC,
  ICH9_PMBASE,
  ICH9_PMBASE_OFS_PM1_CNT,
  ICH9_PMBASE_OFS_PM1_EN,
  ICH9_PMBASE_OFS_SMI_EN,
  ICH9_SMI_EN_APMC_EN,
  ICH9_SMI_EN_GBL_SMI_EN,
  MCH_ESMRAMC,
  MCH_ESMRAMC_SM_CACHE,
  MCH_ESMRAMC_SM_L1,
  MCH_ESMRAMC_SM_L2,
  MCH_ESMRAMC_T_EN,
  MCH_ESMRAMC_TSEG_1MB,
  MCH_ESMRAMC_TSEG_2MB,
  MCH_ESMRAMC_TSEG_8MB,
  MCH_SMRAM,
  MCH_SMRAM_D_LCK,
  MCH_SMRAM_D_OPEN,
  MCH_SMRAM_G_SMRAME,
  MCH_TSEGMB,
  SAVE_STATE_AMD64,
  SAVE_STATE_LEGACY32_QEMU,
  type SaveStateFieldName,
  type SaveStateLayout,
  SMM_DEFAULT_SMBASE,
  SMM_HANDLER_OFFSET,
  SMRAM_SAVE_STATE_MAP_OFFSET,
} from '@smm/x86-defs';

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
  /** Top of low usable DRAM, 32 bit. */
  gTolud: PLATFORM_BASE,
  /** First address of TSEG, 32 bit. */
  gTsegBase: PLATFORM_BASE + 0x04,
  /** Load address of the SMM image, 32 bit. */
  gSmmImageBase: PLATFORM_BASE + 0x08,
  /** Load address of the DXE image, 32 bit. */
  gDxeImageBase: PLATFORM_BASE + 0x0c,
  /** Number of processors, 32 bit. */
  gNumberOfProcessors: PLATFORM_BASE + 0x10,
  /** Number of APs that CMOS 5Fh promises, 32 bit. */
  gExpectedAps: PLATFORM_BASE + 0x14,
  /** APs that have taken a stack, 32 bit. */
  gApSlots: PLATFORM_BASE + 0x18,
  /** APs that have registered, 32 bit. */
  gApsFinished: PLATFORM_BASE + 0x1c,
  /** 1 when the handler of the first normal SMI has its result, 32 bit. */
  gFirstSmiDone: PLATFORM_BASE + 0x20,
  /** Processors that checked in, 32 bit. */
  gCheckInCount: PLATFORM_BASE + 0x24,
  /** 1 from a resume from S3 on, 32 bit. */
  gS3Resume: PLATFORM_BASE + 0x28,
  /** APIC ids, ascending, 32 bit each. */
  gProcessorId: PLATFORM_BASE + 0x400,
  /** Planned SMBASEs by index, 32 bit each. */
  gSmmBaseHob: PLATFORM_BASE + 0x800,
  /** 1 for each processor index whose handler ran, 8 bit each. */
  gCheckIn: PLATFORM_BASE + 0xc00,
  /** Initial APIC id of the processor that ran the handler of an index, 8 bit each. */
  gCheckInApicId: PLATFORM_BASE + 0xd00,
} as const;

/** More processors than xAPIC ids. */
export const MAX_PROCESSORS = 255;

const ENTRY = SMM_DEFAULT_SMBASE + SMM_HANDLER_OFFSET;

/** Address of a save-state field at the power-up SMBASE. */
function savedAt(layout: SaveStateLayout, name: SaveStateFieldName): number {
  const field = layout.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new RangeError(`the ${layout.name} map has no ${name}`);
  return ENTRY + field.offset;
}

/** Save-state fields at the power-up SMBASE, in the 32-bit and in the AMD64 layout. Guest-physical. */
const SAVE_STATE = {
  saveRevision: savedAt(SAVE_STATE_AMD64, 'revision'),
  saveSmbase32: savedAt(SAVE_STATE_LEGACY32_QEMU, 'smbase'),
  saveEip32: savedAt(SAVE_STATE_LEGACY32_QEMU, 'rip'),
  saveAutoHalt32: savedAt(SAVE_STATE_LEGACY32_QEMU, 'autoHaltRestart'),
  saveSmbase64: savedAt(SAVE_STATE_AMD64, 'smbase'),
  saveRip64: savedAt(SAVE_STATE_AMD64, 'rip'),
  saveAutoHalt64: savedAt(SAVE_STATE_AMD64, 'autoHaltRestart'),
  saveEfer64: savedAt(SAVE_STATE_AMD64, 'efer'),
} as const;

/** Registers and bits that the sources name. */
const REGISTER_SYMBOLS: Readonly<Record<string, number>> = {
  APIC_ID,
  APIC_SPIV,
  APIC_SPIV_APIC_ENABLED,
  APIC_ICR,
  APIC_ICR2,
  APIC_ICR_BUSY,
  ICR_SMI: APIC_INT_ASSERT | APIC_DM_SMI,
  ICR_SMI_OTHERS: APIC_DEST_ALLBUT | APIC_INT_ASSERT | APIC_DM_SMI,
  ICR_INIT_OTHERS: APIC_DEST_ALLBUT | APIC_INT_ASSERT | APIC_DM_INIT,
  ICR_SIPI_OTHERS: APIC_DEST_ALLBUT | APIC_INT_ASSERT | APIC_DM_STARTUP,
  IA32_APIC_BASE,
  IA32_EFER,
  PCI_CONFIG_ADDRESS: 0xcf8,
  PCI_CONFIG_DATA: 0xcfc,
  PCI_MCH: 0x8000_0000,
  PCI_LPC: 0x8000_f800,
  PM_IO_BASE: 0x600,
  ICH9_PMBASE,
  ICH9_ACPI_CNTL,
  ICH9_ACPI_CNTL_ACPI_EN,
  ICH9_GEN_PMCON_1,
  ICH9_GEN_PMCON_1_SMI_LOCK,
  ICH9_PM1_CNT_SLP_EN,
  ICH9_PM1_CNT_SLP_TYP_SHIFT,
  ICH9_PM1_STS_RTC,
  ICH9_PMBASE_OFS_PM1_CNT,
  ICH9_PMBASE_OFS_PM1_EN,
  ICH9_PMBASE_OFS_SMI_EN,
  ICH9_SMI_EN_APMC_EN,
  ICH9_SMI_EN_GBL_SMI_EN,
  ICH9_APM_CNT,
  ICH9_APM_STS,
  MCH_TSEGMB,
  MCH_SMRAM,
  MCH_SMRAM_D_OPEN,
  MCH_SMRAM_D_LCK,
  MCH_SMRAM_G_SMRAME,
  MCH_ESMRAMC,
  MCH_ESMRAMC_T_EN,
  MCH_ESMRAMC_CACHE: MCH_ESMRAMC_SM_CACHE | MCH_ESMRAMC_SM_L1 | MCH_ESMRAMC_SM_L2,
};

/** TSEG size bits of ESMRAMC by MiB. */
export const ESMRAMC_TSEG_SIZE = {
  1: MCH_ESMRAMC_TSEG_1MB,
  2: MCH_ESMRAMC_TSEG_2MB,
  8: MCH_ESMRAMC_TSEG_8MB,
} as const;

/** Selectors of edk2's SMM GDT. edk2 UefiCpuPkg/PiSmmCpuDxeSmm, "SmiEntry". */
const SELECTORS = {
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
const PSD_OFFSET = 0xfb00;
/** Largest SMI handler that 16 and more CPUs with 800h tiles leave room for. */
export const MAX_SMI_HANDLER_SIZE = 0x300;

/** Symbols that every part of the source can use. */
export const COMMON_SYMBOLS: Readonly<Record<string, number>> = {
  ...PLATFORM_FIELDS,
  ...SAVE_STATE,
  ...SELECTORS,
  ...REGISTER_SYMBOLS,
  SMM_DEFAULT_SMBASE,
  SMM_INIT_TEMPLATE: ENTRY,
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
  LOCAL_APIC_BASE: APIC_DEFAULT_PHYS_BASE,
};
