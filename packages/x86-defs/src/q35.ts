/**
 * Q35 MCH and ICH9 register numbers and bits, under the names of edk2 OvmfPkg "Q35MchIch9.h"; names it lacks follow the
 * data sheets. Sources: Intel 316966 (3 Series chipset family, "DRAM Controller Registers"), Intel 316972 (ICH9, "LPC
 * Interface Bridge Registers"); registers marked QEMU exist only in its q35 machine.
 */

/** PCI vendor id of Intel, 16 bit. */
export const PCI_VENDOR_ID_INTEL = 0x8086;
/** PCI device id of the Q35 MCH host bridge, 16 bit. */
export const INTEL_Q35_MCH_DEVICE_ID = 0x29c0;
/** PCI device id of the ICH9 LPC bridge, 16 bit. */
export const INTEL_ICH9_LPC_DEVICE_ID = 0x2918;

/** QEMU: extended TSEG size in MB, 16 bit; writing {@link MCH_EXT_TSEG_MB_QUERY} asks for it. MCH config offset. */
export const MCH_EXT_TSEG_MB = 0x50;
/** Query value for {@link MCH_EXT_TSEG_MB}. */
export const MCH_EXT_TSEG_MB_QUERY = 0xffff;
/** Graphics control, 16 bit. MCH config offset. */
export const MCH_GGC = 0x52;
/** IGD VGA disable. */
export const MCH_GGC_IVD = 0x02;
/** ECAM base, low dword. MCH config offset. */
export const MCH_PCIEXBAR_LOW = 0x60;
/** ECAM enable, bit 0 of {@link MCH_PCIEXBAR_LOW}. */
export const MCH_PCIEXBAR_EN = 0x01;
/** ECAM size, bits 2:1 of {@link MCH_PCIEXBAR_LOW}: 0 256 MB, 1 128 MB, 2 64 MB. */
export const MCH_PCIEXBAR_LENGTH_MASK = 0x06;
/** ECAM base, high dword. MCH config offset. */
export const MCH_PCIEXBAR_HIGH = 0x64;
/** First of the seven PAM registers (90h..96h): shadow control of C0000h-FFFFFh, 8 bit each. MCH config offset. */
export const MCH_PAM0 = 0x90;
/** PAM nibble: reads go to RAM. */
export const MCH_PAM_RE = 0x01;
/** PAM nibble: writes go to RAM. */
export const MCH_PAM_WE = 0x02;
/** QEMU: SMRAM at the default SMBASE, 8 bit. MCH config offset. */
export const MCH_DEFAULT_SMBASE_CTL = 0x9c;
/** Query value for {@link MCH_DEFAULT_SMBASE_CTL}. */
export const MCH_DEFAULT_SMBASE_QUERY = 0xff;
/** The feature exists and the range is ordinary RAM. */
export const MCH_DEFAULT_SMBASE_IN_RAM = 0x01;
/** The range is SMRAM, until reset. */
export const MCH_DEFAULT_SMBASE_LCK = 0x02;
/** Size in bytes of the SMRAM at the default SMBASE. */
export const MCH_DEFAULT_SMBASE_SIZE = 0x2_0000;
/** System management RAM control, 8 bit. MCH config offset. */
export const MCH_SMRAM = 0x9d;
/** SMRAM open: compatible (or high) SMRAM is visible outside SMM. */
export const MCH_SMRAM_D_OPEN = 0x40;
/** SMRAM closed: data accesses from SMM go to the graphics range. */
export const MCH_SMRAM_D_CLS = 0x20;
/** SMRAM locked until reset. */
export const MCH_SMRAM_D_LCK = 0x10;
/** Compatible SMRAM enabled. */
export const MCH_SMRAM_G_SMRAME = 0x08;
/** C_BASE_SEG, bits 2:0, read-only 010b: A0000h. */
export const MCH_SMRAM_C_BASE_SEG = 0x02;
/** Extended SMRAM control, 8 bit. MCH config offset. */
export const MCH_ESMRAMC = 0x9e;
/** Compatible SMRAM is reached at FEDA0000h instead of A0000h. */
export const MCH_ESMRAMC_H_SMRAME = 0x80;
/** Invalid SMRAM access seen. */
export const MCH_ESMRAMC_E_SMERR = 0x40;
/** Cache bit, reads 1. */
export const MCH_ESMRAMC_SM_CACHE = 0x20;
/** L1 cache bit, reads 1. */
export const MCH_ESMRAMC_SM_L1 = 0x10;
/** L2 cache bit, reads 1. */
export const MCH_ESMRAMC_SM_L2 = 0x08;
/** TSEG size field. */
export const MCH_ESMRAMC_TSEG_MASK = 0x06;
/** TSEG size: QEMU's {@link MCH_EXT_TSEG_MB}. */
export const MCH_ESMRAMC_TSEG_EXT = 0x06;
/** TSEG size 8 MB. */
export const MCH_ESMRAMC_TSEG_8MB = 0x04;
/** TSEG size 2 MB. */
export const MCH_ESMRAMC_TSEG_2MB = 0x02;
/** TSEG size 1 MB. */
export const MCH_ESMRAMC_TSEG_1MB = 0x00;
/** TSEG enabled: closed to everything but SMM. */
export const MCH_ESMRAMC_T_EN = 0x01;
/** Graphics stolen memory base, 32 bit, bits 31:20. MCH config offset. */
export const MCH_GBSM = 0xa4;
/** GTT stolen memory base, 32 bit, bits 31:20. MCH config offset. */
export const MCH_BGSM = 0xa8;
/** TSEG base, 32 bit, bits 31:20. MCH config offset. */
export const MCH_TSEGMB = 0xac;
/** Shift of the base in MB within {@link MCH_TSEGMB}. */
export const MCH_TSEGMB_MB_SHIFT = 20;
/** Top of low usable DRAM, 16 bit, bits 15:4 in MB. MCH config offset. */
export const MCH_TOLUD = 0xb0;
/** Shift of the size in MB within {@link MCH_TOLUD}. */
export const MCH_TOLUD_MB_SHIFT = 4;

/** ACPI I/O base, 32 bit. LPC config offset. */
export const ICH9_PMBASE = 0x40;
/** Base bits of {@link ICH9_PMBASE}; bit 0 reads 1 (I/O). */
export const ICH9_PMBASE_MASK = 0xff80;
/** ACPI control, 8 bit. LPC config offset. */
export const ICH9_ACPI_CNTL = 0x44;
/** The PM I/O block is decoded. */
export const ICH9_ACPI_CNTL_ACPI_EN = 0x80;
/** PIRQ A to D routing, 8 bit each. LPC config offset. */
export const ICH9_PIRQA_ROUT = 0x60;
/** PIRQ E to H routing, 8 bit each. LPC config offset. */
export const ICH9_PIRQE_ROUT = 0x68;
/** General PM configuration 1, 16 bit. LPC config offset. */
export const ICH9_GEN_PMCON_1 = 0xa0;
/** GBL_SMI_EN can no longer be cleared, until reset. */
export const ICH9_GEN_PMCON_1_SMI_LOCK = 0x10;
/** Root complex base address, 32 bit. LPC config offset. */
export const ICH9_RCBA = 0xf0;
/** Root complex registers are decoded. */
export const ICH9_RCBA_EN = 0x01;
/** Where firmware puts the root complex registers, guest-physical. */
export const ICH9_ROOT_COMPLEX_BASE = 0xfed1_c000;

/** APM control port: a write raises an SMI. */
export const ICH9_APM_CNT = 0xb2;
/** APM command of QEMU's ACPI tables: enable ACPI (sets PM1_CNT.SCI_EN, no SMI). */
export const ICH9_APM_CNT_ACPI_ENABLE = 0x02;
/** APM command of QEMU's ACPI tables: disable ACPI (clears PM1_CNT.SCI_EN, no SMI). */
export const ICH9_APM_CNT_ACPI_DISABLE = 0x03;
/** APM command: look for hot-plugged processors. */
export const ICH9_APM_CNT_CPU_HOTPLUG = 0x04;
/** APM status port: a scratch byte that travels with the command. */
export const ICH9_APM_STS = 0xb3;
/** QEMU: processor hot-plug registers, port. */
export const ICH9_CPU_HOTPLUG_BASE = 0x0cd8;

/** Size in bytes of the PM I/O block at PMBASE. */
export const ICH9_PMIO_SIZE = 0x80;
/** PM1 status, 16 bit. Offset from PMBASE. */
export const ICH9_PMBASE_OFS_PM1_STS = 0x00;
/** PM1 enable, 16 bit. Offset from PMBASE. */
export const ICH9_PMBASE_OFS_PM1_EN = 0x02;
/** PM1 control, 32 bit. Offset from PMBASE. */
export const ICH9_PMBASE_OFS_PM1_CNT = 0x04;
/** PM1 control: ACPI owns power management. */
export const ICH9_PM1_CNT_SCI_EN = 0x0001;
/** PM1 control: the OS releases the global lock; sets {@link ICH9_SMI_STS_BIOS_STS}. */
export const ICH9_PM1_CNT_GBL_RLS = 0x0004;
/** PM1 control: enter the sleep type in bits 12:10. Write-only. */
export const ICH9_PM1_CNT_SLP_EN = 0x2000;
/** Shift of the 3-bit sleep type in PM1 control. */
export const ICH9_PM1_CNT_SLP_TYP_SHIFT = 10;
/** PM1 status: the PM timer's top bit changed. */
export const ICH9_PM1_STS_TMROF = 0x0001;
/** PM1 status: firmware released the global lock; its enable is the same bit of PM1_EN. */
export const ICH9_PM1_STS_GBL = 0x0020;
/** PM1 status: the power button was pressed; its enable is the same bit of PM1_EN. */
export const ICH9_PM1_STS_PWRBTN = 0x0100;
/** PM1 status: the RTC raised its interrupt; its enable is the same bit of PM1_EN. */
export const ICH9_PM1_STS_RTC = 0x0400;
/** PM1 status: woken from sleep. */
export const ICH9_PM1_STS_WAK = 0x8000;
/** General-purpose event 0 status, 64 bit. Offset from PMBASE. */
export const ICH9_PMBASE_OFS_GPE0_STS = 0x20;
/** General-purpose event 0 enable, 64 bit. Offset from PMBASE. */
export const ICH9_PMBASE_OFS_GPE0_EN = 0x28;
/** General-purpose events 0: so many bits. */
export const ICH9_GPE0_EVENTS = 64;
/** PM timer, 32 bit (24 count). Offset from PMBASE. */
export const ICH9_PMBASE_OFS_PM1_TMR = 0x08;
/** SMI enable, 32 bit. Offset from PMBASE. */
export const ICH9_PMBASE_OFS_SMI_EN = 0x30;
/** A write to the APM control port raises an SMI. */
export const ICH9_SMI_EN_APMC_EN = 0x20;
/** The TCO logic raises SMIs. */
export const ICH9_SMI_EN_TCO_EN = 0x2000;
/** Firmware releases the global lock: sets {@link ICH9_PM1_STS_GBL}. */
export const ICH9_SMI_EN_BIOS_RLS = 0x02;
/** {@link ICH9_SMI_STS_BIOS_STS} raises an SMI. */
export const ICH9_SMI_EN_BIOS_EN = 0x04;
/** SMIs are enabled globally. */
export const ICH9_SMI_EN_GBL_SMI_EN = 0x01;
/** SMI status, 32 bit. Offset from PMBASE. */
export const ICH9_PMBASE_OFS_SMI_STS = 0x34;
/** SMI status: the OS released the global lock. */
export const ICH9_SMI_STS_BIOS_STS = 0x04;

/** TCO registers: the watchdog. Offset from PMBASE. */
export const ICH9_PMBASE_OFS_TCO = 0x60;
/** Ports of the TCO registers. */
export const ICH9_TCO_SIZE = 0x20;

/** PM timer frequency in Hz. ACPI specification, "Power Management Timer". */
export const ACPI_PM_TIMER_FREQUENCY = 3_579_545;

/** The MCH registers that decide where SMRAM is and who sees it: raw register values. */
export interface SmramRegisters {
  /** {@link MCH_SMRAM}, 8 bit. */
  readonly smram: number;
  /** {@link MCH_ESMRAMC}, 8 bit. */
  readonly esmramc: number;
  /** {@link MCH_TSEGMB}, 32 bit. */
  readonly tsegmb: number;
  /** {@link MCH_TOLUD}, 16 bit. */
  readonly tolud: number;
  /** {@link MCH_EXT_TSEG_MB}, 16 bit, MB. */
  readonly extTsegMb: number;
  /** {@link MCH_DEFAULT_SMBASE_CTL}, 8 bit. */
  readonly defaultSmbaseCtl: number;
}

/** One range that SMRAM decoding makes different from plain RAM. */
export interface SmramRange {
  /** Which SMRAM: A0000h-BFFFFh, its alias at FEDA0000h, TSEG, or the 128 KB at the default SMBASE. */
  readonly name: 'compatible' | 'high' | 'tseg' | 'default-smbase';
  /** First guest-physical address at which it is reached. */
  readonly start: number;
  /** Size in bytes. */
  readonly sizeBytes: number;
  /** Guest-physical address of the RAM behind it (differs from `start` for `high`). */
  readonly ramStart: number;
  /** Processors in SMM reach the RAM. */
  readonly inSmm: boolean;
  /** What everybody else finds: the RAM, the bus (graphics range), or nothing at all (all-ones, writes dropped). */
  readonly outside: 'ram' | 'bus' | 'hole';
  /** Cannot be changed before reset. */
  readonly locked: boolean;
}
