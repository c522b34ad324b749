/**
 * Names of numbers in KVM's print formats. Source: Linux `trace.h`, `vmx.h` and `kvm.h`, of 4.4 and of 6.12, with the
 * exits of 6.18.
 */
import type { Symbols } from './template.ts';

const VMX_EXIT_REASONS_COMMON: Symbols = [
  [0, 'EXCEPTION_NMI'],
  [1, 'EXTERNAL_INTERRUPT'],
  [2, 'TRIPLE_FAULT'],
  [8, 'NMI_WINDOW'],
  [9, 'TASK_SWITCH'],
  [10, 'CPUID'],
  [12, 'HLT'],
  [13, 'INVD'],
  [14, 'INVLPG'],
  [15, 'RDPMC'],
  [16, 'RDTSC'],
  [18, 'VMCALL'],
  [19, 'VMCLEAR'],
  [20, 'VMLAUNCH'],
  [21, 'VMPTRLD'],
  [22, 'VMPTRST'],
  [23, 'VMREAD'],
  [24, 'VMRESUME'],
  [25, 'VMWRITE'],
  [26, 'VMOFF'],
  [27, 'VMON'],
  [28, 'CR_ACCESS'],
  [29, 'DR_ACCESS'],
  [30, 'IO_INSTRUCTION'],
  [31, 'MSR_READ'],
  [32, 'MSR_WRITE'],
  [33, 'INVALID_STATE'],
  [36, 'MWAIT_INSTRUCTION'],
  [39, 'MONITOR_INSTRUCTION'],
  [40, 'PAUSE_INSTRUCTION'],
  [41, 'MCE_DURING_VMENTRY'],
  [43, 'TPR_BELOW_THRESHOLD'],
  [44, 'APIC_ACCESS'],
  [45, 'EOI_INDUCED'],
  [48, 'EPT_VIOLATION'],
  [49, 'EPT_MISCONFIG'],
  [52, 'PREEMPTION_TIMER'],
  [54, 'WBINVD'],
  [56, 'APIC_WRITE'],
  [58, 'INVPCID'],
];

/** VMX basic exit reasons as KVM of 2015 names them. */
export const VMX_EXIT_REASONS_2015: Symbols = [...VMX_EXIT_REASONS_COMMON, [7, 'PENDING_INTERRUPT']];

/** VMX basic exit reasons as trace-cmd's plugin names them, whatever the kernel. Measured on trace-cmd 3.1.6. */
export const VMX_EXIT_REASONS_PLUGIN: Symbols = [
  ...VMX_EXIT_REASONS_2015.filter(([, name]) => name !== 'INVALID_STATE'),
  [50, 'INVEPT'],
  [55, 'XSETBV'],
  [62, 'PML_FULL'],
  [63, 'XSAVES'],
  [64, 'XRSTORS'],
];

/** VMX basic exit reasons as KVM of today names them. */
export const VMX_EXIT_REASONS: Symbols = [
  ...VMX_EXIT_REASONS_COMMON,
  [3, 'INIT_SIGNAL'],
  [4, 'SIPI_SIGNAL'],
  [7, 'INTERRUPT_WINDOW'],
  [34, 'MSR_LOAD_FAIL'],
  [37, 'MONITOR_TRAP_FLAG'],
  [46, 'GDTR_IDTR'],
  [47, 'LDTR_TR'],
  [50, 'INVEPT'],
  [51, 'RDTSCP'],
  [53, 'INVVPID'],
  [55, 'XSETBV'],
  [57, 'RDRAND'],
  [59, 'VMFUNC'],
  [60, 'ENCLS'],
  [61, 'RDSEED'],
  [62, 'PML_FULL'],
  [63, 'XSAVES'],
  [64, 'XRSTORS'],
  [67, 'UMWAIT'],
  [68, 'TPAUSE'],
  [74, 'BUS_LOCK'],
  [75, 'NOTIFY'],
  [77, 'TDCALL'],
  [84, 'MSR_READ_IMM'],
  [85, 'MSR_WRITE_IMM'],
];

/** VMX basic exit reason numbers that this package looks at. Intel SDM, "VMX Basic Exit Reasons". */
export const EXIT_REASON = {
  EXCEPTION_NMI: 0,
  TRIPLE_FAULT: 2,
  HLT: 12,
  INVALID_STATE: 33,
  APIC_ACCESS: 44,
  EOI_INDUCED: 45,
  EPT_VIOLATION: 48,
  EPT_MISCONFIG: 49,
  APIC_WRITE: 56,
} as const;

/** Local APIC registers by offset in the page, as KVM names them. */
export const APIC_REGISTERS: Symbols = [
  [0x20, 'APIC_ID'],
  [0x30, 'APIC_LVR'],
  [0x80, 'APIC_TASKPRI'],
  [0x90, 'APIC_ARBPRI'],
  [0xa0, 'APIC_PROCPRI'],
  [0xb0, 'APIC_EOI'],
  [0xc0, 'APIC_RRR'],
  [0xd0, 'APIC_LDR'],
  [0xe0, 'APIC_DFR'],
  [0xf0, 'APIC_SPIV'],
  [0x100, 'APIC_ISR'],
  [0x180, 'APIC_TMR'],
  [0x200, 'APIC_IRR'],
  [0x280, 'APIC_ESR'],
  [0x300, 'APIC_ICR'],
  [0x310, 'APIC_ICR2'],
  [0x320, 'APIC_LVTT'],
  [0x330, 'APIC_LVTTHMR'],
  [0x340, 'APIC_LVTPC'],
  [0x350, 'APIC_LVT0'],
  [0x360, 'APIC_LVT1'],
  [0x370, 'APIC_LVTERR'],
  [0x380, 'APIC_TMICT'],
  [0x390, 'APIC_TMCCT'],
  [0x3e0, 'APIC_TDCR'],
  [0x3f0, 'APIC_SELF_IPI'],
  [0x400, 'APIC_EFEAT'],
  [0x410, 'APIC_ECTRL'],
];

/** Delivery modes, ICR bits 10:8. */
export const DELIVERY_MODES: Symbols = [
  [0, 'Fixed'],
  [1, 'LowPrio'],
  [2, 'SMI'],
  [3, 'Res3'],
  [4, 'NMI'],
  [5, 'INIT'],
  [6, 'SIPI'],
  [7, 'ExtINT'],
];

/** Destination shorthands, ICR bits 19:18. */
export const DESTINATION_SHORTHANDS: Symbols = [
  [0, 'dst'],
  [1, 'self'],
  [2, 'all'],
  [3, 'all-but-self'],
];

/** Exceptions by vector. */
export const EXCEPTIONS: Symbols = [
  [0, '#DE'],
  [1, '#DB'],
  [3, '#BP'],
  [4, '#OF'],
  [5, '#BR'],
  [6, '#UD'],
  [7, '#NM'],
  [8, '#DF'],
  [10, '#TS'],
  [11, '#NP'],
  [12, '#SS'],
  [13, '#GP'],
  [14, '#PF'],
  [16, '#MF'],
  [17, '#AC'],
  [18, '#MC'],
];

/** Kinds of MMIO. */
export const MMIO_TYPES: Symbols = [
  [0, 'unsatisfied-read'],
  [1, 'read'],
  [2, 'write'],
];

/** Interrupt controllers. */
export const IRQCHIPS: Symbols = [
  [0, 'PIC master'],
  [1, 'PIC slave'],
  [2, 'IOAPIC'],
];

/** Modes of the emulator by its flags: 1 CR0.PE, 2 EFLAGS.VM, 4 CS.D, 8 CS.L. */
export const EMULATOR_MODES: Symbols = [
  [0, 'real'],
  [3, 'vm16'],
  [1, 'prot16'],
  [5, 'prot32'],
  [9, 'prot64'],
];

/** Reasons for which KVM_RUN returns. */
export const USERSPACE_EXITS: Symbols = [
  'UNKNOWN',
  'EXCEPTION',
  'IO',
  'HYPERCALL',
  'DEBUG',
  'HLT',
  'MMIO',
  'IRQ_WINDOW_OPEN',
  'SHUTDOWN',
  'FAIL_ENTRY',
  'INTR',
  'SET_TPR',
  'TPR_ACCESS',
  'S390_SIEIC',
  'S390_RESET',
  'DCR',
  'NMI',
  'INTERNAL_ERROR',
  'OSI',
  'PAPR_HCALL',
  'S390_UCONTROL',
  'WATCHDOG',
  'S390_TSCH',
  'EPR',
  'SYSTEM_EVENT',
  'S390_STSI',
  'IOAPIC_EOI',
  'HYPERV',
  'ARM_NISV',
  'X86_RDMSR',
  'X86_WRMSR',
  'DIRTY_RING_FULL',
  'AP_RESET_HOLD',
  'X86_BUS_LOCK',
  'XEN',
  'RISCV_SBI',
  'RISCV_CSR',
  'NOTIFY',
  'LOONGARCH_IOCSR',
  'MEMORY_FAULT',
  'TDX',
  'ARM_SEA',
  'ARM_LDST64B',
  'SNP_REQ_CERTS',
].map((name, number) => [number, `KVM_EXIT_${name}`] as const);

/** KVM_EXIT_x numbers that this package looks at. */
export const USERSPACE_EXIT = { SHUTDOWN: 8, FAIL_ENTRY: 9, INTERNAL_ERROR: 17 } as const;
