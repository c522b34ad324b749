/**
 * CR0, CR4, EFER and RFLAGS bits, spelled as the Intel SDM spells them. Intel SDM Vol. 3, "Control Registers"; Vol. 1,
 * "EFLAGS Register".
 */

/** CR0: protection enable. */
export const CR0_PE = 0x0000_0001;
/** CR0: monitor coprocessor. */
export const CR0_MP = 0x0000_0002;
/** CR0: x87 emulation. */
export const CR0_EM = 0x0000_0004;
/** CR0: task switched. */
export const CR0_TS = 0x0000_0008;
/** CR0: extension type, always 1. */
export const CR0_ET = 0x0000_0010;
/** CR0: numeric error. */
export const CR0_NE = 0x0000_0020;
/** CR0: write protect (supervisor writes honour read-only pages). */
export const CR0_WP = 0x0001_0000;
/** CR0: alignment mask. */
export const CR0_AM = 0x0004_0000;
/** CR0: not write-through. */
export const CR0_NW = 0x2000_0000;
/** CR0: cache disable. */
export const CR0_CD = 0x4000_0000;
/** CR0: paging. */
export const CR0_PG = 0x8000_0000;

/** CR4: virtual-8086 mode extensions. */
export const CR4_VME = 0x0001;
/** CR4: protected-mode virtual interrupts. */
export const CR4_PVI = 0x0002;
/** CR4: time stamp disable. */
export const CR4_TSD = 0x0004;
/** CR4: debugging extensions. */
export const CR4_DE = 0x0008;
/** CR4: page size extensions (4 MiB pages). */
export const CR4_PSE = 0x0010;
/** CR4: physical address extension. */
export const CR4_PAE = 0x0020;
/** CR4: machine-check enable. */
export const CR4_MCE = 0x0040;
/** CR4: page global enable. */
export const CR4_PGE = 0x0080;
/** CR4: performance-monitoring counter enable. */
export const CR4_PCE = 0x0100;
/** CR4: FXSAVE/FXRSTOR and SSE enabled by the operating system. */
export const CR4_OSFXSR = 0x0200;
/** CR4: unmasked SIMD exceptions enabled by the operating system. */
export const CR4_OSXMMEXCPT = 0x0400;
/** CR4: user-mode instruction prevention. */
export const CR4_UMIP = 0x0800;
/** CR4: 57-bit linear addresses. */
export const CR4_LA57 = 0x1000;
/** CR4: VMX enable. */
export const CR4_VMXE = 0x2000;
/** CR4: RDFSBASE and friends. */
export const CR4_FSGSBASE = 0x0001_0000;
/** CR4: process-context identifiers. */
export const CR4_PCIDE = 0x0002_0000;
/** CR4: XSAVE enabled by the operating system. */
export const CR4_OSXSAVE = 0x0004_0000;
/** CR4: supervisor-mode execution prevention. */
export const CR4_SMEP = 0x0010_0000;
/** CR4: supervisor-mode access prevention. */
export const CR4_SMAP = 0x0020_0000;
/** CR4: control-flow enforcement. */
export const CR4_CET = 0x0080_0000;

/** IA32_EFER: SYSCALL enable. */
export const EFER_SCE = 0x0001;
/** IA32_EFER: long mode enable. */
export const EFER_LME = 0x0100;
/** IA32_EFER: long mode active (read-only to software). */
export const EFER_LMA = 0x0400;
/** IA32_EFER: execute disable enable. */
export const EFER_NXE = 0x0800;

/** RFLAGS: carry. */
export const RFLAGS_CF = 0x0001;
/** RFLAGS: bit 1, always 1. */
export const RFLAGS_FIXED = 0x0002;
/** RFLAGS: parity. */
export const RFLAGS_PF = 0x0004;
/** RFLAGS: auxiliary carry. */
export const RFLAGS_AF = 0x0010;
/** RFLAGS: zero. */
export const RFLAGS_ZF = 0x0040;
/** RFLAGS: sign. */
export const RFLAGS_SF = 0x0080;
/** RFLAGS: single-step trap. */
export const RFLAGS_TF = 0x0100;
/** RFLAGS: maskable interrupts enabled. */
export const RFLAGS_IF = 0x0200;
/** RFLAGS: string direction (1 = down). */
export const RFLAGS_DF = 0x0400;
/** RFLAGS: overflow. */
export const RFLAGS_OF = 0x0800;
/** RFLAGS: I/O privilege level, 2 bits. */
export const RFLAGS_IOPL = 0x3000;
/** RFLAGS: nested task. */
export const RFLAGS_NT = 0x4000;
/** RFLAGS: resume. */
export const RFLAGS_RF = 0x0001_0000;
/** RFLAGS: virtual-8086 mode. */
export const RFLAGS_VM = 0x0002_0000;
/** RFLAGS: alignment check / SMAP override. */
export const RFLAGS_AC = 0x0004_0000;
/** RFLAGS: virtual interrupt flag. */
export const RFLAGS_VIF = 0x0008_0000;
/** RFLAGS: virtual interrupt pending. */
export const RFLAGS_VIP = 0x0010_0000;
/** RFLAGS: CPUID available. */
export const RFLAGS_ID = 0x0020_0000;
