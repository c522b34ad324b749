/**
 * MSR numbers (ECX of RDMSR and WRMSR). Intel SDM Vol. 4, "Architectural MSRs", spelled as there; the AMD ones from
 * AMD APM Vol. 2, "MSR Cross-Reference"; those of KVM from Linux "KVM-specific MSRs".
 */

/** Machine-check address of old, P5-style machine checks. */
export const IA32_P5_MC_ADDR = 0x000;
/** Machine-check type of old, P5-style machine checks. */
export const IA32_P5_MC_TYPE = 0x001;
/** Monitor filter line size. */
export const IA32_MONITOR_FILTER_SIZE = 0x006;
/** Time-stamp counter. */
export const IA32_TIME_STAMP_COUNTER = 0x010;
/** Platform id, bits 52:50. */
export const IA32_PLATFORM_ID = 0x017;
/** Local APIC base, mode and BSP flag. */
export const IA32_APIC_BASE = 0x01b;
/** Feature control: lock, VMX enables, SMRR enable. */
export const IA32_FEATURE_CONTROL = 0x03a;
/** Offset added to the time-stamp counter. */
export const IA32_TSC_ADJUST = 0x03b;
/** Speculation control. */
export const IA32_SPEC_CTRL = 0x048;
/** Prediction command, write-only. */
export const IA32_PRED_CMD = 0x049;
/** Microcode update trigger, write-only. */
export const IA32_BIOS_UPDT_TRIG = 0x079;
/** Microcode update signature, in bits 63:32. */
export const IA32_BIOS_SIGN_ID = 0x08b;
/** SMM monitor control. */
export const IA32_SMM_MONITOR_CTL = 0x09b;
/** SMBASE, readable only in SMM. */
export const IA32_SMBASE = 0x09e;
/** Bus frequency of Core-family processors (SDM: MSR_FSB_FREQ). */
export const MSR_FSB_FREQ = 0x0cd;
/** Platform information: TSC ratio in bits 15:8. */
export const MSR_PLATFORM_INFO = 0x0ce;
/** Maximum performance counter. */
export const IA32_MPERF = 0x0e7;
/** Actual performance counter. */
export const IA32_APERF = 0x0e8;
/** MTRR capabilities: variable count 7:0, fixed 8, WC 10, SMRR 11. */
export const IA32_MTRRCAP = 0x0fe;
/** Architecture capabilities. */
export const IA32_ARCH_CAPABILITIES = 0x10a;
/** SYSENTER code segment. */
export const IA32_SYSENTER_CS = 0x174;
/** SYSENTER stack pointer. */
export const IA32_SYSENTER_ESP = 0x175;
/** SYSENTER instruction pointer. */
export const IA32_SYSENTER_EIP = 0x176;
/** Global machine-check capabilities: bank count 7:0, CTL present 8, CMCI 10, LMCE 27. */
export const IA32_MCG_CAP = 0x179;
/** Global machine-check status. */
export const IA32_MCG_STATUS = 0x17a;
/** Global machine-check control. */
export const IA32_MCG_CTL = 0x17b;
/** First performance event select register. */
export const IA32_PERFEVTSEL0 = 0x186;
/** Performance status. */
export const IA32_PERF_STATUS = 0x198;
/** Performance control. */
export const IA32_PERF_CTL = 0x199;
/** Clock modulation. */
export const IA32_CLOCK_MODULATION = 0x19a;
/** Thermal interrupt control. */
export const IA32_THERM_INTERRUPT = 0x19b;
/** Thermal status. */
export const IA32_THERM_STATUS = 0x19c;
/** Miscellaneous enables: fast strings 0, MONITOR 18, limit CPUID 22, XD disable 34. */
export const IA32_MISC_ENABLE = 0x1a0;
/** Energy/performance bias. */
export const IA32_ENERGY_PERF_BIAS = 0x1b0;
/** Debug control: LBR 0, BTF 1. */
export const IA32_DEBUGCTL = 0x1d9;
/** SMRR base. */
export const IA32_SMRR_PHYSBASE = 0x1f2;
/** SMRR mask; valid bit 11. */
export const IA32_SMRR_PHYSMASK = 0x1f3;
/** SMRR base of Core 2 processors. */
export const MSR_SMRR_PHYSBASE = 0x0a0;
/** SMRR mask of Core 2 processors. */
export const MSR_SMRR_PHYSMASK = 0x0a1;
/** First variable-range MTRR; base n is at +2n, mask n at +2n+1. */
export const IA32_MTRR_PHYSBASE0 = 0x200;
/** First variable-range MTRR mask; valid bit 11. */
export const IA32_MTRR_PHYSMASK0 = 0x201;
/** Fixed MTRR 00000h-7FFFFh, 64 KiB ranges. */
export const IA32_MTRR_FIX64K_00000 = 0x250;
/** Fixed MTRR 80000h-9FFFFh, 16 KiB ranges. */
export const IA32_MTRR_FIX16K_80000 = 0x258;
/** Fixed MTRR A0000h-BFFFFh, 16 KiB ranges. */
export const IA32_MTRR_FIX16K_A0000 = 0x259;
/** Fixed MTRR C0000h-C7FFFh, 4 KiB ranges. */
export const IA32_MTRR_FIX4K_C0000 = 0x268;
/** Fixed MTRR C8000h-CFFFFh, 4 KiB ranges. */
export const IA32_MTRR_FIX4K_C8000 = 0x269;
/** Fixed MTRR D0000h-D7FFFh, 4 KiB ranges. */
export const IA32_MTRR_FIX4K_D0000 = 0x26a;
/** Fixed MTRR D8000h-DFFFFh, 4 KiB ranges. */
export const IA32_MTRR_FIX4K_D8000 = 0x26b;
/** Fixed MTRR E0000h-E7FFFh, 4 KiB ranges. */
export const IA32_MTRR_FIX4K_E0000 = 0x26c;
/** Fixed MTRR E8000h-EFFFFh, 4 KiB ranges. */
export const IA32_MTRR_FIX4K_E8000 = 0x26d;
/** Fixed MTRR F0000h-F7FFFh, 4 KiB ranges. */
export const IA32_MTRR_FIX4K_F0000 = 0x26e;
/** Fixed MTRR F8000h-FFFFFh, 4 KiB ranges. */
export const IA32_MTRR_FIX4K_F8000 = 0x26f;
/** Page attribute table, eight 3-bit types. */
export const IA32_PAT = 0x277;
/** First CMCI control; bank n at +n. */
export const IA32_MC0_CTL2 = 0x280;
/** MTRR default type 7:0 (3 bits used), fixed enable 10, enable 11. */
export const IA32_MTRR_DEF_TYPE = 0x2ff;
/** First fixed-function counter control. */
export const IA32_FIXED_CTR_CTRL = 0x38d;
/** Global performance counter status. */
export const IA32_PERF_GLOBAL_STATUS = 0x38e;
/** Global performance counter control. */
export const IA32_PERF_GLOBAL_CTRL = 0x38f;
/** Global performance counter overflow control. */
export const IA32_PERF_GLOBAL_OVF_CTRL = 0x390;
/** Machine-check bank 0 control; bank n at +4n. */
export const IA32_MC0_CTL = 0x400;
/** Machine-check bank 0 status; bank n at +4n. */
export const IA32_MC0_STATUS = 0x401;
/** Machine-check bank 0 address; bank n at +4n. */
export const IA32_MC0_ADDR = 0x402;
/** Machine-check bank 0 miscellaneous; bank n at +4n. */
export const IA32_MC0_MISC = 0x403;
/** First VMX capability MSR. */
export const IA32_VMX_BASIC = 0x480;
/** Local APIC timer deadline in TSC units. */
export const IA32_TSC_DEADLINE = 0x6e0;
/** Extended supervisor state mask. */
export const IA32_XSS = 0xda0;

/** KVM: wall clock address (new numbering). */
export const MSR_KVM_WALL_CLOCK_NEW = 0x4b56_4d00;
/** KVM: per-VCPU system time address (new numbering). */
export const MSR_KVM_SYSTEM_TIME_NEW = 0x4b56_4d01;

/** Extended feature enables: SCE 0, LME 8, LMA 10, NXE 11. */
export const IA32_EFER = 0xc000_0080;
/** SYSCALL target selectors, 63:32. */
export const IA32_STAR = 0xc000_0081;
/** 64-bit SYSCALL target. */
export const IA32_LSTAR = 0xc000_0082;
/** Compatibility-mode SYSCALL target (AMD). */
export const IA32_CSTAR = 0xc000_0083;
/** RFLAGS bits cleared by SYSCALL. */
export const IA32_FMASK = 0xc000_0084;
/** FS base. */
export const IA32_FS_BASE = 0xc000_0100;
/** GS base. */
export const IA32_GS_BASE = 0xc000_0101;
/** GS base swapped in by SWAPGS. */
export const IA32_KERNEL_GS_BASE = 0xc000_0102;
/** Auxiliary TSC value returned by RDTSCP. */
export const IA32_TSC_AUX = 0xc000_0103;
/** AMD: first performance event select register; n at +n. */
export const MSR_K7_EVNTSEL0 = 0xc001_0000;
/** AMD: first performance event counter; n at +n. */
export const MSR_K7_PERFCTR0 = 0xc001_0004;
/** AMD: system configuration. */
export const MSR_AMD64_SYSCFG = 0xc001_0010;
/** AMD: hardware configuration. */
export const MSR_K7_HWCR = 0xc001_0015;
/** AMD: northbridge configuration. */
export const MSR_AMD64_NB_CFG = 0xc001_001f;
/** AMD: base of memory-mapped PCI configuration space, family 10h on. */
export const MSR_FAM10H_MMIO_CONF_BASE = 0xc001_0058;
/** AMD: interrupt pending and CMP-halt. */
export const MSR_K8_INT_PENDING_MSG = 0xc001_0055;
/** AMD: SMBASE. */
export const MSR_AMD64_SMM_BASE = 0xc001_0111;
/** AMD: TSEG base address. */
export const MSR_AMD64_SMM_ADDR = 0xc001_0112;
/** AMD: TSEG mask. */
export const MSR_AMD64_SMM_MASK = 0xc001_0113;
/** AMD: host save area of SVM. */
export const MSR_VM_HSAVE_PA = 0xc001_0117;
/** AMD: data cache configuration. */
export const MSR_AMD64_DC_CFG = 0xc001_1022;
/** AMD: decode configuration; bit 1: LFENCE serializes. */
export const MSR_AMD64_DE_CFG = 0xc001_1029;
/** AMD: bus unit configuration, family 10h. */
export const MSR_AMD64_BU_CFG2 = 0xc001_102a;
/** AMD: extended configuration, family 15h. */
export const MSR_F15H_EX_CFG = 0xc001_102c;
